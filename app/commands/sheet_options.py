"""`python -m app evaluate folder --sheet`: the qualitative figure beside the numbers."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from app.commands.options import config_from, positive
from app.config import resolve_device
from models.errors import ExpectedError
from models.registry import get_preset

if TYPE_CHECKING:
    from app.services.dataset_report import FolderRequest
    from app.services.qualitative_sheet import SheetModel
    from app.services.reports import Engine, Report, Track


def add_sheet_options(parser: argparse.ArgumentParser) -> None:
    """Declare --sheet and what belongs to it."""
    parser.add_argument(
        "--sheet", type=Path, metavar="FILE.png", help="draw input, ground truth and maps of each class"
    )
    parser.add_argument("--presets", metavar="A,B", help="with --sheet: rows for these presets or head files too")
    parser.add_argument("--columns", type=positive, default=8, help="of --sheet, in pictures (default: %(default)s)")
    parser.add_argument(
        "--worst", action="store_true", help="with --sheet: highest-scored normal and lowest-scored anomalous first"
    )


def measure_folder(args: argparse.Namespace, request: FolderRequest, engine: Engine, track: Track) -> Report:
    """Measure a folder, and draw the figure where it is asked for.

    Raises:
        ExpectedError: an option means nothing, or a model or a file cannot be used.
    """
    from app.services.dataset_report import evaluate_folder

    if args.sheet is None:
        if args.worst or args.presets:
            raise ExpectedError("--worst and --presets are about the figure; say where it goes with --sheet FILE.png.")
        return evaluate_folder(request, engine, track)
    from app.services.qualitative_sheet import SheetModel, write_sheets
    from app.services.sheet_choice import SheetChoice

    if args.sheet.suffix != ".png":
        raise ExpectedError(f"--sheet {args.sheet} is no PNG file; let its name end in .png.")
    engine = replace(engine, model=lru_cache(maxsize=1)(engine.model))  # its scale is asked for when all is measured
    measured = SheetModel(_title(args.preset, args.checkpoint), args.preset, partial(engine.model, args.preset))
    others = [_other(args, name) for name in (args.presets or "").split(",") if name]
    choice = SheetChoice(columns=args.columns, worst=args.worst)
    report = evaluate_folder(request, engine, track, choice.add)
    for file in write_sheets(choice, measured, others, request, args.sheet):
        print(f"drew {file}", file=sys.stderr)
    return report


def _other(args: argparse.Namespace, name: str) -> SheetModel:
    """A preset by its name, or a head file for the backbone of --preset."""
    from app.services.qualitative_sheet import SheetModel
    from app.services.reports import local_engine

    head = Path(name) if name.endswith(".safetensors") else None
    preset = args.preset if head else name
    config = config_from(args)
    title = _title(preset, head)
    where = config.location(backbone_path=args.backbone_weights if head else None, head_path=head)
    return SheetModel(title, preset, partial(local_engine(where, resolve_device(config.device)).model, preset))


def _title(preset: str, head: Path | None) -> str:
    return get_preset(preset).title if head is None else head.stem
