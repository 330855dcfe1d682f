"""Parts of a mask as other programs list them, each in its own box, and how one mask comes of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.store.components import regions_of
from app.store.exchange.marks import clean_class
from app.store.records import DefectClass, Mask
from models.errors import DataError


@dataclass(frozen=True, slots=True, eq=False)
class Area:
    """Marked pixels at a place of a larger mask."""

    mask: Mask  # (h, w), h and w may be 0
    left: int = 0
    top: int = 0


def area_of_runs(starts: NDArray[np.int64], lengths: NDArray[np.int64], row_px: int) -> tuple[Area, ...]:
    """The area that runs of pixels cover.

    Args:
        starts: (n,) numbers of the first pixels, counted along rows.
        lengths: (n,) how many pixels follow each other; no pixel lies in two runs.
        row_px: the pixels in a row.
    Returns:
        One area, or none where no pixel is covered.
    """
    starts, lengths = starts[lengths > 0], lengths[lengths > 0]
    if not starts.size:
        return ()
    top, bottom = int(starts.min()) // row_px, int((starts + lengths - 1).max()) // row_px + 1
    # One more where a run begins, one less where it ends: a byte a pixel, however much is covered.
    steps = np.zeros((bottom - top) * row_px + 1, dtype=np.int8)
    np.add.at(steps, starts - top * row_px, 1)
    np.add.at(steps, starts + lengths - top * row_px, -1)
    covered = np.cumsum(steps[:-1], dtype=np.int8, out=steps[:-1]).view(np.bool_).reshape(-1, row_px)
    columns = np.flatnonzero(covered.any(axis=0))
    left = int(columns[0])
    return (Area(covered[:, left : int(columns[-1]) + 1], left, top),)


def united(parts: Iterable[tuple[Area, str]], size_hw: tuple[int, int]) -> tuple[Mask, tuple[DefectClass, ...]]:
    """One mask of several areas, and the classes of its regions; where areas touch, that of the largest holds.

    Args:
        parts: areas and what they are called; one at a time is kept.
        size_hw: of the result.
    Raises:
        DataError: an area reaches beyond the mask.
    """
    mask = np.zeros(size_hw, dtype=np.bool_)
    named: list[tuple[int, DefectClass]] = []
    for area, name in parts:
        bottom, right = area.top + area.mask.shape[0], area.left + area.mask.shape[1]
        if min(area.left, area.top) < 0 or bottom > size_hw[0] or right > size_hw[1]:
            raise DataError(f"A mask reaches beyond the image's {size_hw[1]} x {size_hw[0]} pixels; draw it again.")
        mask[area.top : bottom, area.left : right] |= area.mask
        if (name := clean_class(name)) and area.mask.size:
            for region in regions_of(area.mask):
                x, y = region.point_xy
                named.append((region.area_px, DefectClass((x + area.left, y + area.top), name)))
    # Where a region is named twice the store keeps the later name.
    named.sort(key=lambda each: each[0])
    return mask, tuple(defect_class for _, defect_class in named)
