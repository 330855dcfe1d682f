"""`python -m app bench`: what the method adds to its bare backbone on this machine, and what a slider change costs.

`python -m app bench workbench`: how long a person waits in the tab Correct.
`python -m app bench references`: what reference pictures add on solar cells, and what they cost.
`python -m app bench teach`: what corrections bring, on solar cells and on synthetic products.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from app.commands.bench_references import add_reference_bench_options, run_references
from app.commands.bench_teach import add_teach_bench_options, run_teach
from app.commands.options import add_engine_options, config_from, positive
from app.config import resolve_device
from models.registry import DEFAULT_PRESET

if TYPE_CHECKING:
    from app.commands.workbench_times import WorkbenchReport
    from app.services.bench import BenchReport, Spread

_INSPECTION, _WORKBENCH, _REFERENCES, _TEACH = "inspection", "workbench", "references", "teach"
_SMALLEST_MP, _LARGEST_MP = 0.01, 100  # more than that no picture may have


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "what",
        nargs="?",
        choices=(_INSPECTION, _WORKBENCH, _REFERENCES, _TEACH),
        default=_INSPECTION,
        help="default: %(default)s",
    )
    parser.add_argument("--checkpoint", type=Path, metavar="PATH", help="a head instead of the shipped one")
    parser.add_argument("--backbone-weights", type=Path, metavar="PATH", help="a backbone file")
    parser.add_argument("--repeats", type=positive, default=9, help="how often each is timed (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of sentences")
    add_engine_options(parser)
    inspection = parser.add_argument_group("inspection and references")
    inspection.add_argument("--preset", default=DEFAULT_PRESET, help="default: %(default)s")
    inspection.add_argument("--image-size", type=positive, metavar="PX", help="side of the model's input")
    inspection.add_argument("--threads", type=positive, help="threads of torch (default: torch's choice)")
    workbench = parser.add_argument_group("workbench only; needs playwright and a Chromium")
    workbench.add_argument(
        "--megapixels", type=_sizes, default=(4.0, 24.0), metavar="N[,N...]", help="sizes of pictures (default: 4,24)"
    )
    workbench.add_argument(
        "--device-pixel-ratio",
        type=_ratio_option,
        default=1.0,
        metavar="N",
        help="pixels of the screen per CSS pixel, from 0.5 to 4 (default: %(default)s)",
    )
    add_reference_bench_options(parser)
    add_teach_bench_options(parser)


def run(args: argparse.Namespace) -> int:
    """Measure, showing progress on stderr, and print the result.

    Raises:
        ExpectedError: weights are missing, or, for the workbench, playwright or Chromium.
    """
    runs = {
        _WORKBENCH: _run_workbench,
        _REFERENCES: run_references,
        _TEACH: run_teach,
        _INSPECTION: _run_inspection,
    }
    return runs[args.what](args)


def _run_inspection(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from app.services.bench import BenchRequest, run_bench

    config = config_from(args)
    where = config.location(backbone_path=args.backbone_weights, head_path=args.checkpoint)
    request = BenchRequest(preset=args.preset, image_size=args.image_size, threads=args.threads, repeats=args.repeats)
    report = run_bench(request, where, resolve_device(config.device), track=partial(tqdm, file=sys.stderr))
    print(json.dumps(asdict(report), indent=1) if args.json else as_text(report))
    return 0


def _run_workbench(args: argparse.Namespace) -> int:
    from app.commands.workbench_times import time_workbench
    from app.ui.engine import Engine

    config = config_from(args)
    engine = Engine(config.location(backbone_path=args.backbone_weights, head_path=args.checkpoint), config.device)
    ratio, repeats = args.device_pixel_ratio, args.repeats
    reports = []
    for megapixels in args.megapixels:
        print(f"timing the workbench at {megapixels:g} megapixels ...", file=sys.stderr)
        reports.append(time_workbench(engine, megapixels, device_pixel_ratio=ratio, repeats=repeats))
    if args.json:
        print(json.dumps([asdict(report) for report in reports], indent=1))
    else:
        print("\n\n".join(map(workbench_text, reports)))
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
    if report.words_s is not None:
        lines.append(f"encoding words  {_milliseconds(report.words_s)}, once for all pictures")
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


def workbench_text(report: WorkbenchReport) -> str:
    """Say the waiting times in a table: median and worst of so many."""
    width, height = report.size_wh
    column = max(len(time.title) for time in report.times)
    lines = [
        f"{width} x {height} px, device pixel ratio {report.device_pixel_ratio:g}, {report.browser}; "
        f"proposals: {report.engine}",
        f"{'':<{column}}  {'median':>9}  {'worst':>9}  {'times':>5}",
    ]
    for time in report.times:
        median, worst = (f"{1000 * value:.1f} ms" for value in (time.seconds.median, time.seconds.highest))
        lines.append(f"{time.title:<{column}}  {median:>9}  {worst:>9}  {time.count:>5}")
    return "\n".join(lines)


def _sizes(text: str) -> tuple[float, ...]:
    """Read "4,24" as sizes in megapixels, for argparse."""
    sizes = tuple(float(part) for part in text.split(","))
    if not all(_SMALLEST_MP <= size <= _LARGEST_MP for size in sizes):
        raise argparse.ArgumentTypeError(f"must be from {_SMALLEST_MP:g} to {_LARGEST_MP:g} megapixels, got {text}")
    return sizes


def _ratio_option(text: str) -> float:
    ratio = float(text)
    if not 0.5 <= ratio <= 4:
        raise argparse.ArgumentTypeError(f"must be from 0.5 to 4, got {text}")
    return ratio
