"""`python -m app inspect`: one line per picture on stdout, everything else on stderr."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.commands.options import add_engine_options, add_tile_options, config_from, parse_layers, tile_from
from app.commands.prompt_options import OWN_WORDS, add_prompt_options, prompt_settings
from app.commands.reference_options import (
    add_reference_options,
    mutual_records,
    reference_settings,
    references_from,
)
from models.errors import ExpectedError
from models.registry import DEFAULT_PRESET, get_preset

if TYPE_CHECKING:
    from app.services.inspection import Inspection
    from app.services.inspector import Inspector
    from app.services.references import References
    from app.services.results import JsonValue
    from models.config import InspectionConfig

    Record = dict[str, JsonValue]

_PATH_COLUMNS: Final = 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    from models.data.pictures import MAX_PIXELS

    parser.add_argument("paths", nargs="*", type=Path, metavar="FILE|DIR", help="pictures, or folders of them")
    parser.add_argument("--preset", default=DEFAULT_PRESET, help="method and backbone (default: %(default)s)")
    parser.add_argument("--checkpoint", type=Path, metavar="PATH", help="a head to use instead of the shipped one")
    parser.add_argument(
        "--workspace",
        type=Path,
        metavar="DIR",
        help="use the versions that are active in this workspace (default: ODDITY_WORKSPACE, else workspace)",
    )
    parser.add_argument("--shipped", action="store_true", help="use the shipped head whatever version is active")
    parser.add_argument("--backbone-weights", type=Path, metavar="PATH", help="a backbone file that goes first")
    parser.add_argument("--layers", metavar="6,9,12", help="layers to use, counted from 1 (default: the preset's)")
    parser.add_argument("--top-k", type=float, help="share of pixels that the score averages (default: the preset's)")
    parser.add_argument("--sigma", type=float, help="smoothing in pixels at the model's size (default: the preset's)")
    parser.add_argument("--threshold", type=float, help="where anomalous begins (default: calibrated)")
    parser.add_argument("--max-pixels", type=int, default=MAX_PIXELS, help="refuse larger pictures (%(default)s)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write maps, mask and overlay of every picture here")
    parser.add_argument("--json", action="store_true", help="print one JSON line per picture")
    add_tile_options(parser)
    add_prompt_options(parser)
    add_reference_options(parser)
    add_engine_options(parser)


def run(args: argparse.Namespace) -> int:
    """Inspect every picture; returns 1 when one or more could not be inspected, else 0.

    Raises:
        ExpectedError: nothing can be inspected at all: bad options, no weights, no pictures.
    """
    from tqdm import tqdm

    from app.services.tiled import TILED_THRESHOLDS

    settings = settings_from(args)
    paths = _pictures(args.paths if args.mutual is None else [args.mutual])
    names = result_names(paths)
    if args.mutual is None:
        inspector = _open_inspector(args, settings)
        references = references_from(args, inspector)
        records: Iterator[Record] = (
            _inspected(inspector, path, name, args, settings, references)
            for path, name in zip(paths, names, strict=True)
        )
    else:
        records = mutual_records(args, paths, names, settings)
    table = Table(paths)
    if not args.json:
        print(table.header())
    if settings.tile is not None:
        print(f"Note: {TILED_THRESHOLDS}.", file=sys.stderr)
    if settings.prompts is not None:
        print(f"Note: {OWN_WORDS}.", file=sys.stderr)
    failed = 0
    for record in tqdm(records, total=len(paths), unit="picture", disable=None):
        failed += "error" in record
        tqdm.write(json.dumps(record) if args.json else table.row(record), file=sys.stdout)
    return 1 if failed else 0


def settings_from(args: argparse.Namespace) -> InspectionConfig:
    """The settings that the options ask for, over those of the preset.

    Raises:
        ExpectedError: a number is out of its range.
        UnknownModelError: there is no such preset.
    """
    from models.config import InspectionConfig

    preset = get_preset(args.preset)
    top_k = preset.top_k if args.top_k is None else args.top_k
    blur_sigma = preset.blur_sigma if args.sigma is None else args.sigma
    if not 0 < top_k <= 1:
        raise ExpectedError(f"--top-k is {top_k:g}; give a share of the pixels above 0 and up to 1, such as 0.01.")
    if not 0 <= blur_sigma < preset.image_size:
        raise ExpectedError(f"--sigma is {blur_sigma:g}; give 0 for no smoothing or a few pixels, such as 4.")
    if args.threshold is not None and not math.isfinite(args.threshold):
        raise ExpectedError(f"--threshold is {args.threshold}; give a finite number, in units of the map.")
    if args.max_pixels < 1:
        raise ExpectedError(f"--max-pixels is {args.max_pixels}; give 1 or more.")
    layers = parse_layers(args.layers)
    return InspectionConfig(
        layers=layers,
        top_k=top_k,
        blur_sigma=blur_sigma,
        threshold=args.threshold,
        tile=tile_from(args),
        **prompt_settings(args),
        **reference_settings(args),
    )


def result_names(paths: Sequence[Path]) -> list[str]:
    """A name for each picture's result files: its own without ending, with folder and ending where two are alike."""
    stems = Counter(path.stem.lower() for path in paths)  # lower: some file systems do not tell A from a
    taken: set[str] = set()
    names = []
    for path in paths:
        name = path.stem if stems[path.stem.lower()] == 1 else f"{path.resolve().parent.name}__{path.name}"
        free, count = name, 1
        while free.lower() in taken:
            count += 1
            free = f"{name}-{count}"
        taken.add(free.lower())
        names.append(free)
    return names


