"""`python -m app bench references`: what references add on the solar cells, and what they cost in time."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from app.commands.options import config_from, not_negative, positive
from app.config import resolve_device
from models.errors import DataError, ExpectedError

if TYPE_CHECKING:
    from app.services.reference_bench import ReferenceBenchRequest, ReferenceRow
    from app.services.reference_speed import SpeedReport


def add_reference_bench_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `bench references`."""
    group = parser.add_argument_group("references and teach; solar cells need the package elpv-dataset")
    group.add_argument(
        "--shots", type=counts_of, default=(0, 1, 2, 4, 8, 16), metavar="0,1,2,4,8,16", help="references"
    )
    group.add_argument("--seeds", type=positive, default=3, help="draws of references (default: %(default)s)")
    group.add_argument("--cells", default="mono,poly", help="which types of cells (default: %(default)s)")
    group.add_argument("--limit", type=positive, metavar="N", help="at most N cells of each type and label")
    group.add_argument(
        "--mutual", type=not_negative, default=200, metavar="N", help="unlabelled cells that judge each other; 0 = none"
    )
    group.add_argument(
        "--cache", type=Path, default=Path("runs/reference-features"), metavar="DIR", help="default: %(default)s"
    )
    group.add_argument("--out", type=Path, metavar="FILE", help="write the Markdown table here too")
    group.add_argument("--speed", action="store_true", help="time a bank of 8 references and one distance instead")


def run_references(args: argparse.Namespace) -> int:
    """Measure, showing progress on stderr, and print Markdown, or JSON with --json.

    Raises:
        ExpectedError: the cells or weights are missing, or an option means nothing.
    """
    import json

    from tqdm import tqdm

    from app.services.patch_tokens import load_describer
    from app.services.reference_speed import SPEED_PX, time_references
    from app.services.reports import use_threads

    config = config_from(args)
    if args.threads is not None:
        use_threads(args.threads)
    where = config.location(backbone_path=args.backbone_weights, head_path=args.checkpoint)
    track = partial(tqdm, file=sys.stderr)
    if args.speed:
        side = args.image_size or SPEED_PX
        describer = load_describer(where, resolve_device(config.device), image_size=side)
        report = time_references(describer, args.repeats, track)
        print(json.dumps(asdict(report), indent=1) if args.json else speed_text(report))
        return 0
    rows = _rows(args)
    text = as_markdown(rows)
    if args.out is not None:
        write_report(args.out, text)
    print(json.dumps([asdict(row) for row in rows], indent=1) if args.json else text, end="\n" if args.json else "")
    return 0


def _rows(args: argparse.Namespace) -> list[ReferenceRow]:
    from tqdm import tqdm

    from app.services.patch_tokens import load_describer
    from app.services.picture_features import PictureFeatures
    from app.services.reference_bench import measure_mutual, measure_references, read_features
    from app.services.references import ReferenceBuilder
    from models.evaluation.elpv import find_elpv, limited, read_cells
    from models.loading import load_preset

    config, request = config_from(args), request_from(args)
    where = config.location(backbone_path=args.backbone_weights, head_path=args.checkpoint)
    device, track = resolve_device(config.device), partial(tqdm, file=sys.stderr)
    known = limited(read_cells(find_elpv(), request.cell_types), request.limit)
    describer = load_describer(where, device)
    features = PictureFeatures(args.cache, describer, load_preset(args.preset, where, device=device))
    builder = ReferenceBuilder(lambda: describer)
    rows: list[ReferenceRow] = []
    for group in request.cell_types:
        cells = read_features(known, group, features, track)
        rows += measure_references(cells, request, builder, track)
        if request.mutual:
            rows.append(measure_mutual(cells, request, track))
    return rows


def request_from(args: argparse.Namespace) -> ReferenceBenchRequest:
    """What the options ask for.

    Raises:
        ExpectedError: more references are asked for than can be used.
    """
    from app.services.reference_bench import ReferenceBenchRequest
    from app.services.references import MOST_REFERENCES

    if max(args.shots) > MOST_REFERENCES:
        raise ExpectedError(f"--shots asks for {max(args.shots)} references; take at most {MOST_REFERENCES}.")
    return ReferenceBenchRequest(
        cell_types=tuple(dict.fromkeys(args.cells.split(","))),
        shots=args.shots,
        seeds=args.seeds,
        limit=args.limit,
        mutual=args.mutual,
    )


def as_markdown(rows: Sequence[ReferenceRow]) -> str:
    """The table: a line for each type and method, a column for each number of references; image AUROC."""
    shots = sorted({row.shots for row in rows if row.method != "mutual"})
    lines = [
        "| cells | method | " + " | ".join(f"k = {count}" for count in shots) + " |",
        "|---|---|" + "---|" * len(shots),
    ]
    for group in dict.fromkeys(row.group for row in rows):
        for method in ("zero-shot", "references", "fused"):
            found = {row.shots: row for row in rows if row.group == group and row.method == method}
            lines.append(f"| {group} | {method} | " + " | ".join(_cell(found.get(count)) for count in shots) + " |")
    lines.append("\nImage AUROC: mean (lowest..highest) over the draws of references, which are left out of the test.")
    lines += [
        f"Mutual scoring of {row.n_normal + row.n_anomalous} unlabelled {row.group} cells, {row.n_anomalous} with "
        f"defects: {row.auroc:.3f}."
        for row in rows
        if row.method == "mutual"
    ]
    return "\n".join(lines) + "\n"


def _cell(row: ReferenceRow | None) -> str:
    return "n/a" if row is None else f"{row.auroc:.3f} ({row.lowest:.3f}..{row.highest:.3f})"


def speed_text(report: SpeedReport) -> str:
    """Say the measured ratios in sentences: median, then lowest..highest."""
    bank, distance = report.bank_ratio, report.distance_share
    return "\n".join(
        (
            f"{report.image_size} px, {report.threads} threads, {report.repeats} alternating pairs",
            f"bank of {report.references} references against as many passes through the whole backbone: "
            f"{bank.median:.3f} ({bank.lowest:.3f}..{bank.highest:.3f}), in processor time "
            f"{report.bank_cpu_ratio.median:.3f}",
            f"the same against passes that end at the last layer in use: {report.bank_to_layer_ratio.median:.3f}",
            f"one picture against a bank of {report.bank_patches} patches, as a share of one backbone pass: "
            f"{distance.median:.3f} ({distance.lowest:.3f}..{distance.highest:.3f}), in processor time "
            f"{report.distance_cpu_share.median:.3f}",
        )
    )


def counts_of(text: str) -> tuple[int, ...]:
    """Read "0,5,10" as ascending numbers of 0 or more, for argparse."""
    return tuple(sorted({not_negative(part) for part in text.split(",")}))


def write_report(path: Path, text: str) -> None:
    """Write a table.

    Raises:
        DataError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error.strerror}); choose another file.") from error
