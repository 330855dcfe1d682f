"""The image score of a finished anomaly map, exact and fast for pictures of many megapixels."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_SAMPLE_STEP = 61  # a prime, so that the sample does not run along columns
_SMALL_MAP_PX = 500_000  # below this a full partition is faster than looking for a bound


def top_fraction_count(pixel_count: int, fraction: float) -> int:
    """How many pixels "the highest share" is: rounded up, so at least one.

    Args:
        pixel_count: pixels of the map.
        fraction: share, in (0, 1].
    Raises:
        ValueError: `fraction` is outside (0, 1].
    """
    if not 0.0 < fraction <= 1.0:
        raise ValueError(f"fraction must be in (0, 1], got {fraction}")
    return math.ceil(fraction * pixel_count)


def top_fraction_mean(anomaly_map: NDArray[np.float32], fraction: float) -> float:
    """Score an image by the mean of its highest pixels, so that anyone can compute it again from the saved map.

    Args:
        anomaly_map: (H, W), any range.
        fraction: share of the pixels that is averaged, in (0, 1].
    Returns:
        The mean in float64, in the units of the map.
    Raises:
        ValueError: `fraction` is outside (0, 1].
    Source:
        VisualAD, arXiv:2603.07952, image score S.
    """
    values = anomaly_map.ravel()
    count = top_fraction_count(values.size, fraction)
    candidates = _at_least_the_highest(values, count) if values.size > _SMALL_MAP_PX else values
    if count < candidates.size:
        candidates = np.partition(candidates, candidates.size - count)[-count:]
    return float(candidates.mean(dtype=np.float64))


def _at_least_the_highest(values: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Values above a bound guessed from a sample: few, but certainly all of the `count` highest."""
    sample = np.sort(values[::_SAMPLE_STEP])
    generous = min(1.0, 1.5 * count / values.size + 0.002)
    bound = sample[int((1.0 - generous) * (sample.size - 1))]
    candidates = values[values >= bound]
    return candidates if candidates.size >= count else values
