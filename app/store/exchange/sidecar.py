"""oddity.json: what a format has no place for, so that one's own export comes back as it was.

An entry holds only while the annotation beside it is byte for byte what was exported; who edited it in another program
gets what that program says.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.store.exchange.base import Annotated
from app.store.exchange.fields import record, records, text, whole
from app.store.exchange.marks import classes_of
from app.store.exchange.reading import Inside, JsonValue
from app.store.records import LABELS, DefectClass, Label, Revision, Source
from models.errors import DataError

FILE_NAME: Final = "oddity.json"
VERSION: Final = 1
_MOST_CLASSES: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """What was exported of one image beside what the format says."""

    file: str  # relative to the folder, "/" between the parts
    name: str  # of the picture, as the workspace knows it
    label: Label
    has_mask: bool
    annotation: str  # SHA-256 of what the format wrote of the annotation; of nothing where it wrote nothing
    classes: tuple[DefectClass, ...]
    author: str
    note: str
    source: Source


class Ledger:
    """Collects the entries of one export and writes them."""

    def __init__(self, format_name: str) -> None:
        self._format = format_name
        self._images: list[dict[str, JsonValue]] = []

    def add(self, item: Annotated, file: str, annotation: bytes) -> None:
        """Note one image.

        Args:
            item: what was exported.
            file: the picture's path in the export.
            annotation: the bytes that the format wrote for this image's annotation.
        """
        height, width = item.image.size_hw
        said: dict[str, JsonValue] = {
            "file": file,
            "digest": item.image.digest,
            "name": item.image.name,
            "height": height,
            "width": width,
        }
        self._images.append({**said, **state(item), "annotation_sha256": hashlib.sha256(annotation).hexdigest()})

    def write(self, folder: Path) -> None:
        """Write oddity.json."""
        with (folder / FILE_NAME).open("w", encoding="utf-8", newline="\n") as file:
            start = {"oddity_export": VERSION, "format": self._format}
            file.write(json.dumps(start)[:-1] + ', "images": [')
            for number, image in enumerate(self._images):
                file.write((",\n" if number else "\n") + json.dumps(image, ensure_ascii=False))
            file.write("\n]}\n")


def state(item: Annotated) -> dict[str, JsonValue]:
    """What a revision says apart from its mask, as JSON."""
    revision = item.revision
    points: list[JsonValue] = [
        {"x": each.point_xy[0], "y": each.point_xy[1], "name": each.name} for each in classes_of(revision.regions)
    ]
    return {
        "label": revision.label,
        "has_mask": item.mask is not None,
        "classes": points,
        "author": revision.author,
        "saved_at": revision.saved_at.isoformat(),
        "note": revision.note,
        "source": _source(revision),
    }


class Sidecar:
    """The entries of a folder by the path of their picture; empty where there is no oddity.json or none of ours."""

    def __init__(self, inside: Inside, format_name: str) -> None:
        self._entries: Mapping[str, Entry] = {}
        if inside.has(FILE_NAME):
            content = record(inside.json_of(FILE_NAME), FILE_NAME)
            version = content.get("oddity_export")
            if version != VERSION:
                raise DataError(
                    f"{FILE_NAME} has the version {str(version)[:20]!r} and {VERSION} is read here; update the program."
                )
            if content.get("format") == format_name:
                entries = (entry_of(image, format_name) for image in records(content.get("images"), FILE_NAME))
                self._entries = {entry.file: entry for entry in entries}

    def get(self, file: str, annotation: bytes) -> Entry | None:
        """The entry of a picture, if its annotation is still what was exported."""
        entry = self._entries.get(file)
        return entry if entry is not None and entry.annotation == hashlib.sha256(annotation).hexdigest() else None

    def name_of(self, file: str) -> str:
        """What the picture was called in the workspace it came from, else the file's own name."""
        entry = self._entries.get(file)
        return entry.name if entry is not None else file.rpartition("/")[2]


def entry_of(said: Mapping[str, JsonValue], format_name: str) -> Entry:
    """An entry as it stands in a file.

    Raises:
        DataError: it is no entry.
    """
    label, file = said.get("label"), text(said.get("file"))
    if label not in LABELS:
        raise DataError(f"{FILE_NAME} calls {file[:200]!r} {str(label)[:20]!r}, which is no label; export it again.")
    points = records(said.get("classes"), "The classes in " + FILE_NAME)[:_MOST_CLASSES]
    source = record(said.get("source") or {}, "A source in " + FILE_NAME)
    came = (text(source.get(key), 200) for key in ("kind", "detail"))
    detail = "; ".join(part for part in (f"{format_name} saved {text(said.get('saved_at'), 40)}", *came) if part)
    return Entry(
        file=file,
        name=text(said.get("name"), 1000) or file.rpartition("/")[2],
        label=label,
        has_mask=said.get("has_mask") is True,
        annotation=text(said.get("annotation_sha256")),
        classes=tuple(
            DefectClass((whole(each.get("x"), "x"), whole(each.get("y"), "y")), text(each.get("name"), 100))
            for each in points
            if text(each.get("name"), 100)
        ),
        author=text(said.get("author"), 200),
        note=text(said.get("note")),
        source=Source(
            kind="import",
            preset=text(source.get("preset")),
            checkpoint=text(source.get("checkpoint")),
            settings=text(source.get("settings"), 100_000),
            detail=detail,
        ),
    )


def _source(revision: Revision) -> dict[str, JsonValue]:
    source = revision.source
    return {
        "kind": source.kind,
        "preset": source.preset,
        "checkpoint": source.checkpoint,
        "settings": source.settings,
        "detail": source.detail,
    }
