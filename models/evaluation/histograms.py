"""Pixel scores counted picture by picture, in constant memory: what pixel AUROC, AP, F1 and PRO are computed from.

Flat lists of pixels cost gigabytes at a few hundred pictures; three histograms cost 6 MB however many are added.
(H, W) pixels of one picture.  numpy and scipy only.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from models.evaluation.metrics import Floats, RankingMetrics, metrics_from_counts

DEFAULT_BINS: Final = 2**18
# Two anomalous pixels that touch at a corner belong to one region, as in the MVTec AD evaluation.
EIGHT_NEIGHBOURS: Final = np.ones((3, 3), dtype=np.int64)


class PixelHistograms:
    """Counts of normal and anomalous pixels, and the share of each anomalous region, per bin of the score.

    Scores are told apart down to one bin, (high - low) / bins; scores outside the range fall into the end bins.
    `auroc_error` says how much that can matter for the pixels that were seen.
    """

    def __init__(self, low: float, high: float, bins: int = DEFAULT_BINS) -> None:
        """Start with no pixels.

        Args:
            low: lower end of the range of scores.
            high: upper end, above `low`.
            bins: how many equal bins the range is cut into, at least 2.
        Raises:
            ValueError: the range is empty or there are fewer than 2 bins.
        """
        if not low < high or bins < 2:
            raise ValueError(f"need low < high and at least 2 bins, got {low}, {high}, {bins}")
        self.low, self.high, self.bins = low, high, bins
        self.normal = np.zeros(bins, dtype=np.int64)
        self.anomalous = np.zeros(bins, dtype=np.int64)
        self.region_share = np.zeros(bins, dtype=np.float64)
        self.n_regions = 0
        self.lowest, self.highest = np.inf, -np.inf

    def add(self, anomaly_map: npt.NDArray[np.floating], gt_mask: npt.NDArray[np.bool_]) -> None:
        """Count one picture's pixels; its regions are the 8-connected components of the mask.

        Args:
            anomaly_map: (H, W), higher = more anomalous, finite.
            gt_mask: (H, W), True = anomalous; all False for a normal picture.
        Raises:
            ValueError: shapes differ, the mask is not boolean, or a score is not finite.
        """
        if anomaly_map.ndim != 2 or anomaly_map.shape != gt_mask.shape or gt_mask.dtype != np.bool_:
            found = f"{anomaly_map.shape} and {gt_mask.shape} {gt_mask.dtype}"
            raise ValueError(f"need a map and a boolean mask of one size, got {found}")
        if not np.isfinite(anomaly_map).all():
            raise ValueError("the anomaly map must be finite")
        position = self.bin_of(anomaly_map)
        self.normal += np.bincount(position[~gt_mask], minlength=self.bins)
        self.lowest = min(self.lowest, float(anomaly_map.min()))
        self.highest = max(self.highest, float(anomaly_map.max()))
        if gt_mask.any():
            self._add_regions(position[gt_mask], gt_mask)

    def _add_regions(self, position: npt.NDArray[np.int64], gt_mask: npt.NDArray[np.bool_]) -> None:
        labels, n_regions = ndimage.label(gt_mask, structure=EIGHT_NEIGHBOURS)
        region = labels[gt_mask]
        area_px = np.bincount(region)
        self.anomalous += np.bincount(position, minlength=self.bins)
        self.region_share += np.bincount(position, weights=1.0 / area_px[region], minlength=self.bins)
        self.n_regions += n_regions

    def bin_of(self, scores: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Say which bin each score falls into; scores outside the range fall into the first or the last."""
        scaled = (np.asarray(scores, dtype=np.float64) - self.low) * (self.bins / (self.high - self.low))
        return np.clip(scaled, 0, self.bins - 1).astype(np.int64)

    def merged(self, other: PixelHistograms) -> PixelHistograms:
        """Return the histograms of both sets of pictures together.

        Raises:
            ValueError: the two were counted over different bins.
        """
        if (self.low, self.high, self.bins) != (other.low, other.high, other.bins):
            raise ValueError("histograms over different bins cannot be merged")
        both = PixelHistograms(self.low, self.high, self.bins)
        both.normal = self.normal + other.normal
        both.anomalous = self.anomalous + other.anomalous
        both.region_share = self.region_share + other.region_share
        both.n_regions = self.n_regions + other.n_regions
        both.lowest, both.highest = min(self.lowest, other.lowest), max(self.highest, other.highest)
        return both

    def metrics(self) -> RankingMetrics:
        """Measure all pixels pooled; the metrics are None where one class is missing."""
        return metrics_from_counts(self.normal, self.anomalous)

    def auroc_error(self) -> float:
        """Say how far the binned AUROC can be from the exact one: half the share of pairs that share a bin."""
        pairs = float(self.normal.sum()) * float(self.anomalous.sum())
        tied: Floats = self.normal.astype(np.float64) * self.anomalous
        return float(tied.sum() / (2 * pairs)) if pairs else 0.0
