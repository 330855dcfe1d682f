"""Outlines as YOLO's segmentation reads them: images/, labels/STEM.txt, one outline a line, data.yaml with the names.

What the format cannot say lies aside, where a training does not look: unsure images, and anomalous ones whose pixels
nobody marked.  Coordinates are shares of width and height; outlines run along the edges of pixels, see `outlines`.

Source: https://docs.ultralytics.com/datasets/segment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
import yaml

from app.store.exchange import polygons
from app.store.exchange.areas import Area, united
from app.store.exchange.base import Annotated, Found, Refusal
from app.store.exchange.finding import Finder, Marks
from app.store.exchange.marks import NO_CLASS, marked_regions, upright_size
from app.store.exchange.outlines import outline
from app.store.exchange.reading import MAX_TEXT_BYTES, Inside
from app.store.exchange.writing import ExportFolder
from models.errors import DataError

_ASIDE: Final = "aside/"
_NAMES: Final = "data.yaml"
_MOST_BYTES_OF_NAMES: Final = 1_000_000
_HEAD: Final = """\
# Outlines for YOLO's segmentation.  A picture with an empty text is normal.  aside/ holds what this format cannot say.
path: .
train: images
val: images
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class YoloSegFormat:
    """YOLO segmentation outlines."""

    name: str = "yolo-seg"
    title: str = "YOLO segmentation"

    def write(self, items: Iterable[Annotated], folder: Path, report: Callable[[str], None]) -> None:
        """See `Format`."""
        out = ExportFolder(folder, self.name)
        classes: dict[str, int] = {}
        for item in items:
            is_aside = item.revision.label == "unsure" or item.mask is None
            root = _ASIDE if is_aside else ""
            file = out.place(item, f"{root}images")
            lines = "".join(_lines(item, classes)).encode()
            if item.mask is not None:
                out.put(f"{root}labels/{PurePosixPath(file).stem}.txt", lines)
            out.note(item, file, lines)
        names = {number: name for name, number in classes.items()}
        out.put(_NAMES, (_HEAD + yaml.safe_dump({"names": names}, allow_unicode=True)).encode())
        out.finish()

    def recognises(self, folder: Path) -> bool:
        """See `Format`."""
        inside = Inside(folder)
        texts = (file for file in inside.files() if file.endswith(".txt"))
        return any("labels" in PurePosixPath(file).parts[:-1] for file in texts)

    def read(self, folder: Path, refuse: Callable[[Refusal], None]) -> Iterator[Found]:
        """See `Format`.  An empty text is a normal image, a missing one an image that is not annotated."""
        finder = Finder(folder, self.name, refuse)
        names = _names(finder)
        for file in finder.inside.pictures(refuse=refuse):
            parts = PurePosixPath(file).parts
            if "images" not in parts[:-1]:
                continue
            place = len(parts) - 1 - parts[::-1].index("images")
            text = PurePosixPath(*parts[:place], "labels", *parts[place + 1 :]).with_suffix(".txt").as_posix()
            if finder.inside.has(text):
                yield finder.found_by_file(file, text, partial(_marks, finder.inside, file, text, names))
            elif file.startswith(_ASIDE):
                yield finder.found(file, b"", lambda: (None, ()), "anomalous")
            else:
                yield finder.bare(file)


def _lines(item: Annotated, classes: dict[str, int]) -> Iterator[str]:
    """One line for each region; gives numbers to the classes that it meets first."""
    if item.mask is None or not item.revision.regions:
        return
    height, width = item.image.size_hw
    for marked in marked_regions(item.mask, item.revision.regions):
        number = classes.setdefault(marked.region.defect_class or NO_CLASS, len(classes))
        left, top, _, _ = marked.region.box_xyxy
        shares = (outline(marked.crop) + np.array((left, top))) / (width, height)
        yield f"{number} {' '.join(format(share, '.10g') for share in shares.ravel().tolist())}\n"


def _names(finder: Finder) -> Mapping[int, str]:
    """The classes by number, from data.yaml."""
    if not finder.inside.has(_NAMES):
        return {}
    try:
        content = yaml.safe_load(finder.inside.bytes_of(_NAMES, _MOST_BYTES_OF_NAMES))
    except (DataError, yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError) as error:
        first_line = (str(error).splitlines() or ["it is damaged"])[0]
        finder.refuse(Refusal(_NAMES, f"The classes' names cannot be read ({first_line}); correct the file."))
        return {}
    names = content.get("names") if isinstance(content, dict) else None
    pairs = names.items() if isinstance(names, dict) else enumerate(names if isinstance(names, list) else ())
    return {key: name for key, name in pairs if isinstance(key, int) and isinstance(name, str)}


def _marks(inside: Inside, file: str, text: str, names: Mapping[int, str]) -> Marks:
    size = upright_size(inside.bytes_of(file), file)
    return united(_areas(inside.bytes_of(text, MAX_TEXT_BYTES), text, names, size), size)


def _areas(data: bytes, text: str, names: Mapping[int, str], size: tuple[int, int]) -> Iterator[tuple[Area, str]]:
    for line in filter(str.strip, data.decode("utf-8-sig", errors="replace").splitlines()):
        number, corners = _numbers(line, text)
        yield polygons.fill(corners * (size[1], size[0]), size), names.get(number, f"class {number}")


def _numbers(line: str, text: str) -> tuple[int, np.ndarray]:
    """The class and the corners, (n, 2), in shares."""
    try:
        number, *values = (float(part) for part in line.split())
    except ValueError as error:
        raise DataError(f"{text} has a line {line[:50]!r} that is no list of numbers; export it again.") from error
    if len(values) == 4:
        raise DataError(f"{text} has boxes, no outlines; export it for segmentation.")
    corners = np.array(values)
    if len(corners) % 2 or not (np.abs(corners) <= 10).all() or not 0 <= number < 2**31:
        raise DataError(f"{text} has a line {line[:50]!r} that is no class and pairs of shares; export it again.")
    return int(number), corners.reshape(-1, 2)
