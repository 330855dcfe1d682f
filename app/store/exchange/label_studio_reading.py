"""Label Studio's tasks back to images with masks: brushes, polygons, rectangles and ellipses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final, cast
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from app.store.exchange import brush_rle, polygons
from app.store.exchange.areas import Area, united
from app.store.exchange.base import Found, Refusal
from app.store.exchange.fields import numbers, record, records, size_hw, text
from app.store.exchange.finding import Finder, Marks
from app.store.exchange.reading import Inside, JsonValue
from app.store.records import LABELS, Label
from models.errors import DataError

TAG: Final = "tag"
CHOICE: Final = "label"
_Record = dict[str, JsonValue]
_AREAS: Final = ("brush", "polygon", "rectangle", "ellipse")


def evidence(results: Sequence[_Record]) -> bytes:
    """The bytes by which an image's untouched annotation is recognised."""
    kept = [(each.get("type"), each.get("value")) for each in results]
    return json.dumps(kept, sort_keys=True).encode()


def read_tasks(finder: Finder, file: str) -> Iterator[Found]:
    """The tasks of one JSON file.

    Raises:
        DataError: the file as a whole is no list of tasks.
    """
    for number, task in enumerate(records(finder.inside.json_of(file), file), start=1):
        try:
            picture = _picture(finder.inside, record(task.get("data"), "A task's data"))
            results = _results(task)
        except DataError as error:
            finder.refuse(Refusal(f"{file}, task {number}", str(error)))
            continue
        if results is None:
            yield finder.bare(picture)
        else:
            yield finder.found(picture, evidence(results), partial(_marks, results), _label(results))


def _picture(inside: Inside, data: _Record) -> str:
    """The path of a task's image: the longest end of what the task names that is in the folder."""
    named = next((value for key, value in data.items() if key == "image"), next(iter(data.values()), ""))
    try:
        address = urlsplit(text(named, 2000))
    except ValueError as error:
        raise DataError(f"Its image {text(named, 200)!r} is no address ({error}); correct it in the file.") from error
    path = parse_qs(address.query).get("d", [unquote(address.path)])[0].replace("\\", "/")
    parts = [part for part in path.split("/") if part]
    if ".." in parts:
        raise DataError(f"It names {path[:200]!r}, which leads out of the folder; correct it there.")
    ends = ("/".join(parts[start:]) for start in range(len(parts)))
    found = next((f"{folder}{end}" for end in ends for folder in ("", "images/") if inside.has(f"{folder}{end}")), "")
    if not found:
        raise DataError(f"Its image {path[:200]!r} is not in the folder; put it there, below 'images'.")
    return found


def _results(task: _Record) -> list[_Record] | None:
    """What the newest annotation holds; None where nobody finished one."""
    annotations = records(task.get("annotations"), "annotations")
    finished = [each for each in annotations if each.get("was_cancelled") is not True]
    if not finished:
        return None
    newest = max(finished, key=lambda each: text(each.get("updated_at")) or text(each.get("created_at")))
    return records(newest.get("result"), "result")


def _label(results: list[_Record]) -> Label | None:
    for result in results:
        value = result.get("value")
        choices = value.get("choices") if isinstance(value, dict) else None
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, str) and choice.casefold() in LABELS:
                return cast(Label, choice.casefold())
    return None


def _marks(results: list[_Record]) -> Marks:
    areas = [result for result in results if _kind(result) in _AREAS]
    if not areas:
        return None, ()
    sizes = {size_hw(result.get("original_height"), result.get("original_width")) for result in areas}
    if len(sizes) != 1 or any(result.get("image_rotation") for result in areas):
        raise DataError("Its masks have different sizes or are turned; turn the image back and export it again.")
    size = sizes.pop()
    return united(_named_areas(areas, size), size)


def _kind(result: _Record) -> str:
    return text(result.get("type")).removesuffix("labels")


def _named_areas(results: list[_Record], size: tuple[int, int]) -> Iterator[tuple[Area, str]]:
    for result in results:
        kind, value = _kind(result), record(result.get("value"), "A value")
        names = value.get(f"{kind}labels")
        name = text(names[0]) if isinstance(names, list) and names else ""
        yield from ((area, name) for area in _areas(kind, value, size))


def _areas(kind: str, value: _Record, size: tuple[int, int]) -> tuple[Area, ...]:
    if kind == "brush":
        return brush_rle.decode(_bytes(value), size)
    shares = np.array((size[1], size[0])) / 100  # Label Studio counts in percent
    if kind == "polygon":
        points = value.get("points")
        corners = [numbers(point, "A point") for point in points] if isinstance(points, list) else []
        if any(len(corner) != 2 for corner in corners):
            raise DataError("A polygon has a point that is no pair; draw it again.")
        return (polygons.fill(np.array(corners).reshape(-1, 2) * shares, size),)
    if value.get("rotation"):
        raise DataError(f"A turned {kind} is not read; draw it as a polygon or with the brush.")
    keys = ("x", "y", "width", "height") if kind == "rectangle" else ("x", "y", "radiusX", "radiusY")
    x, y, across, down = numbers([value.get(key) for key in keys], f"A {kind}")
    (x, y), (across, down) = (x, y) * shares, (across, down) * shares
    if kind == "rectangle":
        return (polygons.rectangle((x, y, x + across, y + down), size),)
    return (polygons.ellipse((x, y), (across, down), size),)


def _bytes(value: _Record) -> bytes:
    if value.get("format") != "rle":
        raise DataError(f"A brush mask has the format {text(value.get('format'))!r}, not 'rle'; export it as JSON.")
    given = numbers(value.get("rle"), "A brush mask")
    try:
        return bytes(int(each) for each in given)
    except ValueError as error:
        raise DataError("A brush mask is no list of bytes; export it again.") from error
