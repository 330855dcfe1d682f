"""Taking pictures and their annotations into a workspace: from folders, zips and single files, one by one.

What is in the workspace is never changed: an annotation that differs from the newest one becomes a new revision.  One
image is in memory at a time.  What came in before an interruption stays; the temporary folder never does.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from app.store.errors import StoreError, write_failure
from app.store.exchange.base import Format, Found, Refusal
from app.store.exchange.formats import FORMATS
from app.store.folder import CACHE
from app.store.intake.annotations import annotation_of, says_the_same
from app.store.intake.archives import unpack
from app.store.intake.folders import clear_files, lay_together, survey
from app.store.intake.limits import DEFAULT_LIMITS, Limits
from app.store.intake.names import is_archive_name, is_system_name
from app.store.intake.plain import NAME as PICTURES
from app.store.intake.plain import read_pictures
from app.store.intake.report import IntakeReport, IntakeStoppedError, Tally, count
from app.store.records import Mask, NewRevision, Revision, StoredImage
from app.store.rules import require_texts
from app.store.workspace import Workspace
from models.errors import DataError, ExpectedError

AUTO: Final = "auto"
_LEAST_PARTICULAR: Final = "masks"  # recognises much, so it is asked last
_MOST_WRAPPING_FOLDERS: Final = 5


def take_in(
    workspace: Workspace,
    sources: Sequence[Path],
    *,
    author: str,
    format: str = AUTO,
    progress: Callable[[int, int], None] | None = None,
    limits: Limits = DEFAULT_LIMITS,
    temp_folder: Path | None = None,
) -> IntakeReport:
    """Import pictures and annotations.

    Args:
        workspace: gets them.
        sources: folders, zip archives and single files; untrusted.
        author: who adds them, and who annotations are by where the source does not say.
        format: a name in FORMATS, or "auto": each source is looked at.
        progress: told how many images are done, and about how many there are.
        limits: what is refused beyond.
        temp_folder: where archives are unpacked; None = the workspace's cache.
    Returns:
        What came in, and what did not and why.
    Raises:
        DataError: there is no such format.
        StoreError: the author's name is too long.
        IntakeStoppedError: it ended early; what came in before stays.
    """
    if format != AUTO and format not in FORMATS:
        raise DataError(f"There is no format {format!r}; choose one of: {', '.join((AUTO, *FORMATS))}.")
    require_texts(author, note="", save_id="", based_on=0)
    tally = Tally(progress)
    intake = _Intake(workspace, author, format, limits, tally, temp_folder or workspace.folder / CACHE)
    try:
        intake.run(sources)
    except KeyboardInterrupt as error:
        raise IntakeStoppedError("The import was interrupted", tally.report(), interrupted=True) from error
    except _StoppedError as error:
        raise IntakeStoppedError(str(error.__cause__), tally.report()) from error.__cause__
    return tally.report()


class _Intake:
    """One import on its way."""

    def __init__(
        self, workspace: Workspace, author: str, format_name: str, limits: Limits, tally: Tally, temp_folder: Path
    ) -> None:
        self._workspace, self._author, self._format_name = workspace, author, format_name
        self._limits, self._tally, self._temp_folder = limits, tally, temp_folder

    def run(self, sources: Sequence[Path]) -> None:
        single = []
        for source in sources:
            try:
                self._refuse_workspace(source)
                if source.is_dir():
                    self._read_folder(_real(source), source.name or str(_real(source)))
                elif not source.is_file():
                    raise DataError("There is no such file or folder; check the path.")
                elif source.suffix.lower() == ".zip":
                    self._read_zip(source)
                elif is_archive_name(source.name):
                    raise DataError("Of archives only zip is opened; pack it as a zip, or give its folder.")
                else:
                    single.append(_real(source))
            except ExpectedError as error:
                self._tally.refuse(Refusal(str(source), str(error)))
            except OSError as error:
                self._tally.refuse(Refusal(str(source), f"It cannot be opened ({error.strerror}); check the path."))
        if single:
            self._read_single_files(single)

    def _refuse_workspace(self, source: Path) -> None:
        ours, theirs = _real(self._workspace.folder), _real(source)
        if ours == theirs or ours in theirs.parents or (theirs in ours.parents and theirs.is_dir()):
            raise DataError("The workspace itself lies there, and cannot be imported into itself; give another folder.")

    def _read_zip(self, path: Path) -> None:
        with self._temporary() as folder:
            unpacked = unpack(path, folder, self._tally.refuse, self._limits)
            self._tally.skipped += unpacked.skipped
            self._read_folder(folder, path.name, separator=": ")

    def _read_single_files(self, files: Sequence[Path]) -> None:
        """Read them as if they lay in one folder, so that masks find their images."""
        with self._temporary() as folder:
            for together in lay_together(clear_files(files, self._tally.refuse), folder, self._tally.refuse):
                self._read_folder(together, "")

    def _read_folder(self, folder: Path, name: str, *, separator: str = "/") -> None:
        """Read a folder in its format.

        Args:
            folder: where the files are.
            name: how people know it; "" for single files, each of which was meant.
            separator: between that name and those of the files inside.
        """
        refuse = partial(self._refuse_inside, f"{name}{separator}" if name else "")
        before = self._tally.expected
        found = survey(folder, refuse, self._limits)
        self._tally.skipped += found.skipped
        self._tally.expected += found.images
        chosen, start = self._format_of(folder)
        items: Iterator[Found]
        if chosen is not None:
            items = chosen.read(start, refuse)
        else:
            items = read_pictures(folder, refuse, None if name else sorted(path.name for path in folder.iterdir()))
            self._note_others(found.others, name)
        taken = 0
        for item in items:
            self._take(item, PICTURES if chosen is None else chosen.name, name, refuse)
            self._tally.looked_at_one()
            taken += 1
        self._tally.source_done(before)
        if name and not taken:
            self._tally.refuse(Refusal(name, "No picture was found in it; give a folder or a zip that holds some."))

    def _note_others(self, others: Sequence[str], name: str) -> None:
        """Say what was not looked at in a folder that no format knows; of single files each is looked at."""
        if name and others:
            self._tally.note(
                f"{name} is of no known format, so only pictures and masks were read; "
                f"{count(len(others), 'other file')} passed over, such as {others[0]}."
            )

    def _refuse_inside(self, prefix: str, refusal: Refusal) -> None:
        self._tally.refuse(Refusal(f"{prefix}{refusal.name}", refusal.why))

    def _format_of(self, folder: Path) -> tuple[Format | None, Path]:
        """The format of a folder and where in it the data begin; no format: pictures alone."""
        if self._format_name != AUTO:
            formats = [FORMATS[self._format_name]]
        else:
            formats = sorted(FORMATS.values(), key=lambda format: format.name == _LEAST_PARTICULAR)
        start = folder
        for _ in range(_MOST_WRAPPING_FOLDERS):
            chosen = next((each for each in formats if each.recognises(start)), None)
            if chosen is not None:
                return chosen, start
            inside = [path for path in start.iterdir() if not is_system_name(path.name)]
            if len(inside) != 1 or not inside[0].is_dir() or inside[0].is_symlink():
                break
            start = inside[0]
        return (None if self._format_name == AUTO else formats[0]), folder

    def _take(self, item: Found, format_name: str, name: str, refuse: Callable[[Refusal], None]) -> None:
        """Take one image and its annotation; the image stays where only its annotation is refused."""
        came_from = name or item.name
        try:
            image = self._add(item, came_from)
            new = annotation_of(item, image, author=self._author, format_name=format_name, came_from=came_from)
            if new is not None:
                self._save(image, new)
        except ExpectedError as error:
            refuse(Refusal(item.name, str(error)))

    def _add(self, item: Found, origin: str) -> StoredImage:
        data = item.data()
        if len(data) > self._limits.max_file_bytes:
            raise DataError(
                f"{item.name} has {len(data)} bytes, and at most {self._limits.max_file_bytes} are taken; "
                "give a smaller picture."
            )
        with _workspace_at_work():
            added = self._workspace.add_image(data, item.name, author=self._author, origin=origin)
        self._tally.added += added.is_new
        self._tally.known += not added.is_new
        if not added.is_new and added.image.name != item.name:
            self._tally.same_content(item.name, added.image.name)
        return added.image

    def _save(self, image: StoredImage, new: NewRevision) -> None:
        with _workspace_at_work():
            history = self._workspace.history(image.digest)
            newest = history[0] if history else None
            if newest is not None and says_the_same(new, newest, self._mask_of(newest)):
                self._tally.unchanged += 1
                return
            self._workspace.save(image.digest, replace(new, based_on=newest.number if newest is not None else 0))
        self._tally.annotations += 1

    def _mask_of(self, revision: Revision) -> Mask | None:
        if revision.mask_digest is None:
            return None
        try:
            return self._workspace.mask(revision.mask_digest)
        except StoreError:  # missing or damaged: then what is imported is not the same, and is saved
            return None

    @contextmanager
    def _temporary(self) -> Iterator[Path]:
        """A folder that is gone afterwards; says so where the disk is full meanwhile."""
        try:
            self._temp_folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(
                prefix="intake-", dir=self._temp_folder, ignore_cleanup_errors=True
            ) as folder:
                yield Path(folder)
        except OSError as error:
            raise _StoppedError from write_failure(self._temp_folder, error)


class _StoppedError(Exception):
    """Nothing more can be taken; the cause is the sentence for people."""


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))  # Path.resolve fails on links that lead in a circle


@contextmanager
def _workspace_at_work() -> Iterator[None]:
    """Tells what the workspace cannot do from what is wrong with one annotation."""
    try:
        yield
    except StoreError as error:
        raise _StoppedError from error
