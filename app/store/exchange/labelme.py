"""Annotations as labelme keeps them: one JSON beside each picture, masks as PNG of their box (labelme 5.2 and later).

Source: https://github.com/wkentaro/labelme.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np

from app.store.exchange import polygons
from app.store.exchange.areas import Area, united
from app.store.exchange.base import Annotated, Found, Refusal
from app.store.exchange.fields import numbers, record, records, text
from app.store.exchange.finding import Finder, Marks
from app.store.exchange.marks import NO_CLASS, MarkedRegion, marked_regions, upright_size
from app.store.exchange.reading import MAX_TEXT_BYTES, Inside, JsonValue, json_from
from app.store.exchange.writing import ExportFolder
from app.store.masks import decode_png, encode_png
from app.store.records import LABELS, Label
from models.data.pictures import SUFFIXES
from models.errors import DataError

_VERSION: Final = "5.5.0"
_LOOKS: Final = re.compile(rb'"(shapes"\s*:\s*\[|imagePath"\s*:)')
_NO_AREA: Final = ("line", "linestrip", "point", "points")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelmeFormat:
    """labelme's JSON."""

    name: str = "labelme"
    title: str = "LabelMe"

    def write(self, items: Iterable[Annotated], folder: Path, report: Callable[[str], None]) -> None:
        """See `Format`."""
        out = ExportFolder(folder, self.name)
        for item in items:
            file = out.place(item, "images")
            height, width = item.image.size_hw
            regions = [] if item.mask is None else marked_regions(item.mask, item.revision.regions)
            content = {
                "version": _VERSION,
                "flags": {label: label == item.revision.label for label in LABELS},
                "shapes": [_shape(region) for region in regions],
                "imagePath": PurePosixPath(file).name,
                "imageData": None,
                "imageHeight": height,
                "imageWidth": width,
            }
            data = json.dumps(content, ensure_ascii=False, indent=1).encode()
            out.put(PurePosixPath(file).with_suffix(".json").as_posix(), data)
            out.note(item, file, data)
        out.finish()

    def recognises(self, folder: Path) -> bool:
        """See `Format`."""
        inside = Inside(folder)
        return any(_LOOKS.search(inside.beginning(file)) for file in inside.files() if file.endswith(".json"))

    def read(self, folder: Path, refuse: Callable[[Refusal], None]) -> Iterator[Found]:
        """See `Format`.  Pictures without a JSON are not annotated."""
        finder = Finder(folder, self.name, refuse)
        inside = finder.inside
        taken: set[str] = set()
        for file in (file for file in inside.files(refuse=refuse) if file.endswith(".json")):
            if _LOOKS.search(inside.beginning(file)):
                try:
                    found, picture = _read_file(finder, file)
                except DataError as error:
                    refuse(Refusal(file, str(error)))
                    continue
                taken.add(picture)
                yield found
        yield from (finder.bare(file) for file in inside.pictures() if file not in taken)


def _shape(marked: MarkedRegion) -> dict[str, JsonValue]:
    left, top, right, bottom = marked.region.box_xyxy
    return {
        "label": marked.region.defect_class or NO_CLASS,
        "points": [[left, top], [right - 1, bottom - 1]],  # labelme counts the last pixel in
        "group_id": None,
        "description": "",
        "shape_type": "mask",
        "flags": {},
        "mask": base64.b64encode(encode_png(marked.crop)).decode("ascii"),
    }


def _read_file(finder: Finder, file: str) -> tuple[Found, str]:
    """What one JSON says, and the path of its picture."""
    annotation = finder.inside.bytes_of(file, MAX_TEXT_BYTES)
    content = record(json_from(annotation, file), file)
    picture = _picture(finder.inside, file, content)
    embedded = None if picture else partial(_embedded, finder.inside, file)
    if embedded is not None:
        picture = posixpath.join(posixpath.dirname(file), PurePosixPath(text(content.get("imagePath"))).name or "image")
        embedded()
    flags = content.get("flags")
    said: list[Label] = [label for label in LABELS if isinstance(flags, dict) and flags.get(label) is True]
    marks = partial(_marks, finder.inside, file, embedded or finder.inside.later(picture))
    label = said[0] if len(said) == 1 else None
    return finder.found(picture, annotation, marks, label, embedded), picture


def _picture(inside: Inside, file: str, content: dict[str, JsonValue]) -> str:
    """The path of the picture that a JSON names; "" where it is in the JSON itself."""
    named = text(content.get("imagePath"), 1000).replace("\\", "/")
    path = posixpath.normpath(posixpath.join(posixpath.dirname(file), named))
    inside.path(path)
    beside = (PurePosixPath(file).with_suffix(ending).as_posix() for ending in sorted(SUFFIXES))
    found = next((each for each in (path, *beside) if inside.has(each)), "")
    if not found and not content.get("imageData"):
        raise DataError(f"Its picture {named!r} is not in the folder; put it beside the JSON.")
    return found


def _embedded(inside: Inside, file: str) -> bytes:
    content = record(json_from(inside.bytes_of(file, MAX_TEXT_BYTES), file), file)
    return _from_base64(content.get("imageData"), "The picture in the JSON")


def _marks(inside: Inside, file: str, data: Callable[[], bytes]) -> Marks:
    content = record(json_from(inside.bytes_of(file, MAX_TEXT_BYTES), file), file)
    shapes = records(content.get("shapes"), "shapes")
    if not shapes:
        return None, ()
    size = upright_size(data(), file)
    return united(((_area(shape, size), text(shape.get("label"))) for shape in shapes), size)


def _area(shape: dict[str, JsonValue], size: tuple[int, int]) -> Area:
    kind = text(shape.get("shape_type")) or "polygon"
    given = shape.get("points")
    corners = [numbers(point, "A point") for point in given] if isinstance(given, list) else []
    needed = {"mask": 2, "rectangle": 2, "circle": 2}.get(kind, len(corners))
    if len(corners) != needed or any(len(point) != 2 for point in corners):
        raise DataError(f"A shape of type {kind[:20]!r} has {len(corners)} points; draw it again.")
    if kind == "mask":
        left, top = (int(number) for number in corners[0])
        return Area(decode_png(_from_base64(shape.get("mask"), "A mask"), "A mask"), left, top)
    if kind == "rectangle":
        return polygons.rectangle((corners[0][0], corners[0][1], corners[1][0], corners[1][1]), size)
    if kind == "circle":
        radius = math.dist(corners[0], corners[1])
        return polygons.ellipse((corners[0][0], corners[0][1]), (radius, radius), size)
    if kind in {"polygon", "oriented_rectangle"}:
        return polygons.fill(np.array(corners).reshape(-1, 2), size)
    without = "has no area" if kind in _NO_AREA else "is unknown here"
    raise DataError(f"A shape of type {kind[:20]!r} {without}; draw a polygon or a mask instead.")


def _from_base64(value: JsonValue, what: str) -> bytes:
    try:
        return base64.b64decode(value if isinstance(value, str) else "", validate=True)
    except (binascii.Error, ValueError) as error:
        raise DataError(f"{what} is no base64 ({error}); save the file again.") from error
