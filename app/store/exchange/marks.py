"""What the formats need of masks: their regions one by one, classes for them, and masks as other programs save them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.store.components import regions_of
from app.store.masks import decode_png
from app.store.records import DefectClass, Mask, Region
from models.data.pictures import picture_from_bytes
from models.errors import DataError

NO_CLASS = "anomaly"  # what a region without a class is called where a format demands a name


@dataclass(frozen=True, slots=True, eq=False)
class MarkedRegion:
    """A region with its pixels."""

    region: Region
    ys: NDArray[np.int64]  # (n,) in reading order
    xs: NDArray[np.int64]  # (n,)

    @property
    def crop(self) -> Mask:
        """The region alone, in its box."""
        left, top, right, bottom = self.region.box_xyxy
        alone = np.zeros((bottom - top, right - left), dtype=np.bool_)
        alone[self.ys - top, self.xs - left] = True
        return alone


def marked_regions(mask: Mask, regions: Sequence[Region]) -> Iterator[MarkedRegion]:
    """The regions of a mask with their pixels; takes time for the pixels once, however many regions there are.

    Args:
        mask: (H, W).
        regions: all of them, as the store keeps them.
    """
    from scipy import ndimage

    labels, _ = ndimage.label(mask, structure=np.ones((3, 3), dtype=np.int8))
    flat = np.flatnonzero(labels)
    numbers = labels.ravel()[flat]
    order = np.argsort(numbers, kind="stable")
    flat, ends = flat[order], np.cumsum(np.bincount(numbers))
    for region in regions:
        x, y = region.point_xy
        number = int(labels[y, x])
        ys, xs = np.divmod(flat[ends[number - 1] : ends[number]], mask.shape[1])
        yield MarkedRegion(region, ys, xs)


def classes_of(regions: Sequence[Region]) -> tuple[DefectClass, ...]:
    """The classes that the regions have."""
    return tuple(DefectClass(region.point_xy, region.defect_class) for region in regions if region.defect_class)


def same_class(mask: Mask, name: str) -> tuple[DefectClass, ...]:
    """One class for every region of a mask; none where the name only says that there is no class."""
    name = clean_class(name)
    return tuple(DefectClass(region.point_xy, name) for region in regions_of(mask)) if name else ()


def clean_class(name: str) -> str:
    """A class as another program names it, as the store takes it; "" for none."""
    clean = " ".join("".join(sign if sign.isprintable() else " " for sign in name).split())[:100].strip()
    return "" if clean.casefold() == NO_CLASS else clean


def png_255(mask: Mask) -> bytes:
    """A mask as an 8-bit PNG with 0 and 255, which every program shows."""
    file = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8) * np.uint8(255)).save(file, format="PNG", compress_level=6)
    return file.getvalue()


def mask_of_file(data: bytes, name: str) -> Mask:
    """A mask as a picture of any lossless format, black and one other value.

    Raises:
        ExpectedError: it is no picture, is damaged, coloured, or has grey values.
    """
    if data.startswith(b"\x89PNG"):
        return decode_png(data, name)
    rgb = picture_from_bytes(data, name).rgb
    values = np.unique(rgb.reshape(-1, 3), axis=0)
    if len(values) > 2 or (values != values[:, :1]).any() or not set(values[:, 0].tolist()) <= {0, 1, 255}:
        raise DataError(f"{name} has grey or coloured values; save it as PNG with 0 and 255 only, without smoothing.")
    mask: Mask = rgb[..., 0] > 0
    return mask


def empty_mask(data: Callable[[], bytes], name: str) -> Mask:
    """A mask of a picture's size in which nothing is marked."""
    return np.zeros(upright_size(data(), name), dtype=np.bool_)


def upright_size(data: bytes, name: str) -> tuple[int, int]:
    """The size (H, W) of a picture as the store will see it; reads no more than the header where that is enough.

    Raises:
        PictureError: it is no picture, or too large.
    """
    if data.startswith((b"\x89PNG", b"\xff\xd8\xff")):
        try:
            with Image.open(io.BytesIO(data)) as image:
                turned = image.format == "JPEG" and image.getexif().get(0x0112, 1) in {5, 6, 7, 8}
                if image.format == "JPEG" or b"eXIf" not in data:
                    return (image.width, image.height) if turned else (image.height, image.width)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            pass  # the loader below says what is wrong with it
    height, width = picture_from_bytes(data, name).rgb.shape[:2]
    return height, width
