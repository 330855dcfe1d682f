"""Compare the files of a workspace with its database: what is left over, missing or damaged.  Only reads.

A save writes its files first and its row after that; cut off in between, it leaves files that no row names.  They do no
harm, and `repair` moves them away.  Files and rows are read in parts, so that memory does not grow with the workspace.
Thumbnails are ignored.
"""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, Literal

from sqlalchemy import CompoundSelect, Row, Select, literal, select, union_all

from app.store.masks import decode_png
from app.store.schema import IMAGES, PROPOSALS, REVISIONS
from app.store.strays import Stray, strays
from app.store.versions import ACTIVE, VersionShelf
from app.store.workspace import Workspace
from models.errors import ExpectedError

MIN_AGE_S: Final = 60.0  # longer than a save takes from its file to its row
_PART: Final = 500  # rows that are read at once
_NAMED: Final = 3  # so many of the rows that need a file are named
_IMAGE_COLUMNS: Final = (IMAGES.c.name, IMAGES.c.digest, IMAGES.c.height, IMAGES.c.width)

ProblemKind = Literal["orphan", "leftover", "missing", "damaged"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not as it should be."""

    kind: ProblemKind
    path: Path  # within the workspace's folder
    detail: str  # a sentence


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What `check` found."""

    problems: tuple[Problem, ...]
    images: int  # pictures whose file was looked at
    masks: int  # likewise
    young: int  # files without a row that were passed over, because their save may be on its way

    @property
    def orphans(self) -> tuple[Problem, ...]:
        """Files that no row names; they do no harm."""
        return self._of("orphan")

    @property
    def leftovers(self) -> tuple[Problem, ...]:
        """Half-written files of saves that were cut off; they do no harm."""
        return self._of("leftover")

    @property
    def missing(self) -> tuple[Problem, ...]:
        """Rows whose file is not there."""
        return self._of("missing")

    @property
    def damaged(self) -> tuple[Problem, ...]:
        """Files that do not hold what their row says."""
        return self._of("damaged")

    def _of(self, kind: ProblemKind) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.kind == kind)


@dataclass(frozen=True, slots=True)
class _Use:
    """A row that needs a file."""

    file: str  # its digest
    size_hw: tuple[int, int]
    user: str  # for people: "revision 3 of cell.png (0123456789ab)", or the image alone
    remedy: str


def check(workspace: Workspace, *, min_age_s: float = MIN_AGE_S) -> CheckReport:
    """Look at every file and every row.

    Args:
        workspace: others may save in it meanwhile.
        min_age_s: files without a row that are younger than this are passed over and counted.
    Raises:
        StoreError: the folder or the database cannot be read.
    """
    problems: list[Problem] = []
    images = masks = young = 0
    for stray in strays(workspace):
        age = age_s(workspace.folder / stray.path)
        if age is not None and age >= min_age_s:
            problems.append(_useless(stray))
        else:
            young += age is not None
    for uses in _uses_by_file(workspace, _image_uses()):
        images += 1
        problems += _look(workspace.folder, workspace.image_files.path(uses[0].file), uses, _image_fault)
    for uses in _uses_by_file(workspace, _mask_uses()):
        masks += 1
        problems += _look(workspace.folder, workspace.mask_files.path(uses[0].file), uses, _mask_fault)
    problems += _version_problems(workspace)
    return CheckReport(tuple(problems), images, masks, young)


def age_s(path: Path) -> float | None:
    """How long ago a file was written or touched; None where there is none any more."""
    try:
        return time.time() - path.lstat().st_mtime
    except FileNotFoundError:
        return None


