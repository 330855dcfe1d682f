"""Overlapping square tiles over a picture of any shape, and their maps put together without seams.

(H, W) pixels of the picture, T tiles of side s in rows and columns.  Pure functions on numpy arrays.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from models.errors import DataError

MAX_TILES: Final = 2500  # 100 megapixels, the most that is read, are 1,156 of 392 px
OVERLAP: Final = 0.25  # least share of a tile's side that it has in common with the next

Pixels = npt.NDArray[np.uint8]
Map = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TileLayout:
    """Where the tiles lie; all are squares of one size, inside the picture, and together cover it."""

    size_hw: tuple[int, int]  # of the picture
    side_px: int
    tops: tuple[int, ...]  # first row of each row of tiles, ascending from 0
    lefts: tuple[int, ...]  # first column of each column of tiles, ascending from 0

    @property
    def corners(self) -> Iterator[tuple[int, int]]:
        """(top, left) of every tile, row by row."""
        return ((top, left) for top in self.tops for left in self.lefts)

    def __len__(self) -> int:
        return len(self.tops) * len(self.lefts)


def tile_layout(size_hw: tuple[int, int], tile_px: int) -> TileLayout:
    """Cover a picture with as few evenly spaced tiles as overlap by a quarter.

    A picture narrower than a tile gets tiles as wide as itself: tiles are never squeezed, so a picture that is not
    square is seen in its own proportions.

    Args:
        size_hw: the picture's size, 1 or more each.
        tile_px: side of a tile in the picture's pixels, 1 or more.
    Raises:
        ValueError: a size is below 1.
        DataError: there would be more than 2,500 tiles.
    """
    if min(*size_hw, tile_px) < 1:
        raise ValueError(f"sizes must be 1 or more, got a picture of {size_hw} and tiles of {tile_px}")
    side_px = min(tile_px, *size_hw)
    tops, lefts = (_starts(length, side_px) for length in size_hw)
    layout = TileLayout(size_hw, side_px, tops, lefts)
    if len(layout) > MAX_TILES:
        raise DataError(
            f"{size_hw[1]} x {size_hw[0]} pixels in tiles of {side_px} are {len(layout):,} tiles, "
            f"and {MAX_TILES:,} are the most; give a larger --tile-px or a part of the picture."
        )
    return layout


def cut(rgb: Pixels, layout: TileLayout) -> Iterator[Pixels]:
    """The tiles of a picture (H, W, 3), row by row, each (s, s, 3)."""
    side = layout.side_px
    return (np.ascontiguousarray(rgb[top : top + side, left : left + side]) for top, left in layout.corners)


def axis_weights(starts: tuple[int, ...], side_px: int, length: int) -> npt.NDArray[np.float64]:
    """How much each tile counts along one axis: raised cosines, divided by their sum.

    A tile counts most in its middle and nothing at an edge that another tile covers: nothing jumps where it ends, and
    its outermost patches, which saw least around them, hardly count.

    Args:
        starts: first position of each tile.
        side_px: a tile's length.
        length: of the axis, all of it covered.
    Returns:
        (tiles, side_px), in [0, 1]; at every position of the axis the weights there add up to 1.
    """
    window = np.sin(np.pi * (np.arange(side_px) + 0.5) / side_px) ** 2
    total = np.zeros(length)
    for start in starts:
        total[start : start + side_px] += window
    return np.stack([window / total[start : start + side_px] for start in starts])


def blend(tile_maps: Iterable[Map], layout: TileLayout) -> Map:
    """Put the maps of tiles together; only one of them need be in memory at a time.

    Args:
        tile_maps: T maps (s, s) in the order of `cut`, any range.
        layout: where they lie.
    Returns:
        (H, W): at every pixel the weighted mean of the tiles there, so in their range.
    """
    side = layout.side_px
    down = axis_weights(layout.tops, side, layout.size_hw[0]).astype(np.float32)
    across = axis_weights(layout.lefts, side, layout.size_hw[1]).astype(np.float32)
    blended = np.zeros(layout.size_hw, dtype=np.float32)
    for number, (tile_map, (top, left)) in enumerate(zip(tile_maps, layout.corners, strict=True)):
        row, column = divmod(number, len(layout.lefts))
        blended[top : top + side, left : left + side] += tile_map * down[row][:, None] * across[column]
    return blended


def _starts(length: int, side_px: int) -> tuple[int, ...]:
    step = max(1, side_px - math.ceil(OVERLAP * side_px))
    count = math.ceil((length - side_px) / step) + 1
    return tuple(round(place) for place in np.linspace(0, length - side_px, count).tolist())
