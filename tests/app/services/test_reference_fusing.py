"""The fusion rule on numbers worked out by hand: units, excess over the references, shares."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import t

from app.services.reference_fusing import (
    Units,
    fused,
    of_excess,
    of_references,
    of_zero_shot_score,
    reference_weight,
)
from models.calibration import Thresholds

OWN = Units(normal=-1.0, threshold=1.0)  # a unit is 2: excess 0.5 usually, 0.24 among objects, 0.14 within one


def test_units_put_the_level_at_zero_and_the_threshold_at_one() -> None:
    units = Units(normal=0.2, threshold=0.6)

    assert units.of(0.2) == 0.0
    assert units.of(0.6) == pytest.approx(1.0)
    assert units.of_map(np.array([[0.4, 1.0]], dtype=np.float32)).tolist() == [pytest.approx([0.5, 2.0])]


def test_a_threshold_at_its_level_does_not_divide_by_nothing() -> None:
    assert math.isfinite(Units(0.3, 0.3).of(0.4))


def test_references_bring_their_own_units() -> None:
    adapted = of_references(Thresholds(suspicious=0.5, anomalous=0.6, normal_level=0.2, normal_quantile=0.98))

    assert adapted.units == Units(0.2, 0.6)
    assert adapted.suspicious == pytest.approx(0.75)


def test_with_one_reference_the_usual_excess_sets_the_threshold() -> None:
    adapted = of_excess(OWN, levels=[-1.0], scores=[0.4], excesses=[])

    limit = 0.5 + t.ppf(0.98, 4) * math.sqrt(0.14**2 + 0.24**2)
    assert adapted.units.normal == 0.0
    assert adapted.units.threshold == pytest.approx(limit)
    assert adapted.suspicious == pytest.approx((0.5 + t.ppf(0.90, 4) * math.sqrt(0.14**2 + 0.24**2)) / limit)


def test_each_reference_against_the_others_moves_the_threshold_to_the_object() -> None:
    adapted = of_excess(OWN, [-1.0] * 3, [0.4] * 3, excesses=[0.1, 0.2, 0.3])

    precision = 3 / 0.14**2 + 1 / 0.24**2
    mean = (0.6 / 0.14**2 + 0.5 / 0.24**2) / precision
    spread = math.sqrt((0.02 + 4 * 0.14**2) / 6)
    limit = mean + t.ppf(0.98, 6) * spread * math.sqrt(1 + 1 / precision / 0.14**2)
    assert adapted.units.threshold == pytest.approx(limit)


def test_a_method_without_calibration_has_a_unit_by_what_it_says_about_the_references() -> None:
    told = of_excess(None, levels=[0.1, 0.3], scores=[0.7, 0.9], excesses=[])

    # The scores are 0.6 above the levels, which is 0.6 of a unit, so that the unit is 1.
    known = of_excess(Units(0.0, 1.0), [0.1, 0.3], [0.7, 0.9], [])
    assert told.units.threshold == pytest.approx(known.units.threshold)


def test_scores_that_are_no_pixels_lie_half_way_where_they_are_normal() -> None:
    own = Thresholds(0.45, 0.5, 0.1, 0.98, mask=0.6, normal_score=0.3)

    units = of_zero_shot_score(own, [0.3, 0.3])

    among = 0.2 / 2.0537
    within = 0.4 * among
    precision = 2 / within**2 + 1 / among**2
    limit = 0.3 + t.ppf(0.98, 5) * math.sqrt(4 / 5) * within * math.sqrt(1 + 1 / precision / within**2)
    assert units.of(0.3) == pytest.approx(0.5)
    assert units.threshold == pytest.approx(limit)


def test_scores_without_calibration_are_scaled_by_the_references_alone() -> None:
    units = of_zero_shot_score(None, [0.5, 0.7])

    # models.reference_scale.upper_limit: mean 0.6, prior spread 0.09 with weight 4, five degrees of freedom.
    spread = math.sqrt((0.02 + 4 * 0.09**2) / 5)
    assert units.threshold == pytest.approx(0.6 + t.ppf(0.98, 5) * spread * math.sqrt(1.5))
    assert units.of(0.6) == pytest.approx(0.5)


def test_a_method_that_fires_on_the_references_gives_way_to_them() -> None:
    assert reference_weight(None, of_normal=-0.2) == pytest.approx(0.2)
    assert reference_weight(None, of_normal=0.4) == pytest.approx(0.2)
    assert reference_weight(None, of_normal=0.65) == pytest.approx(0.55)  # half way from 0.4 to 0.9
    assert reference_weight(None, of_normal=0.9) == pytest.approx(0.9)
    assert reference_weight(None, of_normal=7.0) == pytest.approx(0.9)


def test_half_is_the_references_where_the_method_has_no_threshold_of_its_own() -> None:
    assert reference_weight(None, of_normal=None) == 0.5


def test_a_share_asked_for_is_taken_as_it_is() -> None:
    assert reference_weight(0.0, of_normal=7.0) == 0.0
    assert reference_weight(0.9, of_normal=0.1) == 0.9


def test_what_a_method_says_about_normal_pictures_is_told_in_its_own_units() -> None:
    # From -1 to 1 is one unit: a mean score of 0.5 lies at 0.75.
    assert of_excess(OWN, [-1.0, -1.0], [0.4, 0.6], []).of_normal == pytest.approx(0.75)
    assert of_excess(None, [0.1, 0.3], [0.7, 0.9], []).of_normal is None


def test_maps_are_mixed_by_their_shares() -> None:
    zero_shot, reference = np.array([[0, 1]], np.float32), np.array([[2, 3]], np.float32)

    mixed = fused(zero_shot, reference, 0.25)

    assert mixed.dtype == np.float32
    assert mixed.tolist() == [[0.5, 1.5]]


def test_no_reference_is_the_callers_bug() -> None:
    with pytest.raises(ValueError, match="need a level and a score of each reference, got 0 and 0"):
        of_excess(OWN, [], [], [])