class Table:
    """Lines for people, as wide as the longest path."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._width = min(_PATH_COLUMNS, max(len(str(path)) for path in paths))

    def header(self) -> str:
        """The columns' names."""
        columns = f"{'score':>8}  {'threshold':>9}  {'verdict':<12}  {'size (w x h)':>13}  {'seconds':>7}"
        return f"{'picture':<{self._width}}  {columns}"

    def row(self, record: Record) -> str:
        """One picture, or what was wrong with it."""
        path = _printable(str(record["path"]))
        if "error" in record:
            return f"{path:<{self._width}}  error: {_printable(str(record['error']))}"
        begins = record.get("score_threshold", record["threshold"])
        threshold = "-" if begins is None else f"{begins:.4f}"
        size_hw = record["size_hw"]
        assert isinstance(size_hw, list)
        size = f"{size_hw[1]} x {size_hw[0]}"
        numbers = f"{record['image_score']:>8.4f}  {threshold:>9}  {record['verdict']:<12}  {size:>13}"
        return f"{path:<{self._width}}  {numbers}  {record['seconds']:>7.2f}"


def _printable(text: str) -> str:
    """Text that any terminal takes: a file's name may be no valid text."""
    return os.fsencode(text).decode(errors="replace")


def _pictures(given: Sequence[Path]) -> list[Path]:
    from models.data.pictures import SUFFIXES, list_pictures

    paths = list_pictures(given)
    if not paths:
        where = ", ".join(str(path) for path in given)
        endings = ", ".join(sorted(SUFFIXES))
        raise ExpectedError(f"There is no picture in {where}; give files, or folders with files that end in {endings}.")
    return paths


def _open_inspector(args: argparse.Namespace, settings: InspectionConfig) -> Inspector:
    """Load the model now: without it no picture can be inspected, and only it knows its layers."""
    from app.config import resolve_device
    from app.services.inspector import Inspector
    from app.store.folder import VERSIONS
    from app.store.versions import VersionShelf

    config = config_from(args)
    where = config.location(backbone_path=args.backbone_weights, head_path=args.checkpoint)
    inspector = Inspector(where, resolve_device(config.device), report=lambda text: print(text, file=sys.stderr))
    if not args.shipped:
        inspector.active = VersionShelf((args.workspace or config.workspace) / VERSIONS, read_only=True).active_path
    head = inspector.head(args.preset)
    if head is not None:
        print(
            f"Note: version {head.stem[:12]}, taught in {head.parent.parent}, is used; --shipped for the shipped head.",
            file=sys.stderr,
        )
    available = inspector.model(args.preset).layers
    unknown = sorted(set(settings.layers or ()) - set(available))
    if unknown:
        raise ExpectedError(
            f"{args.preset} has no layer {', '.join(map(str, unknown))}; "
            f"choose --layers from: {', '.join(map(str, available))}."
        )
    return inspector


def _inspected(
    inspector: Inspector,
    path: Path,
    name: str,
    args: argparse.Namespace,
    settings: InspectionConfig,
    references: References | None,
) -> Record:
    """The record of one picture, its files written; what is wrong with the picture is told in its record."""
    from app.services.results import json_record, write_result_files
    from models.data.pictures import load_picture

    try:
        picture = load_picture(path, max_pixels=args.max_pixels)
        inspection = inspector.inspect(picture, args.preset, settings, references)
    except ExpectedError as error:
        return {"path": str(path), "error": str(error)}
    if args.out is not None:
        try:
            write_result_files(inspection, args.out, name)
            if args.alignment:
                _write_alignment(inspector, inspection, args.out / f"{name}.alignment.png")
        except OSError as error:
            raise ExpectedError(f"{args.out} cannot be written to ({error}); choose another --out.") from error
    return {**json_record(inspection), "path": str(path)}


def _write_alignment(inspector: Inspector, inspection: Inspection, path: Path) -> None:
    from app.services.alignment import align, write_alignment_png

    write_alignment_png(align(inspector, inspection), inspection, path)
