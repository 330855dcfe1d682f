"""Shapes to areas: a pixel belongs to a polygon where its centre lies inside, by the even-odd rule."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.store.exchange.areas import Area
from models.errors import DataError

_MOST_CROSSINGS: Final = 50_000_000


def fill(points_xy: NDArray[np.float64], size_hw: tuple[int, int]) -> Area:
    """The area of one polygon.

    Args:
        points_xy: (n, 2) corners in continuous coordinates: pixel (0, 0) reaches from 0 to 1.  Untrusted but finite.
        size_hw: of the image; what lies outside is cut off.
    Raises:
        DataError: it has fewer than three corners or too many edges.
    """
    height, width = size_hw
    if len(points_xy) < 3:
        raise DataError(f"An outline has {len(points_xy)} points; it needs three or more, so draw it again.")
    start, end = points_xy, np.roll(points_xy, -1, axis=0)
    # An edge walked both ways must cross each line at the very same place, so it is always taken downwards.
    downwards = (start[:, 1] <= end[:, 1])[:, None]
    upper, lower = np.where(downwards, start, end), np.where(downwards, end, start)
    first = np.clip(np.ceil(upper[:, 1] - 0.5), 0, height).astype(np.int64)
    stop = np.clip(np.ceil(lower[:, 1] - 0.5), 0, height).astype(np.int64)
    counts = np.maximum(stop - first, 0)
    if counts.sum() > _MOST_CROSSINGS:
        raise DataError(f"An outline of {len(points_xy)} points is too intricate to be read; simplify it.")
    edge = np.repeat(np.arange(len(counts)), counts)
    rows = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    (x0, y0), (x1, y1) = upper[edge].T, lower[edge].T
    crossing = x0 + (rows + 0.5 - y0) * ((x1 - x0) / (y1 - y0))
    columns = np.clip(np.ceil(crossing - 0.5), 0, width).astype(np.int64)
    if not len(rows):
        return Area(np.zeros((0, 0), dtype=np.bool_))
    top, left = int(rows.min()), int(columns.min())
    flips = np.zeros((int(rows.max()) - top + 1, int(columns.max()) - left + 1), dtype=np.uint8)
    np.bitwise_xor.at(flips, (rows - top, columns - left), 1)
    # Right of its last crossing nothing is inside, so the last column is the border and no pixel.
    return Area(np.bitwise_xor.accumulate(flips, axis=1)[:, :-1].astype(np.bool_), left, top)


def rectangle(box_xyxy: tuple[float, float, float, float], size_hw: tuple[int, int]) -> Area:
    """The area of an upright box; its corners may come in any order."""
    x0, x1 = sorted(box_xyxy[::2])
    y0, y1 = sorted(box_xyxy[1::2])
    return fill(np.array(((x0, y0), (x1, y0), (x1, y1), (x0, y1))), size_hw)


def ellipse(centre_xy: tuple[float, float], radii_xy: tuple[float, float], size_hw: tuple[int, int]) -> Area:
    """The area of an upright ellipse: the pixels whose centre lies in it."""
    ys, xs = np.ogrid[: size_hw[0], : size_hw[1]]
    rx, ry = (max(abs(radius), 1e-9) for radius in radii_xy)
    inside = ((xs + 0.5 - centre_xy[0]) / rx) ** 2 + ((ys + 0.5 - centre_xy[1]) / ry) ** 2 <= 1
    return Area(inside)
