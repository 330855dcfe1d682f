"""Plain pairs of pictures: images/NAME and masks/STEM.png, 0 and 255, with the labels in labels.csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final, cast

from app.store.exchange.base import Annotated, Found, Refusal
from app.store.exchange.finding import Finder, Marks
from app.store.exchange.marks import mask_of_file, png_255
from app.store.exchange.reading import MAX_TEXT_BYTES, Inside
from app.store.exchange.writing import ExportFolder
from app.store.records import LABELS, Label
from models.errors import DataError

_TABLE: Final = "labels.csv"
_COLUMNS: Final = ("image", "mask", "label", "defect_classes")
_MASK_FOLDERS: Final = ("masks", "mask", "ground_truth", "labels")
_IMAGE_FOLDERS: Final = ("images", "image", "imgs")


@dataclass(frozen=True, slots=True, kw_only=True)
class MasksFormat:
    """Plain pairs of PNG."""

    name: str = "masks"
    title: str = "Images and masks as PNG"

    def write(self, items: Iterable[Annotated], folder: Path, report: Callable[[str], None]) -> None:
        """See `Format`.  A normal image gets an empty mask, one whose pixels nobody marked gets none."""
        out = ExportFolder(folder, self.name)
        with (folder / _TABLE).open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(_COLUMNS)
            for item in items:
                image = out.place(item, "images")
                mask_png = b"" if item.mask is None else png_255(item.mask)
                mask = f"masks/{PurePosixPath(image).stem}.png" if mask_png else ""
                if mask_png:
                    out.put(mask, mask_png)
                names = dict.fromkeys(region.defect_class for region in item.revision.regions if region.defect_class)
                table.writerow((image, mask, item.revision.label, _harmless("; ".join(names))))
                out.note(item, image, mask_png)
        out.finish()

    def recognises(self, folder: Path) -> bool:
        """See `Format`."""
        inside = Inside(folder)
        images, masks = _folders(inside)
        return bool(masks) and any(True for _ in inside.pictures(images)) and any(True for _ in inside.pictures(masks))

    def read(self, folder: Path, refuse: Callable[[Refusal], None]) -> Iterator[Found]:
        """See `Format`.  A picture without a mask is not annotated, unless labels.csv says what it is."""
        finder = Finder(folder, self.name, refuse)
        images, masks = _folders(finder.inside)
        if not masks:
            raise DataError(f"{folder} has no folder 'masks' beside 'images'; name the folders so.")
        labels = _labels(finder)
        mask_of = {PurePosixPath(file).stem: file for file in finder.inside.pictures(masks, refuse)}
        for file in finder.inside.pictures(images, refuse):
            stem, said = PurePosixPath(file).stem, labels.get(file)
            mask = mask_of.get(stem, mask_of.get(f"{stem}_mask"))
            if mask is not None:
                yield finder.found_by_file(file, mask, partial(_marks, finder.inside, mask), said)
            elif said is not None:
                yield finder.found(file, b"", lambda: (None, ()), said)
            else:
                yield finder.bare(file)


def _folders(inside: Inside) -> tuple[str, str]:
    """The folder of the images and that of the masks; "" for one that is not there."""
    there = {name.casefold(): name for name in inside.folders()}
    images = next((there[name] for name in _IMAGE_FOLDERS if name in there), "")
    masks = next((there[name] for name in _MASK_FOLDERS if name in there), "")
    return images, masks if images else ""


def _marks(inside: Inside, mask: str) -> Marks:
    return mask_of_file(inside.bytes_of(mask), mask), ()


def _labels(finder: Finder) -> Mapping[str, Label]:
    """From an image's path to its label, as labels.csv says; what is no label there is passed over."""
    if not finder.inside.has(_TABLE):
        return {}
    try:
        content = finder.inside.bytes_of(_TABLE, MAX_TEXT_BYTES).decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(content, newline="")))
    except (DataError, UnicodeDecodeError, csv.Error) as error:
        finder.refuse(Refusal(_TABLE, f"It cannot be read ({error}); save it as UTF-8 with commas."))
        return {}
    return {row["image"]: cast(Label, row["label"]) for row in rows if row.get("image") and row.get("label") in LABELS}


def _harmless(cell: str) -> str:
    """Text that a spreadsheet does not take for a formula."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
