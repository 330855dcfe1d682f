"""`python -m app workspace`: check and mend a workspace, list its pictures, show a history, say what to label next."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final

from app.commands import workspace_next
from app.commands.options import not_negative
from app.commands.workspace_options import add_workspace_options, open_workspace
from models.errors import DataError

if TYPE_CHECKING:
    from app.store.records import QueueItem, Revision, StoredImage
    from app.store.workspace import Workspace

_DIGEST_LENGTH: Final = 12  # what is shown of a digest
_SHORTEST_DIGEST: Final = 6  # what has to be given of one
_PAGE: Final = 200
_MOMENT: Final = "%Y-%m-%d %H:%M:%S"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `check [--repair]`, `list`, `history PICTURE` and `next [--look PRESET]`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    check = actions.add_parser("check", help="look for files without a row, rows without a file, and damage")
    check.add_argument("--repair", action="store_true", help="move files that nothing needs into lost+found")
    check.add_argument(
        "--min-age",
        type=not_negative,
        default=60,
        metavar="S",
        help="pass over files younger than S seconds, which may belong to a save on its way (default: %(default)s)",
    )
    listing = actions.add_parser("list", help="show every picture, its state and its newest revision")
    history = actions.add_parser("history", help="show the revisions of one picture, newest first")
    history.add_argument("picture", metavar="DIGEST|NAME", help=f"{_SHORTEST_DIGEST} digits of a digest do")
    workspace_next.add_arguments(actions.add_parser("next", help="show which pictures are best labelled next, and why"))
    for action in (check, listing, history):
        add_workspace_options(action)


def run(args: argparse.Namespace) -> int:
    """Do what was asked.

    Returns:
        0, or 1 where `check` found problems that are still there.
    Raises:
        StoreError: there is no workspace, or it cannot be read.
        DataError: there is no such picture, or the name fits several.
        WeightsError: `next --look` finds no weights.
    """
    with open_workspace(args, create=False) as workspace:
        if args.action == "check":
            return _check(workspace, args.min_age, mend=args.repair)
        if args.action == "list":
            return _list(workspace)
        if args.action == "next":
            return workspace_next.run(args, workspace)
        return _history(workspace, args.picture)


def _check(workspace: Workspace, min_age_s: float, *, mend: bool) -> int:
    from app.store.check import check
    from app.store.repair import repair

    report = check(workspace, min_age_s=min_age_s)
    for problem in report.problems:
        print(f"{problem.kind:<8}  {_plain(str(problem.path))}  {_plain(problem.detail)}")
    remaining = report.problems
    if mend and remaining:
        repaired = repair(workspace, report, min_age_s=min_age_s)
        for source, target in repaired.moved:
            print(f"{'moved':<8}  {_plain(str(source))}  to {_plain(str(target))}")
        remaining = repaired.remaining
    outcome = f"{_count(len(remaining), 'problem')} {'left' if mend else 'found'}" if remaining else "all is well"
    print(f"{_count(report.images, 'picture')} and {_count(report.masks, 'mask')} checked: {outcome}")
    if report.young:
        print(f"{_count(report.young, 'file')} younger than {min_age_s:g} s passed over: a save may be on its way")
    if not mend and (report.orphans or report.leftovers):
        print("`workspace check --repair` moves what nothing needs into lost+found")
    return 1 if remaining else 0


def _list(workspace: Workspace) -> int:
    page = workspace.queue(sort="name", limit=1)
    states = ", ".join(f"{count} {state}" for state, count in page.counts.items())
    print(f"{_count(page.total, 'picture')}: {states}")
    if page.total:
        print(f"{'digest':<{_DIGEST_LENGTH}}  {'state':<9}  {'revision':>8}  {'saved (UTC)':<19}  {'author':<16}  name")
    for item in _items(workspace):
        print(_line_of(item))
    return 0


def _items(workspace: Workspace) -> Iterator[QueueItem]:
    offset = 0
    while items := workspace.queue(sort="name", offset=offset, limit=_PAGE).items:
        yield from items
        offset += len(items)


def _line_of(item: QueueItem) -> str:
    newest = item.newest
    revision, saved, author = ("-", "-", "-") if newest is None else _who_and_when(newest)
    return (
        f"{item.image.digest[:_DIGEST_LENGTH]}  {item.state:<9}  {revision:>8}  {saved:<19}  {author:<16}"
        f"  {_plain(item.image.name)}"
    )


def _history(workspace: Workspace, wanted: str) -> int:
    image = _find(workspace, wanted)
    height, width = image.size_hw
    print(f"{_plain(image.name)}  {width} x {height} px  {image.digest}")
    print(f"added {_moment(image.added_at)} by {_plain(image.added_by)}" + _after(", ", _plain(image.origin)))
    for revision in workspace.history(image.digest):
        number, saved, author = _who_and_when(revision)
        print(f"{number:>8}  {saved:<19}  {author:<16}  {_what(revision)}")
    return 0


def _who_and_when(revision: Revision) -> tuple[str, str, str]:
    return str(revision.number), _moment(revision.saved_at), _plain(revision.author)


def _what(revision: Revision) -> str:
    """What a revision says, in a line."""
    if revision.kind == "delete":
        return "deleted" + _after("; ", _plain(revision.note))
    source = revision.source
    classes = sorted({region.defect_class for region in revision.regions if region.defect_class})
    parts = [
        str(revision.label),
        f"{_count(len(revision.regions), 'region')}, {revision.area_px} px" if revision.mask_digest else "no mask",
        ", ".join(map(_plain, classes)),
        " ".join(
            _plain(word)
            for word in (source.kind, source.preset, source.checkpoint[:_DIGEST_LENGTH], source.detail)
            if word
        ),
        f"after revision {revision.based_on}" if revision.based_on else "",
        _plain(revision.note),
    ]
    return "; ".join(part for part in parts if part)


def _find(workspace: Workspace, wanted: str) -> StoredImage:
    """The picture whose name or digest, or beginning of a digest, this is."""
    start = wanted.lower() if len(wanted) >= _SHORTEST_DIGEST else None
    found = [
        image
        for image in workspace.images()
        if image.name == wanted or (start is not None and image.digest.startswith(start))
    ]
    if not found:
        raise DataError(
            f"No picture is called {wanted!r}; `workspace list` shows the names and digests that there are."
        )
    if len(found) > 1:
        digests = ", ".join(image.digest[:_DIGEST_LENGTH] for image in found[:5])
        raise DataError(f"{len(found)} pictures are called {wanted!r}; name one by its digest: {digests}.")
    return found[0]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _after(separator: str, text: str) -> str:
    return separator + text if text else ""


def _moment(moment: datetime) -> str:
    return moment.strftime(_MOMENT)


def _plain(text: str) -> str:
    """What people typed, without the control characters that would steer a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)
