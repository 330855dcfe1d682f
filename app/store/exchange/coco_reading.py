"""COCO's instances back to images with masks; polygons, run lengths as numbers and as text."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import PurePosixPath

import numpy as np

from app.store.exchange import polygons, rle
from app.store.exchange.areas import Area, united
from app.store.exchange.base import Found, Refusal
from app.store.exchange.fields import numbers, record, records, size_hw, text, whole
from app.store.exchange.finding import Finder, Marks
from app.store.exchange.reading import JsonValue
from app.store.records import LABELS, Label
from models.errors import DataError

_Record = dict[str, JsonValue]
_IMAGE_FOLDERS = ("images/", "data/", "")


def evidence(annotations: Iterable[_Record], names: Mapping[int, str]) -> bytes:
    """The bytes by which an image's untouched annotations are recognised.

    Args:
        annotations: of one image, in the file's order.
        names: of the categories.
    """
    keys = ("bbox", "segmentation", "iscrowd")
    kept = []
    for each in annotations:
        number = each.get("category_id")
        kept.append([names.get(number) if isinstance(number, int) else None, *(each.get(key) for key in keys)])
    return json.dumps(kept, sort_keys=True).encode() if kept else b""


def read_instances(finder: Finder, file: str) -> Iterator[Found]:
    """The images of one JSON file.

    Args:
        finder: of the whole folder.
        file: the JSON.
    Raises:
        DataError: the file as a whole is not as COCO's are.
    """
    content = record(finder.inside.json_of(file), file)
    names = {whole(each.get("id"), "A category's id"): text(each.get("name"), 200)
             for each in records(content.get("categories"), "categories")}  # fmt: skip
    of_image: dict[int, list[_Record]] = defaultdict(list)
    for annotation in records(content.get("annotations"), "annotations"):
        of_image[whole(annotation.get("image_id"), "An annotation's image_id")].append(annotation)
    places = _Places(finder, file)
    for image in records(content.get("images"), "images"):
        name = text(image.get("file_name"), 1000)
        try:
            picture = places.find(name)
            annotations = of_image.get(whole(image.get("id"), "An image's id"), [])
            yield _found(finder, picture, image, annotations, names)
        except DataError as error:
            finder.refuse(Refusal(name or file, str(error)))


def _found(finder: Finder, picture: str, image: _Record, annotations: list[_Record], names: Mapping[int, str]) -> Found:
    oddity = image.get("oddity")
    said = oddity.get("label") if isinstance(oddity, dict) else None
    label: Label | None = said if said in LABELS else None
    if not annotations and label is None:
        return finder.bare(picture)
    size = size_hw(image.get("height"), image.get("width"))
    marks = partial(_marks, annotations, names, size)
    return finder.found(picture, evidence(annotations, names), marks, label)


def _marks(annotations: list[_Record], names: Mapping[int, str], size: tuple[int, int]) -> Marks:
    if not annotations:
        return None, ()
    return united(_areas(annotations, names, size), size)


def _areas(annotations: list[_Record], names: Mapping[int, str], size: tuple[int, int]) -> Iterator[tuple[Area, str]]:
    for annotation in annotations:
        name = names.get(whole(annotation.get("category_id"), "A category_id"), "")
        segmentation = annotation.get("segmentation")
        if isinstance(segmentation, dict):
            yield from ((area, name) for area in _of_runs(segmentation, size))
        elif isinstance(segmentation, list) and segmentation:
            for polygon in segmentation:
                corners = numbers(polygon, "A polygon")
                yield polygons.fill(np.array(corners[: len(corners) // 2 * 2]).reshape(-1, 2), size), name
        else:
            raise DataError("An annotation has a box but no segmentation; export it with masks or polygons.")


def _of_runs(segmentation: _Record, size: tuple[int, int]) -> tuple[Area, ...]:
    stated = segmentation.get("size")
    if not isinstance(stated, list) or len(stated) != 2 or size_hw(*stated) != size:
        raise DataError(f"A mask has the size {str(stated)[:50]}, its image {list(size)}; export it again.")
    counts = segmentation.get("counts")
    return rle.decode(counts if isinstance(counts, str) else numbers(counts, "A mask's counts"), size)


class _Places:
    """Where the pictures lie that a JSON names: programs disagree on what the names are relative to."""

    def __init__(self, finder: Finder, file: str) -> None:
        self._inside = finder.inside
        above = PurePosixPath(file).parent
        self._starts = tuple(
            "" if str(start) == "." else f"{start}/" for start in dict.fromkeys((above, above.parent, PurePosixPath()))
        )
        self._by_name: dict[str, list[str]] | None = None

    def find(self, name: str) -> str:
        """The picture's path in the folder.

        Raises:
            DataError: the name leads outside, or there is no such picture, or more than one.
        """
        self._inside.path(name)
        for start in self._starts:
            for folder in _IMAGE_FOLDERS:
                if self._inside.has(f"{start}{folder}{name}"):
                    return f"{start}{folder}{name}"
        if self._by_name is None:
            self._by_name = defaultdict(list)
            for picture in self._inside.pictures():
                self._by_name[PurePosixPath(picture).name].append(picture)
        found = self._by_name.get(PurePosixPath(name).name, [])
        if len(found) != 1:
            raise DataError(f"There are {len(found)} pictures of this name in the folder; put exactly one there.")
        return found[0]
