"""Options of `inspect` that show what normal looks like: references, and pictures that judge each other."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.commands.options import config_from, positive
from models.errors import ExpectedError
from models.presets import NEAREST_PATCH_PRESET, NEEDS_REFERENCES
from models.registry import DEFAULT_PRESET, get_preset

if TYPE_CHECKING:
    from app.services.inspector import Inspector
    from app.services.mutual import MutualResult
    from app.services.references import References
    from app.services.results import JsonValue
    from models.config import InspectionConfig


def add_reference_options(parser: argparse.ArgumentParser) -> None:
    """Declare --reference, --reference-weight, --rotations, --flips, --mutual and --compare-with."""
    group = parser.add_argument_group(
        "references", "Normal pictures of the same object, 1 to 32; map, score and threshold are then in units."
    )
    group.add_argument(
        "--reference", nargs="+", type=Path, metavar="FILE|DIR", help="normal pictures, or a folder of them"
    )
    group.add_argument(
        "--reference-weight",
        type=float,
        metavar="W",
        help="share of the reference map, 0 to 1 (default: by how the method does on the references)",
    )
    group.add_argument("--rotations", action="store_true", help="references turned by 90, 180 and 270 degrees too")
    group.add_argument("--flips", action="store_true", help="mirror images of the references too")
    group.add_argument(
        "--mutual", type=Path, metavar="DIR", help="no references: the pictures of DIR, mostly normal, judge each other"
    )
    group.add_argument(
        "--compare-with", type=positive, metavar="N", help="--mutual with at most N others each (default: 64)"
    )


def reference_settings(args: argparse.Namespace) -> dict[str, Any]:
    """The field of InspectionConfig that the options ask for: reference_weight.

    Raises:
        ExpectedError: an option is out of its range or has nothing to work on.
    """
    _check_mutual(args)
    if args.reference is None:
        given = {"--reference-weight": args.reference_weight, "--rotations": args.rotations, "--flips": args.flips}
        for name, value in given.items():
            if value is not None and value is not False:
                raise ExpectedError(f"{name} is about reference pictures; give some with --reference DIR.")
        if args.mutual is None and get_preset(args.preset).needs_references:
            method = get_preset(args.preset).method
            raise ExpectedError(f"{NEEDS_REFERENCES.format(method=method)[:-1]} (--reference DIR).")
    weight = args.reference_weight
    if weight is not None and not 0 <= weight <= 1:
        raise ExpectedError(f"--reference-weight is {weight:g}; give a share from 0 to 1, such as 0.5.")
    return {"reference_weight": weight}


def references_from(args: argparse.Namespace, inspector: Inspector) -> References | None:
    """Build what --reference names, telling on stderr what is doubtful about it; None without the option.

    Raises:
        DataError: there is no reference that can be read, or too many.
        WeightsError: the backbone's weights are missing.
    """
    if args.reference is None:
        return None
    from app.services.reference_reading import read_references
    from app.services.references import ReferenceOptions

    pictures, refused = read_references(args.reference, max_pixels=args.max_pixels)
    options = ReferenceOptions(rotations=args.rotations, flips=args.flips)
    references = inspector.references.build(pictures, options)
    for sentence in (*refused, *references.notes):
        print(f"Note: {sentence}", file=sys.stderr)
    return references


def mutual_records(
    args: argparse.Namespace, paths: Sequence[Path], names: Sequence[str], settings: InspectionConfig
) -> Iterator[dict[str, JsonValue]]:
    """Let the pictures of --mutual judge each other: a record of each, its files written; progress goes to stderr.

    Raises:
        DataError: fewer than three can be read.
        WeightsError: the backbone's weights are missing.
        ExpectedError: --out cannot be written to.
    """
    from app.services.results import json_record, write_result_files

    for name, result in zip(names, _each_other(args, paths, settings), strict=True):
        if result.inspection is None:
            yield {"path": str(result.path), "error": result.error}
            continue
        if args.out is not None:
            try:
                write_result_files(result.inspection, args.out, name)
            except OSError as error:
                raise ExpectedError(f"{args.out} cannot be written to ({error}); choose another --out.") from error
        yield {**json_record(result.inspection), "path": str(result.path)}


def _each_other(args: argparse.Namespace, paths: Sequence[Path], settings: InspectionConfig) -> Iterator[MutualResult]:
    from tqdm import tqdm

    from app.config import resolve_device
    from app.services.mutual import DEFAULT_OTHERS, MutualOptions, inspect_each_other
    from app.services.patch_tokens import load_describer

    config = config_from(args)
    where = config.location(backbone_path=args.backbone_weights)
    describer = load_describer(where, resolve_device(config.device), report=partial(print, file=sys.stderr))
    options = MutualOptions(compare_with=args.compare_with or DEFAULT_OTHERS)
    track = partial(tqdm, file=sys.stderr, disable=None)
    return inspect_each_other(paths, describer, settings, options, max_pixels=args.max_pixels, track=track)


def _check_mutual(args: argparse.Namespace) -> None:
    if args.mutual is None:
        if args.compare_with is not None:
            raise ExpectedError("--compare-with is about --mutual; give its folder with --mutual DIR.")
        if not args.paths:
            raise ExpectedError("There is nothing to inspect; give pictures, folders of them, or --mutual DIR.")
        return
    if args.paths or args.reference is not None:
        raise ExpectedError(
            "--mutual inspects the pictures of its own folder; leave other pictures and --reference out."
        )
    if args.preset not in (NEAREST_PATCH_PRESET, DEFAULT_PRESET):
        raise ExpectedError(f"--mutual compares patches; leave --preset {args.preset} out.")
