"""Connected regions of a predicted mask: where, how large, how strong, and their outlines.

Pixels are counted from the top left corner; (H, W) is the picture's size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import measure

MAX_REGIONS = 50


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """One connected region (8 neighbours) of a predicted mask."""

    area_px: int
    peak: float  # highest value of the anomaly map inside, in its units
    box_xyxy: tuple[int, int, int, int]  # pixels; right and bottom are exclusive
    peak_xy: tuple[int, int]  # pixel of the highest value
    contour: NDArray[np.float32]  # (P, 2) x and y of the longest outline, pixel centres at whole numbers


def find_regions(
    anomaly_map: NDArray[np.float32], pred_mask: NDArray[np.bool_], *, limit: int = MAX_REGIONS
) -> tuple[tuple[Region, ...], int]:
    """List the regions of a mask, the largest first.

    Args:
        anomaly_map: (H, W), any range.
        pred_mask: (H, W), True where anomalous.
        limit: how many regions are described; the others are only counted.
    Returns:
        The described regions and how many regions there are in all.
    """
    if not pred_mask.any():
        return (), 0
    labels = measure.label(pred_mask, connectivity=2)
    areas_px = np.bincount(labels.ravel())[1:]
    boxes = ndimage.find_objects(labels)
    largest_first = np.argsort(-areas_px, kind="stable")[:limit]
    regions = tuple(_describe(anomaly_map, labels[boxes[index]] == index + 1, boxes[index]) for index in largest_first)
    return regions, len(areas_px)


def _describe(anomaly_map: NDArray[np.float32], inside: NDArray[np.bool_], box: tuple[slice, slice]) -> Region:
    """Measure one region from its own cut-out; `inside` is True on its pixels within `box`."""
    top, left = box[0].start, box[1].start
    values = np.where(inside, anomaly_map[box], -np.inf)
    peak_row, peak_column = np.unravel_index(int(values.argmax()), values.shape)
    return Region(
        area_px=int(inside.sum()),
        peak=float(values.max()),
        box_xyxy=(left, top, box[1].stop, box[0].stop),
        peak_xy=(left + int(peak_column), top + int(peak_row)),
        contour=_outline(inside, left, top),
    )


def _outline(inside: NDArray[np.bool_], left: int, top: int) -> NDArray[np.float32]:
    """The longest contour of a region, in the picture's coordinates."""
    # The border of background closes contours of regions that touch the cut-out's edge.
    lines = measure.find_contours(np.pad(inside, 1).astype(np.float32), 0.5)
    longest = max(lines, key=len)
    shifted = longest[:, ::-1] + (left - 1, top - 1)
    outline: NDArray[np.float32] = shifted.astype(np.float32)
    return outline
