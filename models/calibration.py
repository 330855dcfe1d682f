"""Thresholds from normal pictures: where held-out normal images score, for any layers, top-k and smoothing.

A checkpoint carries the layer maps of held-out normal pictures, so that a threshold can be worked out for every setting
by the same pure functions that score a picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from torch import Tensor

from models import scoring

SUSPICIOUS_QUANTILE: Final = 0.90
ANOMALOUS_QUANTILE: Final = 0.98
_PIXELS_PER_PATCH: Final = 2  # maps are smooth at the scale of a patch, so a small picture gives the same score


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where the verdicts begin, in units of the fused map for the settings it was asked for."""

    suspicious: float
    anomalous: float
    normal_level: float  # median pixel of the normal pictures
    normal_quantile: float  # share of held-out normal pictures that score below `anomalous`


class Calibration:
    """The layer maps of held-out normal pictures, asked for thresholds."""

    def __init__(self, normal_maps: Tensor, layers: tuple[int, ...], image_px: int) -> None:
        """Keep the maps.

        Args:
            normal_maps: (n, L, gh, gw), of n normal pictures that were not trained on.
            layers: the L layers, counted from 1.
            image_px: side of the model's input, whose pixels `blur_sigma` counts.
        """
        self.normal_maps = normal_maps.float()
        self.layers = layers
        self.image_px = image_px
        self._cached = lru_cache(maxsize=256)(self._compute)

    def thresholds(self, layers: tuple[int, ...], *, top_k: float, blur_sigma: float) -> Thresholds:
        """Work the thresholds out for some settings; remembered, so asking twice costs nothing.

        Args:
            layers: the chosen layers, counted from 1.
            top_k: share of pixels that the score averages, in (0, 1].
            blur_sigma: pixels at the model's input size.
        Returns:
            Thresholds in the units of the sum of the chosen layers' maps.
        """
        return self._cached(layers, top_k, blur_sigma)

    def _compute(self, layers: tuple[int, ...], top_k: float, blur_sigma: float) -> Thresholds:
        side = self.normal_maps.shape[-1] * _PIXELS_PER_PATCH
        maps = scoring.anomaly_map(
            self.normal_maps,
            self.layers,
            layers,
            input_size_hw=(side, side),
            blur_sigma=blur_sigma * side / self.image_px,
            output_size_hw=(side, side),
        )
        scores = scoring.top_fraction_mean(maps, top_k)
        return Thresholds(
            suspicious=float(scores.quantile(SUSPICIOUS_QUANTILE)),
            anomalous=float(scores.quantile(ANOMALOUS_QUANTILE)),
            normal_level=float(maps.median()),
            normal_quantile=ANOMALOUS_QUANTILE,
        )
