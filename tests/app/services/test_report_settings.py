"""A report names the settings that made its scores, and no others."""

from __future__ import annotations

from typing import Any

import pytest

from app.commands.report_table import as_table
from app.services.reports import Report, ReportRow, Scoring, scoring_of
from models.config import InspectionConfig
from models.errors import DataError
from models.evaluation.metrics import RankingMetrics
from models.registry import DEFAULT_PRESET, PRESETS

COMPACT = PRESETS["daclip-compact"]


@pytest.mark.parametrize(
    ("preset", "branches", "given", "expected"),
    [
        (DEFAULT_PRESET, 1, {"top_k": 0.05}, Scoring(top_k=0.05, alpha=None, top_patches=None)),
        ("daclip-compact", 2, {}, Scoring(top_k=None, alpha=COMPACT.alpha, top_patches=COMPACT.top_patches)),
        ("daclip-compact", 2, {"alpha": 0.0, "top_patches": 3}, Scoring(top_k=None, alpha=0.0, top_patches=3)),
        (
            "daclip-compact",
            1,
            {},
            Scoring(top_k=None, alpha=None, top_patches=COMPACT.top_patches),
        ),  # a head without DAR
        ("winclip", 1, {}, Scoring(top_k=None, alpha=None, top_patches=None)),  # the global score alone
    ],
)
def test_what_has_no_part_in_the_score_is_not_named(
    preset: str, branches: int, given: dict[str, Any], expected: Scoring
) -> None:
    assert scoring_of(InspectionConfig(**given), preset, branches) == expected


@pytest.mark.parametrize(
    ("preset", "branches", "given", "sentence"),
    [
        (DEFAULT_PRESET, 1, {"alpha": 0.5}, "has no refined maps, so alpha means nothing"),
        (DEFAULT_PRESET, 1, {"top_patches": 5}, "scores pixels, not patches"),
        ("daclip-compact", 1, {"alpha": 0.5}, "This head has no refined maps"),
    ],
)
def test_a_setting_that_has_no_part_is_refused(
    preset: str, branches: int, given: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        scoring_of(InspectionConfig(**given), preset, branches)


@pytest.mark.parametrize(
    ("scoring", "said"),
    [
        ({"top_k": 0.01}, "56 px, top-k 0.01, sigma 4;"),
        ({"top_k": None, "alpha": 0.3, "top_patches": 5}, "56 px, alpha 0.3, top patches 5, sigma 4;"),
    ],
)
def test_the_table_says_what_made_the_scores(scoring: dict[str, Any], said: str) -> None:
    image = RankingMetrics(n_normal=1, n_anomalous=1, auroc=1.0, average_precision=1.0, f1_max=1.0)
    report = Report(
        data="none", preset="p", checkpoint="", backbone="", image_size=56, layers=(), blur_sigma=4.0, seconds=1.0,
        rows=(ReportRow(method="m", group="g", image=image),), **scoring,
    )  # fmt: skip

    assert said in as_table(report)
