"""`python -m app train`: train a head on the project's synthetic world, or on a data set as the paper does."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.commands import train_daclip
from app.commands.options import add_engine_options, config_from, not_negative, positive
from app.config import resolve_device
from models.errors import DataError
from models.registry import DEFAULT_PRESET, Preset, get_backbone_spec, get_preset

if TYPE_CHECKING:
    from app.services.training import Conduct, TrainingRun
    from models.data.datasets import DataSet
    from models.training.loop import Optimisation, Stage

_EPOCHS_OF_DINOV2_ON_VISA = 4
_EPOCHS = 2
METHOD: Final = "VisualAD"
OPTIONS: Final = (  # those that mean nothing for other methods
    *("losses", "stages", "bf16", "accumulate", "checkpoint_blocks", "module_rate", "token_rate", "dropout"),
    *("no_sca", "saf", "anchors", "train_positions", "workers"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; the defaults are those of the shipped head, and with --data those of the paper."""
    parser.add_argument("--preset", default=DEFAULT_PRESET, help="whose backbone and layers (default: %(default)s)")
    add_run_options(parser)


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Declare all options but the preset."""
    parser.add_argument("--out", type=Path, required=True, help="the head to write, NAME.safetensors")
    parser.add_argument("--layers", help="comma-separated, counted from 1 (default: the preset's)")
    parser.add_argument("--backbone-weights", type=Path, metavar="PATH", help="a backbone file that goes first")
    _add_data_options(parser)
    _add_method_options(parser)
    parser.add_argument("--token-rate", type=float, default=1e-3, help="learning rate of the tokens (default: 1e-3)")
    parser.add_argument("--module-rate", type=float, help="of everything else (default: 1e-3; with --data 1e-4)")
    parser.add_argument(
        "--average-decay", type=float, help="of the weights' moving average (default: 0.995; with --data 0)"
    )
    parser.add_argument("--seed", type=not_negative, default=0, help="of weights and pictures (default: %(default)s)")
    parser.add_argument("--workers", type=not_negative, default=1, help="processes that make pictures; 0: this one")
    parser.add_argument("--watch", type=positive, metavar="N", help="every N steps, measure on 32 held-out pictures")
    parser.add_argument("--tensorboard", action="store_true", help="log to OUT.tensorboard too (package tensorboard)")
    _add_machine_options(parser)
    train_daclip.add_options(parser)
    add_engine_options(parser)


def _add_machine_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--threads", type=positive, help="threads of torch (default: torch's choice)")
    parser.add_argument("--bf16", action="store_true", help="run the forward pass in bfloat16")
    parser.add_argument(
        "--accumulate", type=positive, default=1, metavar="N", help="cut each batch into N parts, to need less memory"
    )
    parser.add_argument(
        "--checkpoint-blocks", action="store_true", help="compute the backbone twice, to need less memory"
    )


def _add_data_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, metavar="DIR", help="train on a data set's test split instead")
    parser.add_argument("--layout", default="auto", help="with --data: how it is laid out (default: found out)")
    parser.add_argument("--classes", metavar="A,B", help="with --data: only these classes")
    parser.add_argument("--epochs", type=positive, help="with --data (default: the paper's, 1 to 4)")
    parser.add_argument("--image-size", type=positive, metavar="PX", help="with --data (default: the preset's)")
    parser.add_argument("--batch-size", type=positive, default=8, help="with --data (default: %(default)s)")
    parser.add_argument(
        "--stages",
        default="252x1150x8,392x300x8f",
        help="without --data: side x steps x batch size, comma-separated; f: tokens frozen (default: %(default)s)",
    )
    parser.add_argument("--photographs", type=Path, help="without --data: folder made by `python -m app data fetch`")


def _add_method_options(parser: argparse.ArgumentParser) -> None:
    from models.methods.saf import SAF_VARIANTS
    from models.training.losses import LOSS_NAMES

    parser.add_argument("--saf", choices=SAF_VARIANTS, default="mlp", help="form of SAF (default: %(default)s)")
    parser.add_argument("--no-sca", action="store_true", help="compare the tokens as the backbone gives them")
    parser.add_argument("--anchors", type=positive, default=4, help="of SCA (default: %(default)s)")
    parser.add_argument("--dropout", type=float, default=0.1, help="of SCA and SAF (default: %(default)s)")
    parser.add_argument("--train-positions", action="store_true", help="train the positions of the two tokens too")
    parser.add_argument(
        "--losses", default=",".join(LOSS_NAMES), metavar="A,B", help="those to minimise (default: %(default)s)"
    )


def run(args: argparse.Namespace) -> int:
    """Train, showing progress; a second call with the same options goes on where the first was stopped."""
    if get_preset(args.preset).method == train_daclip.METHOD:
        return train_daclip.run(args)
    from tqdm import tqdm

    from app.services.training import train
    from models.training.ranks import is_first_process

    settings = run_from(args)
    total = sum(stage.steps for stage in settings.stages)
    is_first = is_first_process()
    with tqdm(total=total, unit="step", desc="train", disable=not is_first) as bar:
        for report in train(
            settings, config_from(args).location(backbone_path=args.backbone_weights), args.out, conduct_from(args)
        ):
            bar.update(report.step - bar.n)
            bar.set_postfix({name: f"{value:.3f}" for name, value in report.losses.items()})
    if is_first:
        print(f"wrote {args.out}")
    return 0


def refuse_options(args: argparse.Namespace, foreign: tuple[str, ...], method: str) -> None:
    """Refuse options that another method alone has a use for, where they differ from their defaults.

    Args:
        args: of the command.
        foreign: names of options as attributes of `args`.
        method: the other one.
    Raises:
        DataError: one of them is given.
    """
    usual = argparse.ArgumentParser()
    add_run_options(usual)
    for name in foreign:
        if getattr(args, name) != usual.get_default(name):
            option = f"--{name.replace('_', '-')}"
            title = get_preset(args.preset).title
            raise DataError(f"{option} is for {method} alone and means nothing for {title}; leave it out.")


def conduct_from(args: argparse.Namespace) -> Conduct:
    """How the options want the run carried out."""
    from app.services.convergence import Watch
    from app.services.training import Conduct

    return Conduct(
        device=resolve_device(config_from(args).device),
        threads=args.threads,
        watch=Watch(every=args.watch) if args.watch else None,
        tensorboard=args.tensorboard,
    )


def run_from(args: argparse.Namespace) -> TrainingRun:
    """The run that the options ask for.

    Raises:
        DataError: an option means nothing, or the data cannot be trained on.
    """
    from app.services.training import TrainingRun
    from models.data.datasets import read_dataset
    from models.data.sources import list_photographs

    preset = get_preset(args.preset)
    if preset.method != METHOD:
        raise DataError(f"{preset.title} has nothing to train here; choose a preset of VisualAD or DA-CLIP.")
    refuse_options(args, train_daclip.OPTIONS, train_daclip.METHOD)
    if not 0.0 <= args.dropout < 1.0:
        raise DataError(f"--dropout {args.dropout} cannot be; choose a share from 0 to less than 1.")
    data = None
    if args.data is not None:
        classes = None if args.classes is None else args.classes.split(",")
        data = read_dataset(args.data, args.layout).of(class_names=classes)
    return TrainingRun(
        preset=args.preset,
        stages=_stages(args, preset, data),
        optimisation=_optimisation(args),
        layers=layers_of(args, preset),
        seed=args.seed,
        photographs=tuple(list_photographs(args.photographs)) if args.photographs else (),
        workers=args.workers,
        data=data,
        sca=not args.no_sca,
        saf=args.saf,
        anchors=args.anchors,
        train_positions=args.train_positions,
        dropout=args.dropout,
    )


def _stages(args: argparse.Namespace, preset: Preset, data: DataSet | None) -> tuple[Stage, ...]:
    if data is None:
        return tuple(parse_stage(text, preset) for text in args.stages.split(","))
    from models.training.folder_batches import steps_per_epoch, trainable

    steps = (args.epochs or papers_epochs(preset, data.class_names)) * steps_per_epoch(
        len(trainable(data)), args.batch_size
    )
    return (parse_stage(f"{args.image_size or preset.image_size}x{steps}x{args.batch_size}", preset),)


def _optimisation(args: argparse.Namespace) -> Optimisation:
    from models.training.loop import Optimisation

    of_paper = args.data is not None
    try:
        return Optimisation(
            token_rate=args.token_rate,
            module_rate=args.module_rate or (1e-4 if of_paper else 1e-3),
            average_decay=(0.0 if of_paper else 0.995) if args.average_decay is None else args.average_decay,
            bfloat16=args.bf16,
            losses=tuple(args.losses.split(",")),
            accumulate=args.accumulate,
            checkpoint_blocks=args.checkpoint_blocks,
        )
    except ValueError as error:
        raise DataError(f"--losses {args.losses!r} cannot be: {error}.") from error


def papers_epochs(preset: Preset, class_names: tuple[str, ...]) -> int:
    """How often the paper goes through a set: CLIP 1 on VisA and 2 on MVTec-AD, DINOv2 4 and 2; others: 2."""
    from models.evaluation.published import published_set

    if published_set(class_names) != "visa":
        return _EPOCHS
    return _EPOCHS_OF_DINOV2_ON_VISA if "dinov2" in preset.backbone else 1


def layers_of(args: argparse.Namespace, preset: Preset) -> tuple[int, ...]:
    """The layers that the options ask for.

    Raises:
        DataError: the preset's backbone has no such layer.
    """
    return parse_layers(args.layers, preset) if args.layers else preset.layers


def parse_stage(text: str, preset: Preset) -> Stage:
    """Read 'SIDExSTEPSxBATCH', such as 252x2000x8, with an f at the end to keep the tokens frozen.

    Raises:
        DataError: it is not three numbers, or the side does not suit the preset's backbone.
    """
    from models.methods.sca import MAX_PATCHES
    from models.training.loop import Stage

    try:
        image_px, steps, batch_size = (int(part) for part in text.removesuffix("f").split("x"))
    except ValueError as error:
        raise DataError(f"{text!r} is no stage; write side x steps x batch size, such as 252x2000x8.") from error
    patch_px = get_backbone_spec(preset.backbone).patch_px
    largest = math.isqrt(MAX_PATCHES) * patch_px
    if image_px % patch_px or not patch_px <= image_px <= largest or min(steps, batch_size) < 1:
        raise DataError(
            f"The stage {text!r} does not suit {preset.title}: the side must be a multiple of {patch_px}"
            f" and at most {largest} px, steps and batch size 1 or more."
        )
    return Stage(image_px=image_px, steps=steps, batch_size=batch_size, trains_tokens=not text.endswith("f"))


def parse_layers(text: str, preset: Preset) -> tuple[int, ...]:
    """Read comma-separated layer numbers, counted from 1, into ascending order.

    Raises:
        DataError: one is no number or no layer of the preset's backbone.
    """
    spec = get_backbone_spec(preset.backbone)
    try:
        layers = tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError as error:
        raise DataError(f"--layers {text!r} is no list of layers; write comma-separated numbers: 3,6,9,12.") from error
    if layers[0] < 1 or layers[-1] > spec.depth:
        raise DataError(f"--layers {text!r} cannot be: the layers of {spec.title} are 1 to {spec.depth}.")
    return layers
