"""`python -m app weights`: what there is, where it is from, how to get the rest.

`weights fetch` gets a backbone; `weights import FILE` takes a checkpoint of VisualAD's authors.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from app.commands.options import add_engine_options, config_from
from models.errors import ExpectedError
from models.registry import DEFAULT_PRESET, PRESETS, get_preset

if TYPE_CHECKING:
    from models.authors_checkpoint import FinalNorm
    from models.weights import PresetStatus, WeightsLocation


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("action", nargs="?", choices=("list", "fetch", "import"), default="list", help="default: list")
    parser.add_argument("file", nargs="?", type=Path, help="with import: a checkpoint (.pth) of VisualAD's authors")
    parser.add_argument(
        "--final-norm",
        choices=("checkpoint", "pretrained"),
        default="checkpoint",
        help="with import: the LayerNorm that was trained (default), or the backbone's own, as the authors' test does",
    )
    parser.add_argument("--preset", help=f"with fetch: whose backbone (default: {DEFAULT_PRESET}); else: only this one")
    parser.add_argument("--json", action="store_true", help="with list: one JSON line per preset")
    add_engine_options(parser)


def run(args: argparse.Namespace) -> int:
    """List the presets, put one's backbone into the weights folder, or give one a head.

    Raises:
        ExpectedError: a file was given without being asked for, or the reverse.
        WeightsError: the weights cannot be had; the sentence says how to get them.
        UnknownModelError: there is no such preset.
    """
    where = config_from(args).location()
    if (args.file is not None) != (args.action == "import"):
        raise ExpectedError("`weights import` takes one file, the other actions none; see `weights --help`.")
    if args.action == "import":
        return _import(args.file, where, args.final_norm)
    if args.action == "fetch":
        return _fetch(args.preset or DEFAULT_PRESET, where)
    return _list(args.preset, where, as_json=args.json)


def describe(status: PresetStatus) -> str:
    """A preset in a few lines for people."""
    lines = [f"{status.preset}: {'ready' if status.ready else 'not ready'}"]
    lines += [f"backbone  {status.backbone_source}", f"head      {status.head_source}"]
    if status.size_bytes:
        lines.append(f"size      {status.size_bytes / 1e6:,.1f} MB on disk")
    lines.append(f"licence   {status.licence}")
    if status.how_to_get:
        lines.append(f"to get it {status.how_to_get}")
    return "\n  ".join(lines)


def _list(preset: str | None, where: WeightsLocation, *, as_json: bool) -> int:
    from models.weights import preset_status

    for chosen in [get_preset(preset)] if preset else PRESETS.values():
        status = preset_status(chosen, where)
        print(json.dumps(asdict(status)) if as_json else describe(status))
    return 0


def _import(file: Path, where: WeightsLocation, final_norm: FinalNorm) -> int:
    from models.authors_checkpoint import import_checkpoint
    from models.weights import preset_status

    preset, path = import_checkpoint(file, where, final_norm)
    print(f"{path} ({path.stat().st_size / 1e6:.1f} MB) is now the head of this preset; it carries no threshold.")
    print(describe(preset_status(preset, where)))
    return 0


def _fetch(preset: str, where: WeightsLocation) -> int:
    from models.weights import fetch_backbone

    start_s = time.monotonic()
    path = fetch_backbone(get_preset(preset), where, report=lambda text: print(text, file=sys.stderr, flush=True))
    print(f"The weights are at {path} ({path.stat().st_size / 1e6:.1f} MB, {time.monotonic() - start_s:.1f} s).")
    return 0
