"""`python -m app export-data`: the annotated images of a workspace in a format that other programs read."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from app.commands.workspace_options import add_workspace_options, open_workspace


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    from app.store.exchange.formats import FORMATS

    titles = ", ".join(f"{name} ({entry.title})" for name, entry in FORMATS.items())
    parser.add_argument("--format", required=True, choices=tuple(FORMATS), help=titles)
    parser.add_argument(
        "--out", required=True, type=Path, metavar="DIR|FILE.zip", help="a folder that is new or empty, or a zip"
    )
    add_workspace_options(parser)


def run(args: argparse.Namespace) -> int:
    """Export; returns 1 when the format had no place for something, else 0.

    Raises:
        ExpectedError: the workspace cannot be read or --out cannot be written.
    """
    from tqdm import tqdm

    from app.store.exchange.exporting import export, export_zip

    write = export_zip if args.out.suffix.lower() == ".zip" else export
    with open_workspace(args, create=False) as workspace, tqdm(unit="picture", file=sys.stderr, disable=None) as bar:

        def show(done: int, expected: int) -> None:
            bar.total = expected
            bar.update(done - bar.n)

        report = write(workspace, args.format, args.out, progress=show)
    for note in report.notes:
        print(f"note: {note}", file=sys.stderr)
    for sentence in report.left_out:
        print(f"left out: {sentence}", file=sys.stderr)
    print(f"wrote {report.images} {'image' if report.images == 1 else 'images'} as {report.format} to {args.out}")
    return 1 if report.left_out else 0
