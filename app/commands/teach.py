"""`python -m app teach`: teach a preset from a workspace's corrections."""

from __future__ import annotations

import argparse
import getpass
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app.commands.options import add_engine_options, config_from, not_negative, positive
from models.errors import ExpectedError
from models.registry import DEFAULT_PRESET

if TYPE_CHECKING:
    from app.services.finetuning import TeachProgress
    from app.store.version_records import Version

_DIGITS: Final = 12  # what is shown of a version's id
_EVERY_STEPS: Final = 10  # losses are printed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("workspace", type=Path, metavar="WORKSPACE", help="folder of the pictures and corrections")
    parser.add_argument("--database", metavar="URL", help="database of the workspace, where it is no file in it")
    parser.add_argument("--preset", default=DEFAULT_PRESET, help="default: %(default)s")
    parser.add_argument(
        "--mode",
        choices=("quick", "full"),
        default="quick",
        help="quick: backbone and tokens stay, a minute; full: tokens are trained too, many minutes (default: quick)",
    )
    parser.add_argument("--steps", type=positive, metavar="N", help="at most so many (default: the mode's own)")
    parser.add_argument("--image-size", type=positive, metavar="PX", help="side of the input (default: the head's)")
    parser.add_argument("--replay", type=Path, metavar="DIR", help="normal pictures to replay beside synthetic ones")
    parser.add_argument("--flips", action="store_true", help="learn from mirrored and turned copies too; not for print")
    parser.add_argument("--activate", action="store_true", help="use the version at once if it got better")
    parser.add_argument(
        "--threshold",
        metavar="RULE",
        help="from the labels: f1, or false-alarms=0.05 (default: as it was chosen before)",
    )
    parser.add_argument("--seed", type=not_negative, default=0, help="default: %(default)s")
    parser.add_argument("--author", help="who teaches (default: this user)")
    parser.add_argument("--checkpoint", type=Path, metavar="PATH", help="teach this head instead of the active one")
    parser.add_argument("--backbone-weights", type=Path, metavar="PATH", help="a backbone file")
    add_engine_options(parser)


def run(args: argparse.Namespace) -> int:
    """Teach, and print what came of it; 0 also where it did not get better.

    Raises:
        ExpectedError: too little is labelled, another training runs, or workspace or weights cannot be used.
    """
    from app.services.finetuning import teach
    from app.store.jobs import TeachRequest
    from app.store.workspace import Workspace

    config = config_from(args)
    request = TeachRequest(
        preset=args.preset,
        mode=args.mode,
        author=args.author or _user(),
        steps=args.steps,
        image_px=args.image_size,
        replay_folder=None if args.replay is None else str(args.replay),
        flips=args.flips,
        rule=parse_rule(args.threshold),
        seed=args.seed,
        activate=args.activate,
    )
    where = config.location(backbone_path=args.backbone_weights, head_path=args.checkpoint)
    database = args.database if args.database is not None else config.database
    with Workspace.open(args.workspace, database, create=False) as workspace, workspace.jobs.training():
        with tempfile.TemporaryDirectory(prefix="oddity-teach-") as work:
            version = teach(workspace, request, where, config.device, work_folder=Path(work), report=_Printer().report)
        assert version is not None, "nobody can cancel it but by interrupting the program"
        _print_result(version, args.workspace, is_active=workspace.versions.active(version.preset) == version.id)
    return 0


def parse_rule(text: str | None) -> Mapping[str, Any] | None:
    """Read "f1", "normals" or "false-alarms=0.05".

    Raises:
        ExpectedError: it is none of these.
    """
    if text is None:
        return None
    kind, _, rate = text.partition("=")
    try:
        if kind in ("f1", "normals") and not rate:
            return {"kind": kind}
        if kind == "false-alarms" and 0.0 < float(rate) < 1.0:
            return {"kind": "false_alarms", "rate": float(rate)}
    except ValueError:
        pass
    raise ExpectedError(f"--threshold is {text!r}; write f1, normals, or false-alarms=0.05 with a share of your own.")


class _Printer:
    """Prints phases, and losses now and then."""

    def __init__(self) -> None:
        self._phase = ""

    def report(self, progress: TeachProgress) -> None:
        """Take a report."""
        phase = progress.doing.partition(",")[0]
        if phase != self._phase:
            self._phase = phase
            print(f"{progress.share:4.0%}  {phase}", file=sys.stderr, flush=True)
        if progress.step is not None and (progress.held_out is not None or progress.step % _EVERY_STEPS == 0):
            total = "" if progress.losses is None else f"  loss {progress.losses['total']:.3f}"
            held_out = "" if progress.held_out is None else f"  kept back {progress.held_out:.3f}"
            print(f"{progress.share:4.0%}    step {progress.step}{total}{held_out}", file=sys.stderr, flush=True)


def _print_result(version: Version, folder: Path, *, is_active: bool) -> None:
    from app.services.before_after import table_of

    print(f"{version.name} of {version.preset}  {version.id[:_DIGITS]}")
    for note in version.metrics["notes"]:
        print(f"note: {note}")
    print(f"{'pictures':<10}  {'measure':<20}  {'before':>7}  {'after':>7}")
    for pictures, measure, before, after in table_of(version.metrics):
        print(f"{pictures:<10}  {measure:<20}  {before:>7}  {after:>7}")
    print(version.metrics["sentence"])
    if is_active:
        print("It is used from now on; `versions roll-back` takes that back.")
        return
    print(f"To use it: python -m app versions activate {folder} {version.id[:_DIGITS]}")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a system without users' names
        return ""
