"""Thresholds from pictures whose label is known, for any layers, top-k and smoothing.

A checkpoint carries the layer maps of held-out normal pictures and, once a person has labelled some, theirs, so that a
threshold can be worked out for every setting by the same pure functions that score a picture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import torch
from torch import Tensor

from models import scoring
from models.reading import Reading
from models.threshold_rules import LabelledMaps, RuleKind, ThresholdRule, best_f1_threshold, check_rule

__all__ = ["ANOMALOUS_QUANTILE", "SUSPICIOUS_QUANTILE", "Calibration", "LabelledMaps", "RuleKind", "ThresholdRule",
           "Thresholds"]  # fmt: skip

SUSPICIOUS_QUANTILE: Final = 0.90
ANOMALOUS_QUANTILE: Final = 0.98
DEFAULT_READING: Final = Reading()
DEFAULT_RULE: Final = ThresholdRule()
_PIXELS_PER_PATCH: Final = 2  # maps are smooth at the scale of a patch, so a small picture gives the same score


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where the verdicts begin, for the settings it was asked for."""

    suspicious: float  # image score
    anomalous: float  # image score
    normal_level: float  # median pixel of the normal pictures, in units of the fused map
    normal_quantile: float  # share of the normal pictures it was chosen with that score below `anomalous`
    mask: float | None = None  # where the mask begins, in units of the fused map; None: at `anomalous`, the same units
    normal_score: float | None = None  # median score of the normal pictures, where scores have units of their own
    from_labels: bool = False  # whether the pictures are those that a person labelled

    @property
    def pixel(self) -> float:
        """Where the mask begins, in units of the fused map."""
        return self.anomalous if self.mask is None else self.mask


@dataclass(frozen=True, slots=True, kw_only=True)
class _Settings:
    """Under which maps are scored; hashable."""

    layers: tuple[int, ...]
    top_k: float
    blur_sigma: float
    alpha: float
    top_patches: int


@dataclass(frozen=True, slots=True, eq=False)
class _Scored:
    """Pictures under some settings."""

    scores: Tensor  # (n,), of the images
    pixel_scores: Tensor  # (n,), mean of the highest pixels; the same as `scores` where pixels are scored
    level: float  # median pixel


