"""From a picture and its annotation to what a reader hands over: our own entry first, then what the format says."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from app.store.exchange.base import Found, Refusal
from app.store.exchange.marks import empty_mask
from app.store.exchange.reading import Inside
from app.store.exchange.sidecar import Entry, Sidecar
from app.store.records import DefectClass, Label, Mask, Source
from models.errors import DataError, ExpectedError

Marks = tuple[Mask | None, tuple[DefectClass, ...]]  # None: the format says nothing of the pixels
Refuse = Callable[[Refusal], None]


class Finder:
    """Reads one folder in one format."""

    def __init__(self, folder: Path, format_name: str, refuse: Refuse) -> None:
        self.inside = Inside(folder)
        self.refuse = refuse
        self._format = format_name
        try:
            self._sidecar = Sidecar(self.inside, format_name)
        except DataError as error:
            refuse(Refusal("oddity.json", f"{error} The rest was read without it."))
            self._sidecar = Sidecar(Inside(folder / "without"), format_name)

    def bare(self, file: str, data: Callable[[], bytes] | None = None) -> Found:
        """A picture that nobody annotated."""
        data = self.inside.later(file) if data is None else data
        return Found(name=self._sidecar.name_of(file), data=data, source=self._source(file))

    def found(
        self,
        file: str,
        annotation: bytes,
        marks: Callable[[], Marks],
        said: Label | None = None,
        data: Callable[[], bytes] | None = None,
    ) -> Found:
        """A picture with its annotation; only with its name, and a refusal, where the annotation cannot be read.

        Args:
            file: the picture, relative to the folder.
            annotation: the bytes by which one's own, untouched export is recognised.
            marks: reads what the format holds; called again when the mask is asked for.
            said: the label, where the format has a place for it.
            data: the picture's bytes, where they are not in a file of their own.
        """
        data = self.inside.later(file) if data is None else data
        entry = self._sidecar.get(file, annotation)
        if entry is not None:
            return found_again(entry, data, lambda: marks()[0])
        try:
            mask, classes = marks()
        except ExpectedError as error:
            self.refuse(Refusal(file, f"Its annotation was not taken: {error}"))
            return self.bare(file, data)
        label, is_marked = agreed(said, mask)
        return Found(
            name=self._sidecar.name_of(file),
            data=data,
            label=label,
            mask=_mask_later(lambda: marks()[0], data, file) if is_marked else None,
            classes=classes,
            source=self._source(file),
        )

    def found_by_file(self, file: str, beside: str, marks: Callable[[], Marks], said: Label | None = None) -> Found:
        """`found` where the annotation is a file of its own.

        Args:
            file: the picture.
            beside: the annotation's file.
            marks: as in `found`.
            said: as in `found`.
        """
        try:
            annotation = self.inside.bytes_of(beside)
        except DataError as error:
            self.refuse(Refusal(beside, str(error)))
            return self.bare(file)
        return self.found(file, annotation, marks, said)

    def _source(self, file: str) -> Source:
        return Source(kind="import", detail=f"{self._format}: {file}")


def found_again(entry: Entry, data: Callable[[], bytes], mask: Callable[[], Mask | None]) -> Found:
    """What was exported before.

    Args:
        entry: from oddity.json.
        data: the picture's bytes.
        mask: as the format holds it; where it has no place for an empty one, None stands for that.
    """
    return Found(
        name=entry.name,
        data=data,
        label=entry.label,
        mask=_mask_later(mask, data, entry.file) if entry.has_mask else None,
        classes=entry.classes,
        author=entry.author,
        note=entry.note,
        source=entry.source,
    )


def agreed(said: Label | None, mask: Mask | None) -> tuple[Label, bool]:
    """The label that fits both what is said and what is marked, and whether a mask belongs to it."""
    is_marked = mask is not None and bool(mask.any())
    if said == "unsure":
        return said, mask is not None
    if said == "anomalous":
        return said, is_marked
    return ("anomalous" if is_marked else "normal"), True


def _mask_later(mask: Callable[[], Mask | None], data: Callable[[], bytes], name: str) -> Callable[[], Mask | None]:
    return partial(_mask_or_empty, mask, data, name)


def _mask_or_empty(mask: Callable[[], Mask | None], data: Callable[[], bytes], name: str) -> Mask:
    found = mask()
    return empty_mask(data, name) if found is None else found
