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
from models.reading import Reading

SUSPICIOUS_QUANTILE: Final = 0.90
ANOMALOUS_QUANTILE: Final = 0.98
DEFAULT_READING: Final = Reading()
_PIXELS_PER_PATCH: Final = 2  # maps are smooth at the scale of a patch, so a small picture gives the same score


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where the verdicts begin, for the settings it was asked for."""

    suspicious: float  # image score
    anomalous: float  # image score
    normal_level: float  # median pixel of the normal pictures, in units of the fused map
    normal_quantile: float  # share of held-out normal pictures that score below `anomalous`
    mask: float | None = None  # where the mask begins, in units of the fused map; None: at `anomalous`, the same units
    normal_score: float | None = None  # median score of the normal pictures, where scores have units of their own

    @property
    def pixel(self) -> float:
        """Where the mask begins, in units of the fused map."""
        return self.anomalous if self.mask is None else self.mask


class Calibration:
    """The maps of held-out normal pictures, asked for thresholds."""

    def __init__(
        self,
        normal_maps: Tensor,
        layers: tuple[int, ...],
        image_px: int,
        *,
        global_scores: Tensor | None = None,
        reading: Reading = DEFAULT_READING,
    ) -> None:
        """Keep the maps.

        Args:
            normal_maps: (n, L, gh, gw), or (n, R, L, gh, gw) of R branches, of n normal pictures not trained on.
            layers: the L layers, counted from 1.
            image_px: side of the model's input, whose pixels `blur_sigma` counts.
            global_scores: (n,), of methods that give one.
            reading: how the method's maps are joined and scored.
        """
        branched = normal_maps if normal_maps.dim() == 5 else normal_maps.unsqueeze(1)
        self.normal_maps = branched.float()
        self.global_scores = None if global_scores is None else global_scores.float()
        self.layers = layers
        self.image_px = image_px
        self.reading = reading
        self._cached = lru_cache(maxsize=256)(self._compute)

    def thresholds(
        self, layers: tuple[int, ...], *, top_k: float, blur_sigma: float, alpha: float = 0.0, top_patches: int = 1
    ) -> Thresholds:
        """Work the thresholds out for some settings; remembered, so asking twice costs nothing.

        Args:
            layers: the chosen layers, counted from 1.
            top_k: share of pixels that is averaged, in (0, 1].
            blur_sigma: pixels at the model's input size.
            alpha: share of the refined maps, of methods that have them.
            top_patches: how many patches are averaged, of methods that score by patches.
        """
        return self._cached(layers, top_k, blur_sigma, alpha, top_patches)

    def _compute(
        self, layers: tuple[int, ...], top_k: float, blur_sigma: float, alpha: float, top_patches: int
    ) -> Thresholds:
        side = self.normal_maps.shape[-1] * _PIXELS_PER_PATCH
        layer_maps = scoring.blend_branches(self.normal_maps, alpha)
        maps = scoring.anomaly_map(
            layer_maps,
            self.layers,
            layers,
            input_size_hw=(side, side),
            blur_sigma=blur_sigma * side / self.image_px,
            output_size_hw=(side, side),
            joining=self.reading.joining,
        )
        pixel_scores = scoring.top_fraction_mean(maps, top_k)
        if self.reading.score == "pixels":
            return Thresholds(
                suspicious=float(pixel_scores.quantile(SUSPICIOUS_QUANTILE)),
                anomalous=float(pixel_scores.quantile(ANOMALOUS_QUANTILE)),
                normal_level=float(maps.median()),
                normal_quantile=ANOMALOUS_QUANTILE,
            )
        patch_map = scoring.fuse_layers(layer_maps, self.layers, layers, self.reading.joining)
        scores = scoring.patch_score(patch_map, self.global_scores, top_patches)
        return Thresholds(
            suspicious=float(scores.quantile(SUSPICIOUS_QUANTILE)),
            anomalous=float(scores.quantile(ANOMALOUS_QUANTILE)),
            normal_level=float(maps.median()),
            normal_quantile=ANOMALOUS_QUANTILE,
            mask=float(pixel_scores.quantile(ANOMALOUS_QUANTILE)),
            normal_score=float(scores.quantile(0.5)),
        )
