"""Folders as the MVTec Anomaly Detection data set has them, one per category.

CATEGORY/{train,test}/good and CATEGORY/test/DEFECT hold the pictures, CATEGORY/ground_truth/DEFECT/STEM_mask.png the
masks, 0 and 255.

Source: Bergmann et al., The MVTec Anomaly Detection Dataset, IJCV 2021.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final

from app.store.exchange.base import Annotated, Found, Refusal
from app.store.exchange.finding import Finder, Marks
from app.store.exchange.marks import mask_of_file, png_255, same_class
from app.store.exchange.names import safe_name
from app.store.exchange.reading import Inside
from app.store.exchange.writing import ExportFolder

_NORMAL: Final = "good"
_WITHOUT_CLASS: Final = "anomalous"
_SPLITS: Final = ("train", "validation", "test")
_DEPTH: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class MvtecFormat:
    """MVTec folders; what is unsure has no place in them."""

    category: str = "workspace"
    train_share: float = 0.0  # of the normal images, in [0, 1], chosen by their digests; the others are for testing
    name: str = "mvtec"
    title: str = "MVTec AD folders"

    def __post_init__(self) -> None:
        if not 0 <= self.train_share <= 1:
            raise ValueError(f"train_share must be from 0 to 1, got {self.train_share}")

    def write(self, items: Iterable[Annotated], folder: Path, report: Callable[[str], None]) -> None:
        """See `Format`."""
        category = safe_name(self.category, "workspace")
        out = ExportFolder(folder, self.name)
        for item in items:
            if item.revision.label == "unsure":
                report(f"{item.image.name} is marked unsure, for which MVTec folders have no place; it was left out.")
                continue
            if item.revision.label == "normal":
                file, mask_png = out.place(item, f"{category}/{self._split(item.image.digest)}/{_NORMAL}"), b""
            else:
                defect = _defect_folder(item)
                file = out.place(item, f"{category}/test/{defect}")
                mask_png = b"" if item.mask is None else png_255(item.mask)
                if mask_png:
                    out.put(f"{category}/ground_truth/{defect}/{PurePosixPath(file).stem}_mask.png", mask_png)
            out.note(item, file, mask_png)
        out.finish()

    def recognises(self, folder: Path) -> bool:
        """See `Format`."""
        return next(_categories(Inside(folder)), None) is not None

    def read(self, folder: Path, refuse: Callable[[Refusal], None]) -> Iterator[Found]:
        """See `Format`.  A defective picture without ground truth is anomalous, its pixels unmarked."""
        finder = Finder(folder, self.name, refuse)
        for category in _categories(finder.inside):
            for split in _SPLITS:
                for defect in finder.inside.folders(f"{category}{split}"):
                    yield from _read_folder(finder, category, split, defect)

    def _split(self, digest: str) -> str:
        return "train" if int(digest[:8], 16) < self.train_share * 2**32 else "test"


def _defect_folder(item: Annotated) -> str:
    """The largest region's class, as a folder that is not the one of the normal images."""
    regions = item.revision.regions
    folder = safe_name(regions[0].defect_class if regions else "", _WITHOUT_CLASS)
    return f"{folder}_" if folder.casefold() == _NORMAL else folder


def _categories(inside: Inside, below: str = "", depth: int = 0) -> Iterator[str]:
    """The folders that are laid out as a category, with "/" behind; "" for the folder itself."""
    splits = [inside.folders(f"{below}{split}") for split in _SPLITS]
    if any(_NORMAL in names for names in splits) or (any(splits) and "ground_truth" in inside.folders(below)):
        yield below
    elif depth < _DEPTH:
        for name in inside.folders(below):
            yield from _categories(inside, f"{below}{name}/", depth + 1)


def _read_folder(finder: Finder, category: str, split: str, defect: str) -> Iterator[Found]:
    inside = finder.inside
    truths = {
        PurePosixPath(file).stem: file for file in inside.files(f"{category}ground_truth/{defect}", finder.refuse)
    }
    for file in inside.pictures(f"{category}{split}/{defect}", finder.refuse):
        stem = PurePosixPath(file).stem
        if defect == _NORMAL:
            yield finder.found(file, b"", lambda: (None, ()), "normal")
            continue
        truth = truths.get(f"{stem}_mask", truths.get(stem))
        if truth is None:
            yield finder.found(file, b"", lambda: (None, ()), "anomalous")
        else:
            name = "" if defect == _WITHOUT_CLASS else defect
            yield finder.found_by_file(file, truth, partial(_marks, inside, truth, name))


def _marks(inside: Inside, truth: str, defect: str) -> Marks:
    mask = mask_of_file(inside.bytes_of(truth), truth)
    return mask, same_class(mask, defect)
