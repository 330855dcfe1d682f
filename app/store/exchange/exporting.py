"""Export of a workspace's annotated images to a folder or a zip: whole, or not at all."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from app.store.errors import StoreError, write_failure
from app.store.exchange.base import Annotated, Format
from app.store.exchange.formats import format_named
from app.store.workspace import Workspace

Progress = Callable[[int, int], object]  # told how many images are done, and of how many
_TURNED: Final = (
    "{count} pictures carry an EXIF orientation: their files are unchanged, their masks lie over the upright picture."
)
_PART: Final = ".export.part"
_PACKED_ALREADY: Final = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".avif", ".jp2", ".parquet"})


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export came to."""

    format: str
    images: int  # that were exported
    left_out: tuple[str, ...]  # a sentence for each
    notes: tuple[str, ...] = ()  # what to know when the export is used


def export(
    workspace: Workspace, format: str | Format, folder: Path, *, progress: Progress | None = None
) -> ExportReport:
    """Write every annotated image of a workspace to a folder.

    Args:
        workspace: stays as it is.
        format: its name, or a format with settings of its own.
        folder: made if it is not there; must be empty.
        progress: told after each image.
    Raises:
        StoreError: there is no such format, nothing is annotated, the folder is not empty or cannot be written.
    """
    with _writes(folder):
        return _export(workspace, format, folder, progress)


def export_zip(
    workspace: Workspace, format: str | Format, path: Path, *, progress: Progress | None = None
) -> ExportReport:
    """As `export`, into a zip, which replaces what is at `path` when it is whole.

    Raises:
        StoreError: as `export`.
    """
    with _writes(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", suffix=".part", dir=path.parent) as beside:
            unpacked, part = Path(beside, "unpacked"), Path(beside, "whole.zip")
            report = _export(workspace, format, unpacked, progress)
            _pack(unpacked, part)
            part.replace(path)
    return report


def _export(workspace: Workspace, format: str | Format, folder: Path, progress: Progress | None) -> ExportReport:
    chosen = format_named(format) if isinstance(format, str) else format
    was_there = folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    _require_empty(folder)
    part = folder / _PART
    try:
        part.mkdir()
        report = _write(workspace, chosen, part, progress)
        for item in sorted(part.iterdir()):
            item.rename(folder / item.name)
    except BaseException:
        shutil.rmtree(part if was_there else folder, ignore_errors=True)
        raise
    part.rmdir()
    return report


@dataclass(slots=True)
class _Items:
    """The annotated images, counted, with what is left out of them."""

    workspace: Workspace
    progress: Progress | None
    done: int = 0
    turned: int = 0  # pictures with an EXIF orientation
    left_out: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Annotated]:
        counts = self.workspace.queue(limit=1).counts
        total = sum(counts[state] for state in ("confirmed", "corrected", "unsure"))
        for number, (image, revision) in enumerate(self.workspace.annotated(), start=1):
            path = self.workspace.image_path(image.digest)
            try:
                mask = None if revision.mask_digest is None else self.workspace.mask(revision.mask_digest)
                if not path.is_file():
                    raise StoreError(f"{image.name} has lost its file; run `python -m app workspace check`.")
            except StoreError as error:
                self.left_out.append(str(error))
            else:
                yield Annotated(image=image, revision=revision, path=path, mask=mask)
                self.done += 1
                self.turned += "EXIF" in image.note
            if self.progress is not None:
                self.progress(number, max(total, number))


def _write(workspace: Workspace, chosen: Format, folder: Path, progress: Progress | None) -> ExportReport:
    items = _Items(workspace, progress)
    refused: list[str] = []
    chosen.write(items, folder, refused.append)
    exported = items.done - len(refused)
    if not exported:
        reasons = " ".join([*items.left_out, *refused][:3]) or "No image is annotated yet."
        raise StoreError(f"There is nothing to export as {chosen.title}: {reasons} Annotate images, then export again.")
    notes = (_TURNED.format(count=items.turned),) if items.turned else ()
    return ExportReport(chosen.name, exported, (*items.left_out, *refused), notes)


def _require_empty(folder: Path) -> None:
    found = next((path.name for path in sorted(folder.iterdir())), None)
    if found is not None:
        raise StoreError(f"{folder} is not empty (it holds {found}); choose a new or an empty folder.")


def _pack(folder: Path, path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(file for file in folder.rglob("*") if file.is_file()):
            packed = file.suffix.lower() in _PACKED_ALREADY
            archive.write(
                file,
                file.relative_to(folder).as_posix(),
                compress_type=zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED,
            )


@contextmanager
def _writes(path: Path) -> Iterator[None]:
    """Says in a sentence what the disk refuses."""
    try:
        yield
    except OSError as error:
        raise write_failure(path, error) from error
