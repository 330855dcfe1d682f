"""Thresholds from a few references, against formulas written out."""

from __future__ import annotations

import math
import statistics

import pytest
import torch
from scipy.stats import t as student
from torch import Tensor

from models.calibration import Calibration
from models.reference_scale import ReferenceScale, upper_limit

LAYERS = (6, 9)


def level_maps(*levels: float) -> list[Tensor]:
    """Layer 6 is the level everywhere, layer 9 ten times that."""
    return [torch.tensor([level, 10 * level]).view(2, 1, 1).expand(2, 4, 4) for level in levels]


def expected_limit(scores: list[float], share: float) -> float:
    mean, count = sum(scores) / len(scores), len(scores)
    variance = statistics.variance(scores) if count > 1 else 0.0
    freedom = count - 1 + 4
    spread = math.sqrt(((count - 1) * variance + 4 * (0.15 * mean) ** 2) / freedom)
    return mean + float(student.ppf(share, freedom)) * spread * math.sqrt(1 + 1 / count)


@pytest.mark.parametrize("scores", [[0.2], [0.1, 0.3], [0.20, 0.21, 0.25, 0.30]])
@pytest.mark.parametrize("share", [0.90, 0.98])
def test_limit_is_that_of_the_next_score_with_the_spread_joined_with_the_usual_one(
    scores: list[float], share: float
) -> None:
    assert upper_limit(scores, share) == pytest.approx(expected_limit(scores, share))


def test_three_scores_that_agree_by_luck_keep_a_margin() -> None:
    # Student's t of 6 degrees at 98 % is 2.612; spread 0.15 * sqrt(4 / 6) = 0.1225; times sqrt(4 / 3).
    assert upper_limit([1.0, 1.0, 1.0], 0.98) == pytest.approx(1.0 + 2.612 * 0.1225 * math.sqrt(4 / 3), abs=1e-3)


def test_many_scores_give_the_quantile_of_their_own_distribution() -> None:
    scores = torch.randn(20_000, generator=torch.Generator().manual_seed(0)) * 0.01 + 1.0

    assert upper_limit(scores.tolist(), 0.98) == pytest.approx(1.0 + 2.054 * 0.01, abs=1e-3)


def test_limit_scales_with_the_scores() -> None:
    assert upper_limit([0.2, 0.4, 0.5], 0.98) == pytest.approx(10 * upper_limit([0.02, 0.04, 0.05], 0.98))


def test_no_score_or_a_share_that_is_no_probability_is_refused() -> None:
    with pytest.raises(ValueError, match="need a score and a share in \\(0, 1\\), got 0 and 0.98"):
        upper_limit([], 0.98)
    with pytest.raises(ValueError, match="got 1 and 1.0"):
        upper_limit([0.2], 1.0)


def test_thresholds_are_limits_of_the_references_scores_for_the_chosen_layers() -> None:
    scale = ReferenceScale(level_maps(0.1, 0.2, 0.4), LAYERS, 56)

    thresholds = scale.thresholds(LAYERS, top_k=0.01, blur_sigma=4.0)

    scores = [1.1, 2.2, 4.4]
    assert scale.scores((6,), top_k=0.01, blur_sigma=0.0) == pytest.approx((0.1, 0.2, 0.4))
    assert thresholds.suspicious == pytest.approx(expected_limit(scores, 0.90))
    assert thresholds.anomalous == pytest.approx(expected_limit(scores, 0.98))
    assert thresholds.normal_level == pytest.approx(2.2)
    assert thresholds.normal_quantile == 0.98


def test_each_reference_scores_what_a_heads_calibration_gives_it() -> None:
    maps = torch.rand(3, 2, 6, 6, generator=torch.Generator().manual_seed(0))

    scores = ReferenceScale(list(maps), LAYERS, 84).scores((9,), top_k=0.05, blur_sigma=3.0)

    head = Calibration(maps, LAYERS, 84).thresholds((9,), top_k=0.05, blur_sigma=3.0)
    assert torch.tensor(scores).quantile(0.90).item() == pytest.approx(head.suspicious, rel=1e-5)
    assert torch.tensor(scores).quantile(0.98).item() == pytest.approx(head.anomalous, rel=1e-5)


def test_references_of_other_grids_have_one_scale() -> None:
    maps = [torch.full((2, 4, 4), 0.1), torch.full((2, 8, 8), 0.3)]

    assert ReferenceScale(maps, LAYERS, 56).scores(LAYERS, top_k=1.0, blur_sigma=0.0) == pytest.approx((0.2, 0.6))


def test_a_scale_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="need at least one normal map"):
        ReferenceScale([], LAYERS, 56)
