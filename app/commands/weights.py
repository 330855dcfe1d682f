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
    from models.status import PresetStatus
    from models.weights import WeightsLocation


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("action", nargs="?", choices=("list", "fetch", "import"), default="list", help="default: list")
    parser.add_argument("file", nargs="?", type=Path, help="with import: a checkpoint (.pth) of VisualAD's authors")
    parser.add_argument(
        "--final-norm",
        choices=("checkpoint", "pretrained"),
        default="checkpoint",
        help="with import: the LayerNorm that was trained (default), or the backbone's own",
    )
    parser.add_argument(
        "--replace",
        action="store_true",
        help="with import: take the place of the head that the preset has (default: refuse)",
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
        return _import(args.file, where, args.final_norm, replace=args.replace)
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
    from models.status import preset_status

    for chosen in [get_preset(preset)] if preset else PRESETS.values():
        status = preset_status(chosen, where)
        print(json.dumps(asdict(status)) if as_json else describe(status))
    return 0


def _import(file: Path, where: WeightsLocation, final_norm: FinalNorm, *, replace: bool) -> int:
    from models.authors_checkpoint import import_checkpoint
    from models.status import preset_status

    preset, path = import_checkpoint(file, where, final_norm, replace=replace)
    print(f"{path} ({path.stat().st_size / 1e6:.1f} MB) is now the head of this preset; it carries no threshold.")
    print(describe(preset_status(preset, where)))
    return 0


def _fetch(preset: str, where: WeightsLocation) -> int:
    from models.text_registry import get_text_spec
    from models.text_weights import fetch_text
    from models.weights import fetch_backbone

    def report(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    start_s, chosen = time.monotonic(), get_preset(preset)
    path = fetch_backbone(chosen, where, report=report)
    print(f"The weights are at {path} ({path.stat().st_size / 1e6:.1f} MB, {time.monotonic() - start_s:.1f} s).")
    if chosen.text is not None and get_text_spec(chosen.text).files is not None:
        files, source = fetch_text(get_text_spec(chosen.text), where, report)
        print(f"The text weights are at {files.model}, from {source}.")
    return 0
