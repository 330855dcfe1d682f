"""Evaluation on the held-out part of the synthetic world: families of pictures and anomalies that training never shows.

It says how well a head finds what it is meant to find, with exact masks, and every choice (layers, top-k, smoothing) is
made on it, so that real data sets stay untouched until the end.  One pass, constant memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.data.synthetic import SyntheticSample, World, sample
from models.evaluation.histograms import DEFAULT_BINS, PixelHistograms
from models.evaluation.metrics import RankingMetrics, ranking_metrics
from models.evaluation.pro import aupro, pro


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyResult:
    """One anomaly family against all normal pictures; None means "does not apply"."""

    family: str
    image: RankingMetrics
    pixel: RankingMetrics  # all pixels pooled, those of normal pictures included
    pro: float | None  # 200 thresholds, stretched: as papers print it
    aupro: float | None  # all thresholds: as MVTec AD defines it


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticResult:
    """All families together, and each alone."""

    overall: FamilyResult
    families: tuple[FamilyResult, ...]  # by name
    pixel_auroc_error: float  # how far the binned pixel AUROC can be from the exact one


def held_out_samples(count: int, seed: int, size_px: int) -> Iterator[SyntheticSample]:
    """Make the held-out pictures one by one: seeds `seed`, `seed` + 1, ...; the same every time.

    Args:
        count: how many, at least 1.
        seed: of the first picture, 0 or more.
        size_px: side of the square pictures.
    """
    world = World(split="held_out")
    return (sample(seed + index, world, size_px) for index in range(count))


class SyntheticEvaluation:
    """Collects scores and maps picture by picture; a result can be asked for at any time."""

    def __init__(self, low: float, high: float, bins: int = DEFAULT_BINS) -> None:
        """Start empty.

        Args:
            low: lower end of the range of the anomaly maps.
            high: upper end.
            bins: how finely pixel scores are told apart.
        """
        self._pixels: dict[str | None, PixelHistograms] = {None: PixelHistograms(low, high, bins)}
        self._scores: dict[str | None, list[float]] = {None: []}

    def add(
        self,
        anomaly_map: npt.NDArray[np.floating],
        image_score: float,
        gt_mask: npt.NDArray[np.bool_],
        anomaly_family: str | None,
    ) -> None:
        """Count one picture.

        Args:
            anomaly_map: (H, W), higher = more anomalous.
            image_score: of the whole picture.
            gt_mask: (H, W), True = anomalous.
            anomaly_family: its name, or None for a normal picture.
        Raises:
            ValueError: a picture is called normal and has a mask, or the reverse.
        """
        if gt_mask.any() != (anomaly_family is not None):
            raise ValueError(f"the mask and the anomaly family {anomaly_family!r} do not agree")
        if anomaly_family not in self._pixels:
            normal = self._pixels[None]
            self._pixels[anomaly_family] = PixelHistograms(normal.low, normal.high, normal.bins)
        self._pixels[anomaly_family].add(anomaly_map, gt_mask)
        self._scores.setdefault(anomaly_family, []).append(image_score)

    def result(self) -> SyntheticResult:
        """Measure what was added so far."""
        names = sorted(name for name in self._pixels if name is not None)
        pooled = self._pixels[None]
        for name in names:
            pooled = pooled.merged(self._pixels[name])
        return SyntheticResult(
            overall=_measure("all", pooled, self._scores[None], [s for name in names for s in self._scores[name]]),
            families=tuple(
                _measure(name, self._pixels[None].merged(self._pixels[name]), self._scores[None], self._scores[name])
                for name in names
            ),
            pixel_auroc_error=pooled.auroc_error(),
        )


def _measure(family: str, pixels: PixelHistograms, normal: list[float], anomalous: list[float]) -> FamilyResult:
    labels = [False] * len(normal) + [True] * len(anomalous)
    return FamilyResult(
        family=family,
        image=ranking_metrics(normal + anomalous, labels),
        pixel=pixels.metrics(),
        pro=pro(pixels),
        aupro=aupro(pixels),
    )
