"""Move the boundary of a mask to the image's own edges, within a narrow band around where it is.

A random walker starts from what is surely inside and surely outside; only the band between is decided anew, and only
around the mask, at a reduced size where the mask is large.  Pure and repeatable.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from models.errors import DataError

Mask = NDArray[np.bool_]
Bytes = NDArray[np.uint8]

_WORK_PX: Final = 600_000  # what a random walker solves in about a second
_MOST_PATCHES: Final = 24  # beyond, the whole neighbourhood is one patch: starting the solver costs more than pixels
_BETA: Final = 300.0  # how hard edges are to cross
_DEEP: Final = 0.6  # of a region's greatest depth: what is deeper is a seed even if the region is thin
_EIGHT: Final = np.ones((3, 3), dtype=np.bool_)
_Box = tuple[slice, slice]


def band_px(size_hw: tuple[int, int]) -> int:
    """How far a boundary may move in a picture of this size: 1.5 % of its longer side, from 3 to 60 pixels."""
    return min(60, max(3, round(0.015 * max(size_hw))))


def snap(rgb: Bytes, mask: Mask, *, reach_px: int | None = None) -> Mask:
    """Move the mask's boundary to nearby edges of the picture.

    Args:
        rgb: (H, W, 3).
        mask: (H, W); at least one pixel.
        reach_px: how far the boundary may move, 1 or more; None = `band_px`.
    Returns:
        (H, W); equal to `mask` everywhere but within `reach_px` of its boundary.
    Raises:
        DataError: the mask is empty.
    Source:
        Grady, Random walks for image segmentation, PAMI 2006 (the implementation is scikit-image's).
    """
    if mask.shape != rgb.shape[:2]:
        raise ValueError(f"the mask must be of the picture's size {rgb.shape[:2]}, got {mask.shape}")
    if not mask.any():
        raise DataError("The mask is empty, so it has no boundary to move; paint a region first.")
    reach = band_px((mask.shape[0], mask.shape[1])) if reach_px is None else reach_px
    patches = list(_patches(mask, 2 * reach + 2))
    pixels = sum(math.prod(side.stop - side.start for side in box) for box in patches)
    scale = min(1.0, math.sqrt(_WORK_PX / pixels))
    snapped = mask.copy()
    for box in patches:
        inner = _snap_patch(rgb[box], mask[box], reach, scale)
        moved = inner != mask[box]
        snapped[box][moved] = inner[moved]
    return snapped


def _patches(mask: Mask, margin_px: int) -> Iterator[_Box]:
    """Boxes around groups of regions, each with room for the band and for seeds on both of its sides."""
    grown = _square_grown(mask, margin_px)
    labels, count = ndimage.label(grown)
    boxes = ndimage.find_objects(labels) if count <= _MOST_PATCHES else ndimage.find_objects(grown.astype(np.int8))
    yield from boxes


def _snap_patch(rgb: Bytes, mask: Mask, reach: int, scale: float) -> Mask:
    """The patch's mask with its band decided anew; the band is a square's reach around the boundary."""
    small_hw = tuple(max(1, round(side * scale)) for side in mask.shape)
    small_reach = max(1, math.floor(reach * scale))
    colours = rgb if scale == 1.0 else _resized(rgb, small_hw)
    shape = mask if scale == 1.0 else _resized(mask.astype(np.uint8) * 255, small_hw) >= 128
    walked = _walk(colours, shape, small_reach)
    if walked is None:
        return mask
    if scale != 1.0:
        walked = _resized(walked.astype(np.uint8) * 255, mask.shape) >= 128
    band = _square_grown(mask, reach) & _square_grown(~mask, reach)
    result: Mask = np.where(band, walked, mask)
    return result


def _walk(rgb: Bytes, mask: Mask, reach: int) -> Mask | None:
    """Decide the band by a random walker; None where there is nothing on one of its sides."""
    from skimage.segmentation import random_walker

    inside, outside = _seeds(mask, reach), _seeds(~mask, reach)
    if not inside.any() or not outside.any():
        return None
    labels = np.zeros(mask.shape, dtype=np.int8)
    labels[inside], labels[outside] = 1, 2
    if not (labels == 0).any():
        return None
    # Seeds far from the band decide nothing; leaving them out keeps the system of equations small.
    labels[~_square_grown(labels == 0, 2)] = -1
    data = rgb.astype(np.float64) / 255.0
    found = random_walker(data, labels, beta=_BETA, mode="cg_j", tol=1e-4, prob_tol=0.1, channel_axis=-1)
    result: Mask = np.where(found > 0, found == 1, mask)
    return result


def _seeds(mask: Mask, reach: int) -> Mask:
    """What is surely on this side: deeper than the reach, or the core of a part that is thinner than that."""
    depth = ndimage.distance_transform_edt(mask)  # the picture's border is no boundary
    labels, count = ndimage.label(mask, structure=_EIGHT)
    if count == 0:
        return mask
    deepest = np.asarray(ndimage.maximum(depth, labels, np.arange(count + 1)))[labels]
    cores = (deepest <= reach) & (depth >= np.maximum(_DEEP * deepest, 1.0))
    seeds: Mask = mask & ((depth > reach) | cores)
    return seeds


def _square_grown(mask: Mask, reach: int) -> Mask:
    """The mask grown by a square of `reach` pixels on each side; time does not depend on the reach."""
    grown: Mask = ndimage.maximum_filter(mask.astype(np.uint8), size=2 * reach + 1, mode="constant") > 0
    return grown


def _resized(pixels: Bytes, size_hw: tuple[int, ...]) -> Bytes:
    height, width = size_hw
    method = Image.Resampling.BOX if height < pixels.shape[0] else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(pixels).resize((width, height), method))
