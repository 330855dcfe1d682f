"""`python -m app evaluate`: measure a preset on the solar cells, on held-out synthetic pictures, or on a folder."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.commands.options import (
    add_engine_options,
    add_tile_options,
    config_from,
    not_negative,
    parse_layers,
    positive,
    tile_from,
)
from app.commands.sheet_options import add_sheet_options, measure_folder
from app.config import resolve_device
from models.config import InspectionConfig
from models.errors import DataError, ExpectedError
from models.registry import DEFAULT_PRESET, get_preset

if TYPE_CHECKING:
    from app.services.reports import Engine, Report, Track


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the data sets and their options."""
    data = parser.add_subparsers(dest="data", required=True, metavar="DATA")
    elpv = data.add_parser("elpv", help="solar cells, defect probability 0 against 1 (package elpv-dataset)")
    _add_common(elpv)
    elpv.add_argument("--types", default="mono,poly", help="cell types, comma-separated (default: %(default)s)")
    elpv.add_argument("--limit", type=positive, metavar="N", help="at most N cells of each type and label")
    elpv.add_argument("--references", type=positive, default=0, metavar="K", help="add the nearest patch of K normals")
    elpv.add_argument("--seeds", type=positive, default=3, help="draws of references (default: %(default)s)")
    elpv.add_argument("--no-head", action="store_true", help="only the nearest patch; needs --references")
    synthetic = data.add_parser("synthetic", help="held-out synthetic pictures, made on the fly")
    _add_common(synthetic)
    synthetic.add_argument("--count", type=positive, default=200, help="pictures (default: %(default)s)")
    synthetic.add_argument("--seed", type=not_negative, default=0, help="of the first picture (default: %(default)s)")
    folder = data.add_parser("folder", help="a data set on disk: MVTec folders, meta.json, VisA and others")
    folder.add_argument("folder", type=Path, metavar="DIR")
    folder.add_argument("--layout", default="auto", help="how the folder is laid out (default: found out)")
    folder.add_argument("--classes", metavar="A,B", help="only these classes")
    add_tile_options(folder)
    add_sheet_options(folder)
    _add_common(folder)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--preset", default=DEFAULT_PRESET, help="default: %(default)s")
    parser.add_argument("--checkpoint", type=Path, metavar="PATH", help="a head instead of the shipped one")
    parser.add_argument("--backbone-weights", type=Path, metavar="PATH", help="a backbone file")
    parser.add_argument("--image-size", type=positive, metavar="PX", help="side of the model's input")
    parser.add_argument("--layers", help="comma-separated, counted from 1 (default: the preset's)")
    parser.add_argument("--top-k", type=float, help="share of pixels in the score (default: the preset's)")
    parser.add_argument("--alpha", type=float, help="share of the refined maps, of DA-CLIP (default: the preset's)")
    parser.add_argument("--top-patches", type=positive, metavar="K", help="patches in the score, of DA-CLIP")
    parser.add_argument("--sigma", type=float, help="smoothing in pixels (default: the preset's)")
    parser.add_argument("--threads", type=positive, help="threads of torch (default: torch's choice)")
    parser.add_argument("--save-maps", type=Path, metavar="DIR", help="keep the layer maps, as DIR/DATA.npz")
    parser.add_argument(
        "--from-maps",
        type=Path,
        metavar="FILE",
        help="use all kept layer maps instead of the model, with other --layers, --top-k or --sigma",
    )
    parser.add_argument(
        "--features",
        type=Path,
        metavar="DIR",
        help="keep DA-CLIP's visual features here, for other heads of its towers",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the result to a .json, .csv or .md file too")
    add_engine_options(parser)


def run(args: argparse.Namespace) -> int:
    """Measure, showing progress on stderr, and print the result."""
    from tqdm import tqdm

    from app.commands.report_table import as_csv, as_markdown, as_table
    from app.services.reports import local_engine, use_threads

    config = config_from(args)
    if args.threads is not None:
        use_threads(args.threads)
    where = config.location(backbone_path=args.backbone_weights, head_path=args.checkpoint)
    engine = local_engine(where, resolve_device(config.device))
    if args.features is not None:
        from app.services.cached_features import keeping_features

        engine = keeping_features(engine, args.features)
    report = _evaluate(args, engine, partial(tqdm, file=sys.stderr))
    text = json.dumps(asdict(report), indent=1)
    if args.out is not None:
        writers = {".csv": as_csv, ".md": as_markdown}
        _write(args.out, writers[args.out.suffix](report) if args.out.suffix in writers else text + "\n")
    print(text if args.json else as_table(report))
    return 0


def _evaluate(args: argparse.Namespace, engine: Engine, track: Track) -> Report:
    common: dict[str, Any] = {
        "preset": args.preset,
        "image_size": args.image_size,
        "settings": settings_from(args),
        "save_maps": args.save_maps,
        "from_maps": args.from_maps,
    }
    if args.data == "synthetic":
        from app.services.synthetic_report import SyntheticRequest, evaluate_synthetic

        return evaluate_synthetic(SyntheticRequest(**common, count=args.count, seed=args.seed), engine, track)
    if args.data == "folder":
        from app.services.dataset_report import FolderRequest

        if args.save_maps is not None or args.from_maps is not None:
            raise ExpectedError("Layer maps of a folder are not kept; leave --save-maps and --from-maps out.")
        classes = None if args.classes is None else tuple(args.classes.split(","))
        common["settings"] = replace(common["settings"], tile=tile_from(args))
        asked = FolderRequest(
            **common, folder=args.folder, layout=args.layout, class_names=classes, head_path=_head_of(args)
        )
        return measure_folder(args, asked, engine, track)
    from app.services.elpv_report import ElpvRequest, evaluate_elpv

    request = ElpvRequest(
        **common,
        cell_types=tuple(dict.fromkeys(args.types.split(","))),
        limit=args.limit,
        head=not args.no_head,
        references=args.references,
        seeds=args.seeds,
    )
    return evaluate_elpv(request, engine, track)


def _head_of(args: argparse.Namespace) -> Path | None:
    """The file of the head that is measured; None where nothing is trained."""
    from models.weights import head_path

    preset = get_preset(args.preset)
    return head_path(preset, config_from(args).location(head_path=args.checkpoint)) if preset.needs_head else None


def settings_from(args: argparse.Namespace) -> InspectionConfig:
    """Take layers, top-k and smoothing from the options, and what is missing from the preset.

    Raises:
        UnknownModelError: there is no such preset.
        ExpectedError: a value means nothing.
    """
    preset = get_preset(args.preset)
    try:
        return InspectionConfig(
            layers=parse_layers(args.layers),
            top_k=preset.top_k if args.top_k is None else args.top_k,
            blur_sigma=preset.blur_sigma if args.sigma is None else args.sigma,
            alpha=args.alpha,
            top_patches=args.top_patches,
        )
    except ValueError as error:
        raise ExpectedError(f"A setting does not fit: {error}; correct it.") from error


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error.strerror}); choose another file.") from error