class Calibration:
    """The maps of held-out normal pictures and of labelled ones, asked for thresholds."""

    def __init__(
        self,
        normal_maps: Tensor,
        layers: tuple[int, ...],
        image_px: int,
        *,
        global_scores: Tensor | None = None,
        reading: Reading = DEFAULT_READING,
        labelled: LabelledMaps | None = None,
        rule: ThresholdRule = DEFAULT_RULE,
    ) -> None:
        """Keep the maps.

        Args:
            normal_maps: (n, L, gh, gw), or (n, R, L, gh, gw) of R branches, of n normal pictures not trained on.
            layers: the L layers, counted from 1.
            image_px: side of the model's input, whose pixels `blur_sigma` counts.
            global_scores: (n,), of methods that give one.
            reading: how the method's maps are joined and scored.
            labelled: pictures that a person has labelled, for the rules that ask for them.
            rule: how thresholds are chosen.
        Raises:
            ValueError: the rule needs labels that are not there, or the labelled maps are of another kind.
        """
        check_rule(rule, labelled)
        branched = normal_maps if normal_maps.dim() == 5 else normal_maps.unsqueeze(1)
        if labelled is not None and labelled.maps.shape[1:3] != branched.shape[1:3]:
            expected, found = tuple(branched.shape[1:3]), tuple(labelled.maps.shape[1:3])
            raise ValueError(f"the labelled maps must have {expected} branches and layers, got {found}")
        self.normal_maps = branched.float()
        self.global_scores = None if global_scores is None else global_scores.float()
        self.layers = layers
        self.image_px = image_px
        self.reading = reading
        self.labelled = labelled
        self.rule = rule
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
        return self._cached(
            _Settings(layers=layers, top_k=top_k, blur_sigma=blur_sigma, alpha=alpha, top_patches=top_patches)
        )

    def normal_scores(
        self, layers: tuple[int, ...], *, top_k: float, blur_sigma: float, alpha: float = 0.0, top_patches: int = 1
    ) -> Tensor:
        """The image scores of the held-out normal pictures, (n,), under settings as in `thresholds`."""
        settings = _Settings(layers=layers, top_k=top_k, blur_sigma=blur_sigma, alpha=alpha, top_patches=top_patches)
        return self._score(self.normal_maps, self.global_scores, settings).scores

    def labelled_scores(
        self, layers: tuple[int, ...], *, top_k: float, blur_sigma: float, alpha: float = 0.0, top_patches: int = 1
    ) -> tuple[Tensor, Tensor]:
        """The image scores of the labelled pictures, (n,), and their labels (n,), 1 = anomalous; both may be empty."""
        if self.labelled is None:
            return torch.zeros(0), torch.zeros(0, dtype=torch.int64)
        settings = _Settings(layers=layers, top_k=top_k, blur_sigma=blur_sigma, alpha=alpha, top_patches=top_patches)
        return self._score(self.labelled.maps, self.labelled.global_scores, settings).scores, self.labelled.labels

    def _compute(self, settings: _Settings) -> Thresholds:
        if self.rule.kind == "normals" or self.labelled is None:
            normals = self._score(self.normal_maps, self.global_scores, settings)
            found = float(normals.scores.quantile(ANOMALOUS_QUANTILE))
            mask = float(normals.pixel_scores.quantile(ANOMALOUS_QUANTILE))
            return self._thresholds(normals, found, mask, ANOMALOUS_QUANTILE)
        labelled = self._score(self.labelled.maps, self.labelled.global_scores, settings)
        labels = self.labelled.labels > 0
        normals = self._score(*self.labelled.normals(), settings)
        found = self._by_rule(labelled.scores, labels)
        mask = self._by_rule(labelled.pixel_scores, labels)
        below = float((normals.scores < found).float().mean())
        return replace(self._thresholds(normals, found, mask, below), from_labels=True)

    def _by_rule(self, scores: Tensor, labels: Tensor) -> float:
        if self.rule.kind == "f1":
            return best_f1_threshold(scores, labels)
        return float(scores[~labels].quantile(1.0 - self.rule.rate))

    def _thresholds(self, normals: _Scored, anomalous: float, mask: float, quantile: float) -> Thresholds:
        by_pixels = self.reading.score == "pixels"
        return Thresholds(
            suspicious=min(float(normals.scores.quantile(SUSPICIOUS_QUANTILE)), anomalous),
            anomalous=anomalous,
            normal_level=normals.level,
            normal_quantile=quantile,
            mask=None if by_pixels else mask,
            normal_score=None if by_pixels else float(normals.scores.quantile(0.5)),
        )

    def _score(self, branch_maps: Tensor, global_scores: Tensor | None, settings: _Settings) -> _Scored:
        side = branch_maps.shape[-1] * _PIXELS_PER_PATCH
        layer_maps = scoring.blend_branches(branch_maps, settings.alpha)
        maps = scoring.anomaly_map(
            layer_maps,
            self.layers,
            settings.layers,
            input_size_hw=(side, side),
            blur_sigma=settings.blur_sigma * side / self.image_px,
            output_size_hw=(side, side),
            joining=self.reading.joining,
        )
        pixel_scores = scoring.top_fraction_mean(maps, settings.top_k)
        if self.reading.score == "pixels":
            return _Scored(pixel_scores, pixel_scores, float(maps.median()))
        patch_map = scoring.fuse_layers(layer_maps, self.layers, settings.layers, self.reading.joining)
        scores = scoring.patch_score(patch_map, global_scores, settings.top_patches)
        return _Scored(scores, pixel_scores, float(maps.median()))
