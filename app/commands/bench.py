"""`python -m app bench`: what the method adds to its bare backbone on this machine, and what a slider change costs."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from app.commands.options import add_engine_options, config_from, positive
from app.config import resolve_device
from models.registry import DEFAULT_PRESET

if TYPE_CHECKING:
    from app.services.bench import BenchReport, Spread


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--preset", default=DEFAULT_PRESET, help="default: %(default)s")
    parser.add_argument("--checkpoint", type=Path, metavar="PATH", help="a head instead of the shipped one")
    parser.add_argument("--backbone-weights", type=Path, metavar="PATH", help="a backbone file")
    parser.add_argument("--image-size", type=positive, metavar="PX", help="side of the model's input")
    parser.add_argument("--threads", type=positive, help="threads of torch (default: torch's choice)")
    parser.add_argument("--repeats", type=positive, default=9, help="pairs that are timed (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of sentences")
    add_engine_options(parser)


def run(args: argparse.Namespace) -> int:
    """Measure, showing progress on stderr, and print the result."""
    from tqdm import tqdm

    from app.services.bench import BenchRequest, run_bench

    config = config_from(args)
    where = config.location(backbone_path=args.backbone_weights, head_path=args.checkpoint)
    request = BenchRequest(preset=args.preset, image_size=args.image_size, threads=args.threads, repeats=args.repeats)
    report = run_bench(request, where, resolve_device(config.device), track=partial(tqdm, file=sys.stderr))
    print(json.dumps(asdict(report), indent=1) if args.json else as_text(report))
    return 0


def as_text(report: BenchReport) -> str:
    """Say the measurements in sentences: median, then lowest..highest."""
    added = 100 * (report.ratio.median - 1)
    lines = [
        f"{report.preset} at {report.image_size} px on {report.device}, {report.threads} threads, "
        f"{report.repeats} alternating pairs",
        f"model load      {report.load_s:.2f} s, torch's import included",
        f"bare backbone   {_milliseconds(report.backbone_s)}",
        f"whole method    {_milliseconds(report.method_s)}",
        f"ratio           {_ratio(report.ratio)}, in processor time {_ratio(report.cpu_ratio)}",
        f"The method adds {added:.1f} % to its backbone.",
    ]
    for slider in report.sliders:
        width, height = slider.size_wh
        lines.append(
            f"slider change at {width} x {height}: {_milliseconds(slider.inspect_s)}, "
            f"and the overlay {_milliseconds(slider.overlay_s)}"
        )
    return "\n".join(lines)


def _ratio(spread: Spread) -> str:
    return f"{spread.median:.3f} ({spread.lowest:.3f}..{spread.highest:.3f})"


def _milliseconds(spread: Spread) -> str:
    return f"{1000 * spread.median:.0f} ms ({1000 * spread.lowest:.0f}..{1000 * spread.highest:.0f})"
