"""`python -m app train --preset daclip-...`: train a head of DA-CLIP; options, the run, and its progress."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.commands.options import config_from, positive
from app.config import resolve_device
from models.errors import DataError

if TYPE_CHECKING:
    from app.services.daclip_pictures import OnCached
    from app.services.daclip_training import DAClipRun
    from app.services.training import Conduct

METHOD: Final = "DA-CLIP"
OPTIONS: Final = (  # those that mean nothing for other methods
    *("joint", "no_dar", "no_residual", "refine_normal", "adapter"),
    *("adapter_rate", "dar_rate", "loss_px", "pictures", "cache"),
)
_EPOCHS: Final = 15


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare what a DA-CLIP head alone needs to know."""
    group = parser.add_argument_group("with a preset of DA-CLIP (--data, --classes, --epochs and --photographs too)")
    group.add_argument("--pictures", type=positive, default=2000, help="synthetic ones without --data (%(default)s)")
    group.add_argument("--cache", type=Path, metavar="DIR", help="folder of visual features (default: beside --out)")
    group.add_argument("--adapter-rate", type=float, default=5e-4, help="adapters and projections (%(default)s)")
    group.add_argument("--dar-rate", type=float, default=1e-4, help="learning rate of DAR (%(default)s)")
    group.add_argument("--loss-px", type=positive, metavar="PX", help="side of compared maps (default: the input's)")
    group.add_argument("--adapter", choices=("rein", "simple"), default="rein", help="form of the token adapters")
    group.add_argument("--no-residual", action="store_true", help="token adapters without their residual connection")
    group.add_argument("--joint", action="store_true", help="one text branch for both spaces")
    group.add_argument("--no-dar", action="store_true", help="no refinement of the anomalous text")
    group.add_argument("--refine-normal", action="store_true", help="refine the normal text too")


def run(args: argparse.Namespace) -> int:
    """Cache features, train, write the head; a second call with the same options goes on where the first stopped."""
    from tqdm import tqdm

    from app.services.daclip_pictures import step_count
    from app.services.daclip_training import train_daclip
    from models.registry import get_preset
    from models.text_loading import load_towers

    settings = run_from(args)
    towers, source = load_towers(
        get_preset(args.preset), config_from(args).location(backbone_path=args.backbone_weights)
    )
    print(f"towers: {source}", file=sys.stderr)
    conduct = conduct_from(args)
    with showing_cache() as on_cached, tqdm(total=step_count(settings), unit="step", desc="train") as bar:
        for report in train_daclip(settings, towers, args.out, conduct, on_cached=on_cached):
            bar.update(report.step - bar.n)
            bar.set_postfix({name: f"{value:.3f}" for name, value in report.losses.items()})
    print(f"wrote {args.out}")
    return 0


def run_from(args: argparse.Namespace) -> DAClipRun:
    """The run that the options ask for.

    Raises:
        DataError: an option means nothing here, or the data cannot be trained on.
    """
    from app.commands import train as visualad
    from app.services.daclip_training import DAClipRun
    from models.data.datasets import read_dataset
    from models.data.sources import list_photographs
    from models.methods.daclip import DAClipConfig
    from models.registry import get_preset
    from models.training.daclip_loop import DAClipOptimisation

    preset = get_preset(args.preset)
    visualad.refuse_options(args, visualad.OPTIONS, visualad.METHOD)
    data = None
    if args.data is not None:
        classes = None if args.classes is None else args.classes.split(",")
        data = read_dataset(args.data, args.layout).of(class_names=classes)
    try:
        optimisation = DAClipOptimisation(
            adapter_rate=args.adapter_rate,
            dar_rate=args.dar_rate,
            average_decay=args.average_decay or 0.0,
            loss_px=args.loss_px,
        )
    except ValueError as error:
        raise DataError(f"The training cannot be done as asked: {error}.") from error
    return DAClipRun(
        preset=args.preset,
        method=DAClipConfig(
            layers=visualad.layers_of(args, preset),
            adapter=args.adapter,
            residual=not args.no_residual,
            decoupled=not args.joint,
            dar=not args.no_dar,
            refine_normal=args.refine_normal,
        ),
        image_px=image_px_of(args),
        optimisation=optimisation,
        cache=args.cache or args.out.with_name(f"{args.out.stem}.features"),
        pictures=args.pictures,
        epochs=args.epochs or _EPOCHS,
        batch_size=args.batch_size,
        seed=args.seed,
        photographs=tuple(list_photographs(args.photographs)) if args.photographs else (),
        data=data,
    )


def image_px_of(args: argparse.Namespace) -> int:
    """Side of the input.

    Raises:
        DataError: it is no multiple of the patches' side.
    """
    from models.registry import get_backbone_spec, get_preset

    preset = get_preset(args.preset)
    side: int = args.image_size or preset.image_size
    patch_px = get_backbone_spec(preset.backbone).patch_px
    if side % patch_px:
        raise DataError(f"--image-size {side} cannot be: the side must be a multiple of {patch_px}.")
    return side


def conduct_from(args: argparse.Namespace) -> Conduct:
    """How the options want the run carried out."""
    from app.services.training import Conduct

    if args.watch:
        raise DataError("A DA-CLIP run cannot be watched; leave --watch out and evaluate the head afterwards.")
    return Conduct(device=resolve_device(config_from(args).device), threads=args.threads, tensorboard=args.tensorboard)


@contextmanager
def showing_cache() -> Iterator[OnCached]:
    """A bar that shows how many pictures have their features."""
    from tqdm import tqdm

    with tqdm(unit="picture", desc="features", leave=False) as bar:

        def told(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield told
