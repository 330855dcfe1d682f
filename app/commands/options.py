"""Options that several commands share, and the settings that they change."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from app.config import DEVICES, AppConfig
from models.errors import ExpectedError


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Declare --device, --weights-dir and --allow-hub."""
    parser.add_argument("--device", choices=DEVICES, help="what computes (default: the fastest there is)")
    parser.add_argument("--weights-dir", type=Path, metavar="DIR", help="folder of the weights (default: weights)")
    parser.add_argument(
        "--allow-hub",
        action=argparse.BooleanOptionalAction,
        help="whether weights may be fetched from the Hugging Face hub (default: no)",
    )


def add_tile_options(parser: argparse.ArgumentParser) -> None:
    """Declare --tile and --tile-px."""
    parser.add_argument(
        "--tile",
        action="store_true",
        help="look at overlapping tiles too, for large or long pictures; thresholds stay those of whole pictures",
    )
    parser.add_argument(
        "--tile-px",
        type=positive,
        metavar="PX",
        help="--tile with tiles of this side in the picture's pixels (default: the model's input size)",
    )


def tile_from(args: argparse.Namespace) -> int | None:
    """The tile of InspectionConfig that the options ask for."""
    given: int | None = args.tile_px
    return 0 if args.tile and given is None else given


def positive(text: str) -> int:
    """Read a whole number of 1 or more, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, got {number}")
    return number


def not_negative(text: str) -> int:
    """Read a whole number of 0 or more, for argparse."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"must be 0 or more, got {number}")
    return number


def config_from(args: argparse.Namespace) -> AppConfig:
    """The environment's settings with the options of `add_engine_options` over them.

    Raises:
        ExpectedError: the environment holds a setting that means nothing.
    """
    given = {name: getattr(args, name) for name in ("device", "weights_dir", "allow_hub")}
    return replace(AppConfig.from_environment(), **{name: value for name, value in given.items() if value is not None})


def parse_layers(text: str | None) -> tuple[int, ...] | None:
    """Read "6,9,12" as layers counted from 1; None stays None.

    Raises:
        ExpectedError: it is not a list of whole numbers.
    """
    if text is None:
        return None
    try:
        return tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError as error:
        raise ExpectedError(
            f"--layers is {text!r}; write layer numbers with commas between, such as 6,9,12."
        ) from error
