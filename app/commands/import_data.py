"""`python -m app import-data`: pictures and annotations from folders, zips and files into a workspace."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from app.commands.workspace_options import add_workspace_options, open_workspace

if TYPE_CHECKING:
    from app.store.intake.report import IntakeReport


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    from app.store.exchange.formats import FORMATS
    from app.store.intake.take_in import AUTO

    parser.add_argument("sources", nargs="+", type=Path, metavar="FILE|DIR", help="pictures, zips, folders of them")
    add_workspace_options(parser)
    parser.add_argument("--author", required=True, metavar="NAME", help="who imports, and who the annotations are by")
    parser.add_argument(
        "--format",
        choices=(AUTO, *FORMATS),
        default=AUTO,
        help="how annotations are laid out (default: each source is looked at)",
    )


def run(args: argparse.Namespace) -> int:
    """Import; returns 1 when something was refused, 130 when a person stopped it, else 0.

    Raises:
        ExpectedError: nothing can be imported, or it ended early; what came in before stays.
    """
    from tqdm import tqdm

    from app.store.intake.report import IntakeStoppedError
    from app.store.intake.take_in import take_in

    with open_workspace(args) as workspace, tqdm(unit="picture", file=sys.stderr, disable=None) as bar:

        def show(done: int, expected: int) -> None:
            bar.total = expected
            bar.update(done - bar.n)

        try:
            report = take_in(workspace, args.sources, author=args.author, format=args.format, progress=show)
        except IntakeStoppedError as stopped:
            bar.close()
            _print(stopped.report)
            if not stopped.interrupted:
                raise
            print(f"interrupted: {stopped}", file=sys.stderr)
            return 130
    _print(report)
    return 1 if report.refused else 0


def _print(report: IntakeReport) -> None:
    """What came in on stdout; what did not, and why, on stderr."""
    for note in report.notes:
        print(f"note: {_printable(note)}", file=sys.stderr)
    for refusal in report.refused:
        print(f"refused: {_printable(refusal.name)}: {_printable(refusal.why)}", file=sys.stderr)
    print(
        f"images: {report.added} new, {report.known} known; annotations: {report.annotations} saved, "
        f"{report.unchanged} unchanged; refused: {len(report.refused)}"
    )


def _printable(text: str) -> str:
    """Text on one line that any terminal takes: a file's name may hold anything."""
    plain = text.encode(errors="surrogateescape").decode(errors="replace")
    return "".join(sign if sign.isprintable() else "?" for sign in plain)
