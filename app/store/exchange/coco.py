"""Instances as COCO writes them: one JSON, one annotation per region with compressed run lengths, the images beside.

Source: https://cocodataset.org/#format-data.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

from app.store.exchange import rle
from app.store.exchange.base import Annotated, Found, Refusal
from app.store.exchange.coco_reading import evidence, read_instances
from app.store.exchange.finding import Finder
from app.store.exchange.marks import NO_CLASS, marked_regions
from app.store.exchange.reading import Inside, JsonValue
from app.store.exchange.writing import ExportFolder
from models.errors import DataError

_FILE: Final = "annotations/instances.json"
_LOOKS: Final = re.compile(rb'^(?!.*"oddity_export").*"(annotations|categories|licenses)"\s*:\s*\[', re.DOTALL)
_DEPTH: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class CocoFormat:
    """COCO instances."""

    name: str = "coco"
    title: str = "COCO instances (RLE)"

    def write(self, items: Iterable[Annotated], folder: Path, report: Callable[[str], None]) -> None:
        """See `Format`."""
        out = ExportFolder(folder, self.name)
        target = folder / _FILE
        target.parent.mkdir()
        parts = target.with_suffix(".part")
        categories: dict[str, int] = {}
        # The annotations follow the images in the file but come with them, so they wait in a file of their own.
        with target.open("w", encoding="utf-8") as file, parts.open("w+", encoding="utf-8") as waiting:
            file.write(
                '{"info": {"description": "Exported by Oddity", "version": "1.0"},\n"licenses": [],\n"images": ['
            )
            done = 0
            for number, item in enumerate(items, start=1):
                image = out.place(item, "images")
                height, width = item.image.size_hw
                said: dict[str, JsonValue] = {
                    "id": number,
                    "file_name": image.removeprefix("images/"),
                    "width": width,
                    "height": height,
                }
                _write_one(file, {**said, "oddity": {"label": item.revision.label}}, number)
                annotations = _annotations(item, number, done + 1, categories)
                names = {number: name for name, number in categories.items()}
                for annotation in annotations:
                    done += 1
                    _write_one(waiting, annotation, done)
                out.note(item, image, evidence(annotations, names))
            file.write('],\n"annotations": [')
            waiting.seek(0)
            for line in waiting:
                file.write(line)
            named = [{"id": number, "name": name, "supercategory": NO_CLASS} for name, number in categories.items()]
            file.write(f'],\n"categories": {json.dumps(named, ensure_ascii=False)}}}\n')
        parts.unlink()
        out.finish()

    def recognises(self, folder: Path) -> bool:
        """See `Format`."""
        return next(_instance_files(Inside(folder)), None) is not None

    def read(self, folder: Path, refuse: Callable[[Refusal], None]) -> Iterator[Found]:
        """See `Format`.  An image in another program's file that has no annotation counts as not annotated."""
        finder = Finder(folder, self.name, refuse)
        files = list(_instance_files(finder.inside))
        if not files:
            raise DataError(f"{folder} holds no JSON with COCO's images and annotations; choose the folder that does.")
        for file in files:
            try:
                yield from read_instances(finder, file)
            except DataError as error:
                refuse(Refusal(file, str(error)))


def _annotations(item: Annotated, image: int, first: int, categories: dict[str, int]) -> list[dict[str, JsonValue]]:
    """One for each region; gives numbers to the categories that it meets first."""
    if item.mask is None or not item.revision.regions:
        return []
    size_hw = item.image.size_hw
    found: list[dict[str, JsonValue]] = []
    for number, marked in enumerate(marked_regions(item.mask, item.revision.regions), start=first):
        region = marked.region
        left, top, right, bottom = region.box_xyxy
        found.append(
            {
                "id": number,
                "image_id": image,
                "category_id": categories.setdefault(region.defect_class or NO_CLASS, len(categories) + 1),
                "area": region.area_px,
                "bbox": [left, top, right - left, bottom - top],
                "iscrowd": 1,  # by COCO's custom, run lengths are given for these
                "segmentation": {"size": list(size_hw), "counts": rle.encode(marked.ys, marked.xs, size_hw)},
            }
        )
    return found


def _write_one(file: TextIO, value: dict[str, JsonValue], number: int) -> None:
    file.write((",\n" if number > 1 else "\n") + json.dumps(value, ensure_ascii=False))


def _instance_files(inside: Inside) -> Iterator[str]:
    """The JSON files that look like COCO's, by their beginning."""
    for file in inside.files():
        if file.endswith(".json") and file.count("/") <= _DEPTH:
            beginning = inside.beginning(file)
            if beginning.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and _LOOKS.search(beginning):
                yield file
