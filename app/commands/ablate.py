"""`python -m app ablate`: train and measure the rows of the paper's ablations, on synthetic pictures or your data."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.commands import train as train_command
from app.commands.options import config_from, positive
from app.config import resolve_device
from models.errors import DataError

if TYPE_CHECKING:
    from app.services.reports import Report

_NAMES: Final = ("saf", "modules", "losses", "layers", "anchors", "tables8", "tables9", "tables10", "tables11")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the ablation, the measurement, and all options of `train`."""
    parser.add_argument("ablation", choices=_NAMES, metavar="ABLATION", help=", ".join(_NAMES))
    parser.add_argument("--test", type=Path, metavar="DIR", help="data set to measure on (default: held-out synthetic)")
    parser.add_argument("--test-layout", default="auto", help="how it is laid out (default: found out)")
    parser.add_argument("--count", type=positive, default=200, help="synthetic pictures (default: %(default)s)")
    train_command.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Train what is missing, measure everything, print the table and write it beside the heads.

    Raises:
        DataError: an option means nothing, or the data cannot be used.
        WeightsError: the backbone is missing.
    """
    from tqdm import tqdm

    from app.commands.report_table import as_csv, as_markdown, as_table
    from app.services.ablation import ablate, as_report, rows_of
    from models.training.ranks import in_torchrun

    if in_torchrun():
        raise DataError("ablate works in one process; start it without torchrun.")
    if args.out.suffix:
        raise DataError(f"--out {args.out} is to be a folder here: every row leaves a head in it.")
    base = train_command.run_from(args)
    where = config_from(args).location()
    rows = rows_of(args.ablation, args.preset)
    results = []
    with tqdm(total=len(rows) * sum(stage.steps for stage in base.stages), unit="step", file=sys.stderr) as bar:

        def on_step(name: str, step: int, total: int) -> None:
            bar.set_description(name)
            bar.update(1)

        conduct = train_command.conduct_from(args)
        for result in ablate(base, rows, where, args.out, lambda head: _measure(args, head), on_step, conduct):
            results.append(result)
            report = as_report(tuple(results))
            (args.out / f"{args.ablation}.md").write_text(as_markdown(report), encoding="utf-8")
            (args.out / f"{args.ablation}.csv").write_text(as_csv(report), encoding="utf-8")
    print(as_table(as_report(tuple(results))))
    return 0


def _measure(args: argparse.Namespace, head: Path) -> Report:
    from app.services.dataset_report import FolderRequest, evaluate_folder
    from app.services.reports import local_engine
    from app.services.synthetic_report import SyntheticRequest, evaluate_synthetic

    config = config_from(args)
    engine = local_engine(config.location(head_path=head), resolve_device(config.device))
    if args.test is not None:
        return evaluate_folder(FolderRequest(preset=args.preset, folder=args.test, layout=args.test_layout), engine)
    return evaluate_synthetic(SyntheticRequest(preset=args.preset, count=args.count), engine)
