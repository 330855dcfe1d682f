"""The numbers on the page: as many decimals as their scale needs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.services.colours import ColourScale
from app.services.inspection import Inspection
from app.ui.controls import threshold_update
from app.ui.views import digits_of, region_rows, regions_heading, verdict_value
from models.calibration import Thresholds
from models.config import InspectionConfig
from models.data.pictures import Picture
from tests.app.text_fakes import TEXT_PRESET, FakeTextModel, text_inspector


def narrow() -> Inspection:
    """A black picture under thresholds of a method whose probabilities differ in the third decimal."""
    picture = Picture(rgb=np.zeros((40, 40, 3), dtype=np.uint8), name="black.png", digest="c" * 64, note="")
    inspection = text_inspector(FakeTextModel()).inspect(picture, TEXT_PRESET, InspectionConfig(threshold=0.1234))
    thresholds = Thresholds(0.2512, 0.2534, 0.1, 0.98, mask=0.15, normal_score=0.2501)
    return replace(inspection, thresholds=thresholds, image_score=0.25372, score_threshold=0.25341)


@pytest.mark.parametrize(
    ("width", "digits"), [(4.0, 2), (0.5, 2), (0.49, 3), (0.05, 3), (0.049, 4), (0.004, 5), (2e-6, 5)]
)
def test_a_narrow_scale_is_shown_with_more_decimals(width: float, digits: int) -> None:
    assert digits_of(ColourScale(0.0, width)) == digits


def test_scores_and_maps_have_the_decimals_of_their_own_scale() -> None:
    # The score's scale is 0.2501 to 0.2567, which is 4 decimals; the map's is 0.1 to 0.2, which is 3.
    inspection = narrow()
    verdict = verdict_value(inspection)
    assert verdict["score"] == "0.2537"
    assert verdict["gauge_title"] == "Scale from 0.2501 (normal pictures) to 0.2567"
    assert "probability (0.2500)" in verdict["how"]
    assert "Threshold 0.123 of the map, 0.2534 of the score, set by hand (calibrated: 0.150)." in verdict["how"]
    assert "at or above 0.123," in regions_heading(inspection)
    assert [row[3] for row in region_rows(inspection)] == ["0.203"]  # 0.65 of half of 10 of 16
    assert threshold_update(inspection)["step"] == pytest.approx(0.001)


def test_the_verdict_says_whose_normal_pictures_set_the_threshold() -> None:
    settings = InspectionConfig()
    held_out = replace(narrow(), settings=settings)
    assert held_out.thresholds is not None
    labelled = replace(held_out, thresholds=replace(held_out.thresholds, normal_quantile=0.75, from_labels=True))

    assert "above 98 % of held-out normal pictures." in verdict_value(held_out)["how"]
    assert "above 75 % of the labelled normal pictures." in verdict_value(labelled)["how"]
