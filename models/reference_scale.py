"""What distances to references mean: thresholds from how far the references are from each other.

A few references do not have a 98 % quantile of their own; the limit is one that the next normal picture stays
below with that probability.  Pure functions; asked like a head's calibration, so that one scale serves both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy.special import stdtrit
from torch import Tensor

from models.calibration import ANOMALOUS_QUANTILE, SUSPICIOUS_QUANTILE, Calibration, Thresholds

FEWEST_TO_COMPARE: Final = 3  # references; fewer are compared with variants of themselves
# What is believed before the scores are seen: scores of normal pictures differ by so large a share of their mean, with
# the weight of so many scores.  Chosen on ten kinds of synthetic picture, where 1 to 4 % of further normal ones come
# out anomalous (2 % are meant to) for 1 to 8 references.
_USUAL_SPREAD: Final = 0.15
_PRIOR_WEIGHT: Final = 4.0


def upper_limit(scores: Sequence[float], share: float) -> float:
    """Where the next normal score stays below with some probability, told from a few normal scores.

    The limit is that of a normal distribution of unknown mean and spread (Student's t), where the spread is joined with
    a prior one, since that of three scores may be small by luck.  Many scores make the prior vanish.

    Args:
        scores: of n normal pictures, at least 1, positive.
        share: probability, in (0, 1).
    Returns:
        mean + t(share, n - 1 + w) * s * sqrt(1 + 1 / n), with s^2 = ((n - 1) * variance + w * (c * mean)^2) /
        (n - 1 + w), weight w and usual spread c.
    Raises:
        ValueError: there is no score, or `share` is outside (0, 1).
    """
    if not len(scores) or not 0.0 < share < 1.0:
        raise ValueError(f"need a score and a share in (0, 1), got {len(scores)} and {share}")
    values = np.asarray(scores, dtype=np.float64)
    mean = float(values.mean())
    freedom = len(values) - 1 + _PRIOR_WEIGHT
    spread = np.sqrt((float(((values - mean) ** 2).sum()) + _PRIOR_WEIGHT * (_USUAL_SPREAD * mean) ** 2) / freedom)
    return mean + float(stdtrit(freedom, share)) * float(spread) * float(np.sqrt(1 + 1 / len(values)))


class ReferenceScale:
    """Maps of distances that normal pictures have to references, asked for thresholds like a head's calibration."""

    def __init__(self, normal_maps: Sequence[Tensor], layers: tuple[int, ...], image_px: int) -> None:
        """Keep the maps.

        Args:
            normal_maps: n maps (L, gh, gw), distances of each reference to the others, or of variants of the few there
                are to them as they are; grids may differ.  Variants are nearer than another picture would be, but
                differ more from each other, so that the limit comes out right without a factor.
            layers: the L layers, counted from 1.
            image_px: side of the model's input, whose pixels `blur_sigma` counts.
        Raises:
            ValueError: there is no map.
        """
        if not normal_maps:
            raise ValueError("need at least one normal map")
        self.layers = layers
        self._each = [Calibration(maps.unsqueeze(0), layers, image_px) for maps in normal_maps]

    def scores(self, layers: tuple[int, ...], *, top_k: float, blur_sigma: float) -> tuple[float, ...]:
        """Each normal picture's score for some settings: what points at the odd one out.

        Args:
            layers: the chosen layers, counted from 1.
            top_k: share of pixels that the score averages, in (0, 1].
            blur_sigma: pixels at the model's input size.
        """
        return tuple(one.anomalous for one in self._alone(layers, top_k, blur_sigma))

    def thresholds(self, layers: tuple[int, ...], *, top_k: float, blur_sigma: float) -> Thresholds:
        """Work the thresholds out for some settings, in units of the sum of the chosen layers' distances.

        Args:
            layers: the chosen layers, counted from 1.
            top_k: share of pixels that the score averages, in (0, 1].
            blur_sigma: pixels at the model's input size.
        """
        alone = self._alone(layers, top_k, blur_sigma)
        scores = [one.anomalous for one in alone]
        return Thresholds(
            suspicious=upper_limit(scores, SUSPICIOUS_QUANTILE),
            anomalous=upper_limit(scores, ANOMALOUS_QUANTILE),
            normal_level=float(np.median([one.normal_level for one in alone])),
            normal_quantile=ANOMALOUS_QUANTILE,
        )

    def _alone(self, layers: tuple[int, ...], top_k: float, blur_sigma: float) -> list[Thresholds]:
        """Of a single picture every quantile is its score."""
        return [one.thresholds(layers, top_k=top_k, blur_sigma=blur_sigma) for one in self._each]
