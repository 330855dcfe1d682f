"""`python -m app train`: train a head on the project's synthetic world."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

from app.commands.options import not_negative, positive
from app.config import AppConfig
from models.errors import DataError
from models.registry import DEFAULT_PRESET, Preset, get_backbone_spec, get_preset

if TYPE_CHECKING:
    from models.training.loop import Stage


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; the defaults are those of the shipped head."""
    parser.add_argument("--preset", default=DEFAULT_PRESET, help="whose backbone and layers (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="the head to write, NAME.safetensors")
    parser.add_argument(
        "--stages",
        default="252x1150x8,392x300x8f",
        help="image side x steps x batch size, comma-separated; f: tokens frozen (default: %(default)s)",
    )
    parser.add_argument("--layers", help="comma-separated, counted from 1 (default: the preset's)")
    parser.add_argument("--photographs", type=Path, help="folder made by `python -m app data fetch`")
    parser.add_argument("--token-rate", type=float, default=1e-3, help="learning rate of the tokens")
    parser.add_argument("--module-rate", type=float, default=1e-3, help="learning rate of everything else")
    parser.add_argument("--average-decay", type=float, default=0.995, help="of the weights' moving average; 0: none")
    parser.add_argument("--bf16", action="store_true", help="run the forward pass in bfloat16")
    parser.add_argument("--seed", type=not_negative, default=0, help="of weights and pictures (default: %(default)s)")
    parser.add_argument("--workers", type=not_negative, default=1, help="processes that make pictures; 0: this one")
    parser.add_argument("--threads", type=positive, help="threads of torch (default: torch's choice)")


def run(args: argparse.Namespace) -> int:
    """Train, showing progress; a second call with the same options goes on where the first was stopped."""
    from tqdm import tqdm

    from app.services.training import TrainingRun, train
    from models.data.sources import list_photographs
    from models.training.loop import Optimisation

    preset = get_preset(args.preset)
    layers = parse_layers(args.layers, preset) if args.layers else preset.layers
    settings = TrainingRun(
        preset=args.preset,
        stages=tuple(parse_stage(text, preset) for text in args.stages.split(",")),
        optimisation=Optimisation(
            token_rate=args.token_rate,
            module_rate=args.module_rate,
            average_decay=args.average_decay,
            bfloat16=args.bf16,
        ),
        layers=layers,
        seed=args.seed,
        photographs=tuple(list_photographs(args.photographs)) if args.photographs else (),
        workers=args.workers,
    )
    total = sum(stage.steps for stage in settings.stages)
    where = AppConfig.from_environment().location()
    with tqdm(total=total, unit="step", desc="train") as bar:
        for report in train(settings, where, args.out, threads=args.threads):
            bar.update(report.step - bar.n)
            bar.set_postfix({name: f"{value:.3f}" for name, value in report.losses.items()})
    print(f"wrote {args.out}")
    return 0


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
