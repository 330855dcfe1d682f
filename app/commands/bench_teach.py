"""`python -m app bench teach`: what a simulated person's corrections bring, on solar cells and synthetic products."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Final

from app.commands.bench_references import counts_of, write_report
from app.commands.options import config_from, not_negative
from app.config import resolve_device
from models.errors import ExpectedError

if TYPE_CHECKING:
    from app.services.teach_bench import Classroom, Results
    from app.services.teach_bench_cells import CurveRow
    from app.services.teach_bench_products import ProductRow
    from models.loading import LoadedModel
    from models.weights import WeightsLocation

_RULES: Final = ("map", "normals")
_FOLDER: Final = "teach"  # of the bench's workspace, in the cache
_MOST: Final = 150  # of what --counts may ask for; no pool is larger


def add_teach_bench_options(parser: argparse.ArgumentParser) -> None:
    """Declare what `bench teach` has beside the options of `bench references`."""
    group = parser.add_argument_group("teach only; --cells, --limit, --seeds, --cache and --out as for references")
    group.add_argument(
        "--counts", type=counts_of, default=(0, 5, 10, 20, 50), metavar="0,5,10,20,50", help="corrections"
    )
    group.add_argument(
        "--region",
        choices=(*_RULES, "both"),
        default="normals",
        help="what the person paints: the top region of the map that the app proposes, or of the difference from "
        "8 normal cells (default: %(default)s)",
    )
    group.add_argument(
        "--products", type=not_negative, metavar="N", help="so many synthetic products; 0 = none (default: all)"
    )
    group.add_argument("--no-cells", action="store_true", help="leave the solar cells out")


def run_teach(args: argparse.Namespace) -> int:
    """Measure, showing progress on stderr, and print Markdown, or JSON with --json.

    Raises:
        ExpectedError: the cells or weights are missing, or an option means nothing.
    """
    import json

    from app.services.reports import use_threads
    from app.services.teach_bench import RESULTS_FILE, Classroom, Results
    from app.store.workspace import Workspace
    from models.loading import load_preset

    if max(args.counts) > _MOST or set(args.counts) & {1, 2}:
        raise ExpectedError(f"--counts takes 0 and numbers from 3 to {_MOST}, got {args.counts}.")
    if args.threads is not None:
        use_threads(args.threads)
    config = config_from(args)
    where = config.location(backbone_path=args.backbone_weights, head_path=args.checkpoint)
    device = resolve_device(config.device)
    model = load_preset(args.preset, where, device=device)
    folder = args.cache / _FOLDER
    folder.parent.mkdir(parents=True, exist_ok=True)
    with Workspace.open(folder) as workspace:
        classroom = Classroom(workspace, model, where, config.device or "auto")
        results = Results(folder / RESULTS_FILE, **_decides(args, model))
        products = _products(args, classroom, results)
        curves = {} if args.no_cells else _curves(args, where, model, classroom, results)
        classroom.close()
    text = "\n".join(part for part in (cells_markdown(curves), products_markdown(products)) if part)
    if args.out is not None:
        write_report(args.out, text)
    if args.json:
        found = {rule: [asdict(row) for row in rows] for rule, rows in curves.items()}
        text = json.dumps({"cells": found, "products": [asdict(row) for row in products]}, indent=1) + "\n"
    print(text, end="")
    return 0


def _decides(args: argparse.Namespace, model: LoadedModel) -> dict[str, object]:
    """What all outcomes of a run depend on."""
    from models.training.finetuning import QuickSettings

    return {
        "preset": args.preset,
        "head": model.checkpoint_digest,
        "image_px": model.image_size,
        "settings": repr(QuickSettings()),
    }


def _products(args: argparse.Namespace, classroom: Classroom, results: Results) -> list[ProductRow]:
    from tqdm import tqdm

    from app.services.teach_bench_products import PRODUCTS, measure_products

    chosen = PRODUCTS[: args.products]
    track = partial(tqdm, file=sys.stderr)
    return measure_products(chosen, classroom, results, counts=args.counts, track=track) if chosen else []


def _curves(
    args: argparse.Namespace, where: WeightsLocation, model: LoadedModel, classroom: Classroom, results: Results
) -> dict[str, list[CurveRow]]:
    from tqdm import tqdm

    from app.services.patch_tokens import load_describer
    from app.services.picture_features import PictureFeatures
    from app.services.teach_bench_cells import measure_cells, read_cells_apart
    from app.services.teach_bench_person import REGION_RULES
    from models.evaluation.elpv import find_elpv, limited, read_cells

    track = partial(tqdm, file=sys.stderr)
    cell_types = tuple(dict.fromkeys(args.cells.split(",")))
    known = limited(read_cells(find_elpv(), cell_types), args.limit)
    features = PictureFeatures(args.cache, load_describer(where, model.device), model)
    apart = [read_cells_apart(known, group, features, track) for group in cell_types]
    rules = [rule for rule in REGION_RULES if args.region in (rule, "both")]
    return {
        rule: [
            row
            for cells in apart
            for row in measure_cells(
                cells, classroom, results, counts=args.counts, seeds=args.seeds, rule=rule, track=track
            )
        ]
        for rule in rules
    }


def cells_markdown(curves: dict[str, list[CurveRow]]) -> str:
    """A table for each rule: a line for each type and method, a column for each number of cells shown; image AUROC."""
    return "\n".join(_rule_markdown(rule, rows) for rule, rows in curves.items())


def _rule_markdown(rule: str, rows: Sequence[CurveRow]) -> str:
    counts = sorted({row.count for row in rows if row.method == "taught"})
    lines = [
        f'Painted by the rule "{rule}":\n',
        "| cells | zero-shot | nearest patch, 4 shown | " + " | ".join(f"taught {count}" for count in counts) + " |",
        "|---|---|---|" + "---|" * len(counts),
    ]
    for group in dict.fromkeys(row.group for row in rows):
        found = {(row.method, row.count): row for row in rows if row.group == group}
        cells = [found.get(("zero-shot", 0)), found.get(("nearest patch", 4))]
        cells += [found.get(("taught", count)) for count in counts]
        lines.append(f"| {group} | " + " | ".join(map(_curve_cell, cells)) + " |")
    first = {row.group: row for row in reversed(rows)}
    tested = "; ".join(f"{row.group}: {row.n_normal} normal, {row.n_anomalous} anomalous" for row in first.values())
    lines.append(f"\nImage AUROC on cells never shown ({tested}): mean (lowest..highest) of the draws.")
    return "\n".join(lines) + "\n"


def _curve_cell(row: CurveRow | None) -> str:
    if row is None:
        return "n/a"
    return f"{row.auroc:.3f}" if row.lowest == row.highest else f"{row.auroc:.3f} ({row.lowest:.3f}..{row.highest:.3f})"


def products_markdown(rows: Sequence[ProductRow]) -> str:
    """Pixel AP of each product by the number of corrections, then the means and what was forgotten."""
    if not rows:
        return ""
    counts = sorted({row.count for row in rows})
    lines = [
        "| product | " + " | ".join(f"{count} corrections" for count in counts) + " |",
        "|---|" + "---|" * len(counts),
    ]
    for product in dict.fromkeys(row.product for row in rows):
        found = {row.count: row for row in rows if row.product == product}
        lines.append(f"| {product} | " + " | ".join(f"{found[count].pixel_ap:.3f}" for count in counts) + " |")
    for name, attribute in (
        ("mean pixel AP", "pixel_ap"),
        ("mean image AUROC", "image_auroc"),
        ("synthetic set, pixel AP", "synthetic_pixel_ap"),
        ("synthetic set, image AUROC", "synthetic_image_auroc"),
    ):
        means = [_mean([getattr(row, attribute) for row in rows if row.count == count]) for count in counts]
        lines.append(f"| **{name}** | " + " | ".join(f"{mean:.3f}" for mean in means) + " |")
    return "\n".join(lines) + "\n"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
