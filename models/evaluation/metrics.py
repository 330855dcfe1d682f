"""How well scores rank anomalous above normal: AUROC, average precision, best F1.  Exact, ties counted right.

Everything here works on counts per distinct score, so that a list of image scores and a histogram of millions of pixels
are measured by the same three formulas.  Pure numpy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingMetrics:
    """One group's result; None means "does not apply", because the group holds only one class."""

    n_normal: int
    n_anomalous: int
    auroc: float | None  # in [0, 1], 0.5 = chance
    average_precision: float | None  # in [0, 1], the share of anomalous items = chance
    f1_max: float | None  # in [0, 1], the best F1 over all thresholds


def ranking_metrics(scores: npt.ArrayLike, anomalous: npt.ArrayLike) -> RankingMetrics:
    """Measure scores against labels, exactly.

    Args:
        scores: (n,), higher = more anomalous, finite.
        anomalous: (n,) bool or 0/1, True = anomalous.
    Returns:
        The three metrics, or None for each where one of the classes is missing.
    Raises:
        ValueError: shapes differ or a score is not finite.
    """
    score_list = np.asarray(scores, dtype=np.float64)
    label_list = np.asarray(anomalous, dtype=bool)
    if score_list.ndim != 1 or score_list.shape != label_list.shape:
        raise ValueError(
            f"scores and labels must be two equally long lists, got {score_list.shape} and {label_list.shape}"
        )
    if not np.isfinite(score_list).all():
        raise ValueError("scores must be finite")
    distinct, position = np.unique(score_list, return_inverse=True)
    n_normal = np.bincount(position[~label_list], minlength=len(distinct)).astype(np.int64)
    n_anomalous = np.bincount(position[label_list], minlength=len(distinct)).astype(np.int64)
    return metrics_from_counts(n_normal, n_anomalous)


def metrics_from_counts(normal: Counts, anomalous: Counts) -> RankingMetrics:
    """Measure items that were already counted per score; items of one bin count as tied.

    Args:
        normal: (bins,), how many normal items have the bin's score; bins in ascending order of score.
        anomalous: (bins,), the same for anomalous items.
    Returns:
        The three metrics, or None for each where one of the classes is missing.
    """
    n_normal, n_anomalous = int(normal.sum()), int(anomalous.sum())
    if n_normal == 0 or n_anomalous == 0:
        return RankingMetrics(
            n_normal=n_normal, n_anomalous=n_anomalous, auroc=None, average_precision=None, f1_max=None
        )
    used = (normal + anomalous) > 0
    false_step = normal[used][::-1].astype(np.float64)
    true_step = anomalous[used][::-1].astype(np.float64)
    true_found, false_found = true_step.cumsum(), false_step.cumsum()
    found = true_found + false_found
    # A normal item loses to the anomalous ones above it and half to those it is tied with.
    pairs_won = (false_step * (true_found - true_step / 2)).sum()
    return RankingMetrics(
        n_normal=n_normal,
        n_anomalous=n_anomalous,
        auroc=float(pairs_won / (n_normal * n_anomalous)),
        average_precision=float((true_step * true_found / found).sum() / n_anomalous),
        f1_max=float((2 * true_found / (found + n_anomalous)).max()),
    )
