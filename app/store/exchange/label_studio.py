"""Tasks as Label Studio exports them: brush masks as bit-packed run lengths, the image's label as a choice.

tasks.json names the images by the path of Label Studio's local files; config.xml is the labelling set-up that fits.

Source: https://labelstud.io/guide/export and https://labelstud.io/tags/brushlabels.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import numpy as np

from app.store.exchange import brush_rle
from app.store.exchange.base import Annotated, Found, Refusal
from app.store.exchange.finding import Finder
from app.store.exchange.label_studio_reading import CHOICE, TAG, evidence, read_tasks
from app.store.exchange.marks import NO_CLASS, MarkedRegion, clean_class, marked_regions
from app.store.exchange.reading import Inside, JsonValue
from app.store.exchange.writing import ExportFolder
from app.store.records import LABELS
from models.errors import DataError

_FILE: Final = "tasks.json"
_LOCAL: Final = "/data/local-files/?d="


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelStudioFormat:
    """Label Studio's tasks."""

    name: str = "label-studio"
    title: str = "Label Studio (brush)"

    def write(self, items: Iterable[Annotated], folder: Path, report: Callable[[str], None]) -> None:
        """See `Format`."""
        out = ExportFolder(folder, self.name)
        classes: dict[str, None] = {NO_CLASS: None}
        with (folder / _FILE).open("w", encoding="utf-8") as file:
            file.write("[")
            for number, item in enumerate(items, start=1):
                image = out.place(item, "images")
                results = _results(item, classes)
                annotation = {"result": results, "was_cancelled": False, "ground_truth": False}
                task = {"id": number, "data": {"image": _LOCAL + quote(image)}, "annotations": [annotation]}
                file.write((",\n" if number > 1 else "\n") + json.dumps(task, ensure_ascii=False))
                out.note(item, image, evidence(results))
            file.write("\n]\n")
        out.put("config.xml", _config(classes).encode())
        out.finish()

    def recognises(self, folder: Path) -> bool:
        """See `Format`."""
        return next(_task_files(Inside(folder)), None) is not None

    def read(self, folder: Path, refuse: Callable[[Refusal], None]) -> Iterator[Found]:
        """See `Format`.  The newest annotation of a task counts; a task without one is not annotated."""
        finder = Finder(folder, self.name, refuse)
        files = list(_task_files(finder.inside))
        if not files:
            raise DataError(f"{folder} holds no JSON with Label Studio's tasks; choose the folder that does.")
        for file in files:
            try:
                yield from read_tasks(finder, file)
            except DataError as error:
                refuse(Refusal(file, str(error)))


def _results(item: Annotated, classes: dict[str, None]) -> list[dict[str, JsonValue]]:
    height, width = item.image.size_hw
    start = item.image.digest[:10]
    size: dict[str, JsonValue] = {"original_width": width, "original_height": height, "image_rotation": 0}
    label: dict[str, JsonValue] = {"choices": [item.revision.label]}
    kind: dict[str, JsonValue] = {"from_name": CHOICE, "to_name": "image", "type": "choices"}
    results: list[dict[str, JsonValue]] = [{"id": start, **kind, **size, "value": label}]
    if item.mask is None or not item.revision.regions:
        return results
    of_class: dict[str, list[MarkedRegion]] = defaultdict(list)
    for marked in marked_regions(item.mask, item.revision.regions):
        of_class[clean_class(marked.region.defect_class) or NO_CLASS].append(marked)
    # Each result says something of every pixel, so one for each region would grow with their product.
    for number, (name, regions) in enumerate(of_class.items(), start=1):
        classes[name] = None
        flat = np.sort(np.concatenate([marked.ys * width + marked.xs for marked in regions]))
        runs: list[JsonValue] = [*brush_rle.encode(*np.divmod(flat, width), item.image.size_hw)]
        kind = {"from_name": TAG, "to_name": "image", "type": "brushlabels"}
        value: dict[str, JsonValue] = {"format": "rle", "rle": runs, "brushlabels": [name]}
        results.append({"id": f"{start}-{number}", **kind, **size, "value": value})
    return results


def _config(classes: Iterable[str]) -> str:
    labels = "".join(f"    <Label value={quoteattr(name)}/>\n" for name in classes)
    choices = "".join(f"    <Choice value={quoteattr(label)}/>\n" for label in LABELS)
    return (
        '<View>\n  <Image name="image" value="$image" zoom="true"/>\n'
        f'  <BrushLabels name="{TAG}" toName="image">\n{labels}  </BrushLabels>\n'
        f'  <Choices name="{CHOICE}" toName="image">\n{choices}  </Choices>\n</View>\n'
    )


def _task_files(inside: Inside) -> Iterator[str]:
    """The JSON files that begin like a list of tasks."""
    for file in inside.files():
        if file.endswith(".json") and "/" not in file:
            beginning = inside.beginning(file)
            if beginning.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[") and b'"data"' in beginning:
                yield file