def _version_problems(workspace: Workspace) -> Iterator[Problem]:
    """Taught versions that are damaged, and active ones that are not there."""
    shelf = VersionShelf(workspace.versions.folder)  # a new one, which reads every byte
    for path, sentence in shelf.files.faults():
        yield Problem("damaged", path.relative_to(workspace.folder), sentence)
    note = (workspace.versions.folder / ACTIVE).relative_to(workspace.folder)
    try:
        presets = sorted({activation.preset for activation in shelf.activations()})
    except ExpectedError as error:
        yield Problem("damaged", note, str(error))
        return
    for preset in presets:
        active = shelf.active(preset)
        if active is not None and not shelf.files.has(active):
            try:
                shelf.active_path(preset)
            except ExpectedError as error:
                yield Problem("missing", shelf.files.path(active).relative_to(workspace.folder), str(error))


def _useless(stray: Stray) -> Problem:
    if stray.is_part:
        return Problem("leftover", stray.path, "A save was cut off while it wrote this file; nothing needs it.")
    return Problem("orphan", stray.path, "No row of the database names this file; nothing needs it.")


def _uses_by_file(workspace: Workspace, query: Select[Any] | CompoundSelect[Any]) -> Iterator[tuple[_Use, ...]]:
    """The rows that need a file, those of one file together, in the order of the digests."""
    with workspace.database.reading() as connection:
        rows = connection.execution_options(yield_per=_PART).execute(query)
        for _, same_file in itertools.groupby(map(_use_of, rows), attrgetter("file")):
            yield tuple(same_file)


def _use_of(row: Row[Any]) -> _Use:
    image = f"{row.name} ({row.digest[:12]})"
    size_hw = (row.height, row.width)
    if not row.number:
        return _Use(row.file, size_hw, image, "add the picture again, or restore it from a backup")
    return _Use(row.file, size_hw, f"{row.kind} {row.number} of {image}", "restore it from a backup")


def _image_uses() -> Select[Any]:
    columns = (IMAGES.c.digest.label("file"), literal("").label("kind"), literal(0).label("number"))
    return select(*columns, *_IMAGE_COLUMNS).order_by(IMAGES.c.digest)


def _mask_uses() -> CompoundSelect[Any]:
    """By revisions and by proposals."""
    parts = []
    for table, kind, number in ((REVISIONS, "revision", REVISIONS.c.number), (PROPOSALS, "proposal", PROPOSALS.c.id)):
        file = table.c.mask_digest.label("file")
        columns = (file, literal(kind).label("kind"), number.label("number"), *_IMAGE_COLUMNS)
        parts.append(select(*columns).join(IMAGES, IMAGES.c.id == table.c.image_id).where(file.is_not(None)))
    return union_all(*parts).order_by("file", "name", "kind", "number")


def _look(
    folder: Path, path: Path, uses: Sequence[_Use], find_fault: Callable[[Path, Sequence[_Use]], str | None]
) -> Iterator[Problem]:
    """What is wrong with a file that rows need: nothing, or one thing."""
    kind: ProblemKind = "damaged"
    try:
        fault = find_fault(path, uses)
    except FileNotFoundError:
        kind, fault = "missing", "is not there"
    except OSError as error:
        fault = f"cannot be read ({error.strerror})"
    if fault is not None:
        users = ", ".join(use.user for use in uses[:_NAMED])
        more = f" and {len(uses) - _NAMED} more" if len(uses) > _NAMED else ""
        yield Problem(kind, path.relative_to(folder), f"The file of {users}{more} {fault}; {uses[0].remedy}.")


def _image_fault(path: Path, uses: Sequence[_Use]) -> str | None:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return None if digest == uses[0].file else "does not hold the bytes that were added"


def _mask_fault(path: Path, uses: Sequence[_Use]) -> str | None:
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != uses[0].file:
        return "does not hold the bytes that were saved"
    try:
        height, width = decode_png(data).shape
    except ExpectedError:
        return "is no black-and-white PNG"
    for use in uses:
        if use.size_hw != (height, width):
            return f"is {width} x {height} pixels, and {use.user} needs {use.size_hw[1]} x {use.size_hw[0]}"
    return None
