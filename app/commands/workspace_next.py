"""`python -m app workspace next`: the pictures from whose labels a model is expected to learn most."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Final

from app.commands.options import add_engine_options, config_from, positive
from app.commands.workspace_options import add_workspace_options
from models.registry import PRESETS

if TYPE_CHECKING:
    from app.services.next_to_label import NextToLabel, Suggestion
    from app.store.workspace import Workspace

_DIGEST_LENGTH: Final = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `next`."""
    parser.add_argument("--limit", type=positive, default=20, metavar="N", help="how many (default: %(default)s)")
    parser.add_argument(
        "--preset", choices=tuple(PRESETS), help="whose scores count (default: whichever proposed last for a picture)"
    )
    parser.add_argument(
        "--look",
        metavar="PRESET",
        choices=tuple(PRESETS),
        help="first let this preset and a frozen backbone look at every picture that they have not seen",
    )
    add_engine_options(parser)
    add_workspace_options(parser)


def run(args: argparse.Namespace, workspace: Workspace) -> int:
    """Print the order; with --look also let the queue of Correct follow it.

    Raises:
        WeightsError: --look's preset has no weights here.
        StoreError: the workspace cannot be read, or with --look not be written.
    """
    from app.services.inspector import Inspector
    from app.services.next_to_label import NextToLabel
    from app.services.proposing import Proposer

    config = config_from(args)
    inspector = Inspector(config.location(), config.device, active=workspace.versions.active_path)
    ordering = NextToLabel(Proposer(workspace, inspector))
    if args.look is not None:
        _look(ordering, args.look)
    suggestions = ordering.suggest(args.preset or args.look, limit=args.limit)
    if not suggestions:
        print("Every picture is labelled.")
        return 0
    print(f"{'benefit':>7}  {'score':>8}  {'digest':<{_DIGEST_LENGTH}}  name: why")
    for suggestion in suggestions:
        print(_line(suggestion))
    if args.look is None and any(suggestion.novelty is None for suggestion in suggestions):
        print("Not every picture was looked at; `workspace next --look PRESET` does it.", file=sys.stderr)
    return 0


def _look(ordering: NextToLabel, preset: str) -> None:
    refused: tuple[str, ...] = ()
    for progress in ordering.look(preset):
        print(f"\rLooked at {progress.done:,} of {progress.total:,} pictures", end="", file=sys.stderr, flush=True)
        refused = progress.refused
    print(file=sys.stderr)
    for sentence in refused:
        print(_plain(sentence), file=sys.stderr)


def _line(suggestion: Suggestion) -> str:
    score = "-" if suggestion.score is None else f"{suggestion.score:.4f}"
    digest = suggestion.image_digest[:_DIGEST_LENGTH]
    return f"{suggestion.benefit:>7.2f}  {score:>8}  {digest}  {_plain(suggestion.name)}: {suggestion.reason}"


def _plain(text: str) -> str:
    """What people typed, without the control characters that would steer a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)
