"""The regions of a mask and the defect classes that belong to them.  Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from app.store.errors import StoreError
from app.store.records import DefectClass, Mask, Region

_PART_PX: Final = 4_000_000


def regions_of(mask: Mask, classes: Sequence[DefectClass] = ()) -> tuple[Region, ...]:
    """Split a mask into its 8-connected regions.

    Args:
        mask: (H, W).
        classes: names with a pixel of their region; where a region is named twice, the later name holds.
    Returns:
        Largest first; of two that are equally large, the one that begins higher up, then further left.
    Raises:
        StoreError: a class lies outside every region.
    """
    rows = np.flatnonzero(mask.any(axis=1))
    if rows.size == 0:
        if classes:
            raise _outside(classes[0])
        return ()
    columns = np.flatnonzero(mask.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    return _regions(mask[top : int(rows[-1]) + 1, left : int(columns[-1]) + 1], top, left, classes)


def _regions(part: Mask, top: int, left: int, classes: Sequence[DefectClass]) -> tuple[Region, ...]:
    """The regions of the part of a mask that begins at row `top` and column `left`."""
    from scipy import ndimage

    labels, count = ndimage.label(part, structure=np.ones((3, 3), dtype=np.int8))
    named = _named(labels, top, left, classes)
    found = []
    for number, ((rows, columns), area_px) in enumerate(
        zip(ndimage.find_objects(labels), _areas(labels, count), strict=True), start=1
    ):
        first = columns.start + int(np.argmax(labels[rows.start, columns] == number))
        point_xy, name = named.get(number, ((first + left, rows.start + top), ""))
        box_xyxy = (columns.start + left, rows.start + top, columns.stop + left, rows.stop + top)
        found.append(Region(box_xyxy, area_px, point_xy, name))
    return tuple(sorted(found, key=lambda region: -region.area_px))  # labels count in reading order, sorting keeps it


def _areas(labels: np.ndarray, count: int) -> list[int]:
    """Pixels of each region; in parts, because bincount makes every label twice as long."""
    areas = np.zeros(count + 1, dtype=np.int64)
    for rows in np.array_split(labels, labels.size // _PART_PX + 1):
        areas += np.bincount(rows.ravel(), minlength=count + 1)
    counted: list[int] = areas[1:].tolist()
    return counted


def _named(
    labels: np.ndarray, top: int, left: int, classes: Sequence[DefectClass]
) -> dict[int, tuple[tuple[int, int], str]]:
    """From a region's number to its class: the pixel and the name."""
    height, width = labels.shape
    named = {}
    for defect_class in classes:
        x, y = defect_class.point_xy[0] - left, defect_class.point_xy[1] - top
        number = int(labels[y, x]) if 0 <= x < width and 0 <= y < height else 0
        if number == 0:
            raise _outside(defect_class)
        named[number] = (defect_class.point_xy, defect_class.name)
    return named


def _outside(defect_class: DefectClass) -> StoreError:
    x, y = defect_class.point_xy
    return StoreError(
        f"The defect class {defect_class.name!r} at x {x}, y {y} lies outside every region of the mask; name a "
        "marked pixel."
    )
