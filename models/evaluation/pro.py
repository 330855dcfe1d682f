"""Per-region overlap: how much of each anomalous region is found, every region weighing the same.  Two conventions.

Both integrate the curve of mean region overlap over the false positive rate (FPR) of the normal pixels up to 0.3.  They
differ in how the curve is sampled and closed, by several points on real maps, so both are named and never mixed.
Source: Bergmann et al., The MVTec Anomaly Detection Dataset, IJCV 2021, section 5.1.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from models.evaluation.histograms import PixelHistograms
from models.evaluation.metrics import Floats

FPR_LIMIT: Final = 0.3
PRO_STEPS: Final = 200


def pro(histograms: PixelHistograms) -> float | None:
    """PRO as zero-shot papers print it: 200 thresholds, and the kept false positive rates stretched to [0, 1].

    The thresholds are the lowest score plus 0, 1, ..., 199 two-hundredths of the scores' range; a pixel is found when
    its score is above the threshold.  Points with FPR <= 0.3 are kept.

    Returns:
        In [0, 1]; None when there is no region, no normal pixel, or when all kept points have one FPR.
    """
    if not _is_measurable(histograms):
        return None
    step = (histograms.highest - histograms.lowest) / PRO_STEPS
    at = histograms.bin_of(histograms.lowest + step * np.arange(PRO_STEPS))
    # Overlap and rate of the bins strictly above each threshold's own.
    overlap = np.maximum(1.0 - histograms.region_share.cumsum()[at] / histograms.n_regions, 0.0)
    n_normal = int(histograms.normal.sum())
    rate: Floats = (n_normal - histograms.normal.cumsum()[at]) / n_normal
    kept = rate <= FPR_LIMIT
    if not kept.any() or rate[kept].max() == rate[kept].min():
        return None
    lowest, highest = rate[kept].min(), rate[kept].max()
    stretched = (rate[kept] - lowest) / (highest - lowest)
    return float(np.trapezoid(overlap[kept][::-1], stretched[::-1]))


def aupro(histograms: PixelHistograms) -> float | None:
    """PRO as MVTec AD defines it: every threshold, the curve interpolated at FPR 0.3, its area divided by 0.3.

    Returns:
        In [0, 1]; None when there is no region or no normal pixel.
    """
    if not _is_measurable(histograms):
        return None
    used = (histograms.normal > 0) | (histograms.region_share > 0)
    found_normal = histograms.normal[used][::-1].cumsum()
    found_share = histograms.region_share[used][::-1].cumsum()
    rate: Floats = np.concatenate([[0.0], found_normal / found_normal[-1]])
    overlap: Floats = np.concatenate([[0.0], found_share / histograms.n_regions])
    inside = rate <= FPR_LIMIT
    first_outside = int(inside.sum())
    pair = slice(first_outside - 1, first_outside + 1)
    overlap_at_limit = np.interp(FPR_LIMIT, rate[pair], overlap[pair])
    rate = np.append(rate[inside], FPR_LIMIT)
    overlap = np.append(overlap[inside], overlap_at_limit)
    return float(np.trapezoid(overlap, rate) / FPR_LIMIT)


def _is_measurable(histograms: PixelHistograms) -> bool:
    return histograms.n_regions > 0 and bool(histograms.normal.any())
