"""Image metrics by hand and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from models.evaluation.metrics import ranking_metrics


def test_metrics_of_four_scores_with_one_tie_match_the_hand_calculation() -> None:
    scores, anomalous = [0.9, 0.5, 0.5, 0.1], [True, True, False, False]

    metrics = ranking_metrics(scores, anomalous)

    assert metrics.auroc == pytest.approx(0.875)  # of 4 pairs 3 are won and 1 is tied: 3.5 / 4
    assert metrics.average_precision == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)  # recall 1/2 at 1/1, the rest at 2/3
    assert metrics.f1_max == pytest.approx(0.8)  # at 0.5: 2 found of 2, 1 false: 2*2 / (2*2 + 1)


@pytest.mark.parametrize("decimals", [1, 8], ids=["many ties", "no ties"])
def test_metrics_equal_scikit_learn_exactly(decimals: int) -> None:
    generator = np.random.default_rng(5)
    anomalous = generator.random(400) < 0.3
    scores = np.round(generator.normal(size=400) + anomalous, decimals)

    metrics = ranking_metrics(scores, anomalous)

    precision, recall, _ = precision_recall_curve(anomalous, scores)
    assert metrics.auroc == pytest.approx(roc_auc_score(anomalous, scores), abs=1e-12)
    assert metrics.average_precision == pytest.approx(average_precision_score(anomalous, scores), abs=1e-12)
    assert metrics.f1_max == pytest.approx((2 * precision * recall / (precision + recall + 1e-30)).max(), abs=1e-12)


@pytest.mark.parametrize("label", [True, False])
def test_metrics_of_a_single_class_do_not_apply_instead_of_being_zero(label: bool) -> None:
    metrics = ranking_metrics([0.1, 0.2, 0.3], [label] * 3)

    assert (metrics.auroc, metrics.average_precision, metrics.f1_max) == (None, None, None)
    assert (metrics.n_normal, metrics.n_anomalous) == ((0, 3) if label else (3, 0))


def test_a_score_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(ValueError, match="scores must be finite"):
        ranking_metrics([0.1, float("nan")], [True, False])


def test_lists_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"equally long lists, got \(2,\) and \(1,\)"):
        ranking_metrics([0.1, 0.2], [True])
