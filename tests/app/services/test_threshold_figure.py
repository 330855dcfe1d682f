"""The threshold's histogram says what it shows: bars, line, counts and units, read from the figure."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle

from app.services.threshold_figure import Errors, errors_at, histogram, threshold_figure
from models.errors import DataError

SCORES = [0.1, 0.2, 0.3, 0.6, 0.5, 0.9]
LABELS = [0, 0, 0, 0, 1, 1]


def bars(figure: Figure, kind: str) -> list[Rectangle]:
    return [patch for patch in figure.axes[0].patches if patch.get_gid() == kind and isinstance(patch, Rectangle)]


def filled(figure: Figure, kind: str) -> list[tuple[float, float, float]]:
    """Left, right and height of the bars that are not empty."""
    return [
        (bar.get_x(), bar.get_x() + bar.get_width(), bar.get_height()) for bar in bars(figure, kind) if bar.get_height()
    ]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_errors_are_counted_at_the_line() -> None:
    assert errors_at(SCORES, LABELS, 0.6) == Errors(false_alarms=1, normals=4, misses=1, anomalies=2)
    assert errors_at(SCORES, LABELS, 0.5) == Errors(false_alarms=1, normals=4, misses=0, anomalies=2)


def test_every_score_lies_in_a_bar_of_its_kind_and_each_kind_adds_up() -> None:
    figure = histogram(SCORES, LABELS, 0.55)

    for kind, values in (("normal", [0.1, 0.2, 0.3, 0.6]), ("anomalous", [0.5, 0.9])):
        drawn = filled(figure, kind)
        assert sum(height for *_, height in drawn) == pytest.approx(1.0)
        for value in values:
            assert any(left <= value <= right for left, right, _ in drawn)
    colours = {kind: bars(figure, kind)[0].get_facecolor()[:3] for kind in ("normal", "anomalous")}
    assert colours["normal"] == pytest.approx((0x00 / 255, 0x72 / 255, 0xB2 / 255))
    assert colours["anomalous"] == pytest.approx((0xD5 / 255, 0x5E / 255, 0x00 / 255))
    assert bars(figure, "anomalous")[0].get_hatch() == "//"


def test_the_line_stands_at_the_threshold_and_the_title_counts_what_it_gets_wrong() -> None:
    figure = histogram(SCORES, LABELS, 0.55)

    (line,) = [line for line in figure.axes[0].lines if line.get_gid() == "threshold"]
    assert list(np.asarray(line.get_xdata())) == [0.55, 0.55]
    assert figure.axes[0].get_title() == (
        "Threshold 0.55: 1 of 4 normal above it (false alarms), 1 of 2 anomalous below it (misses)"
    )
    assert figure.axes[0].get_xlabel() == "image score, in the units of this preset's map"
    assert figure.axes[0].get_ylabel() == "share of each kind's pictures"


def test_synthetic_normals_are_an_outline_of_their_own() -> None:
    figure = histogram(SCORES, LABELS, 0.55, others=[0.0, 0.05, 0.4])

    (outline,) = [patch for patch in figure.axes[0].patches if patch.get_gid() == "others"]
    assert isinstance(outline, Polygon)
    assert not outline.get_fill()
    assert sorted(legend(figure)) == ["2 anomalous", "3 normal, synthetic, held out", "4 normal", "threshold"]
    assert figure.axes[0].get_title().startswith("Threshold 0.55: 1 of 4 normal")


@pytest.mark.parametrize("in_odds", [False, True])
def test_no_bar_crosses_the_line(in_odds: bool) -> None:
    figure = histogram(SCORES, LABELS, 0.5, in_odds=in_odds)

    for left, right, _ in (*filled(figure, "normal"), *filled(figure, "anomalous")):
        assert right <= 0.5 + 1e-6 or left >= 0.5 - 1e-6
    assert min(left for left, *_ in filled(figure, "anomalous")) == pytest.approx(
        0.5
    )  # a score on the line is above it


def test_a_threshold_beyond_every_score_is_in_sight() -> None:
    axis = histogram(SCORES, LABELS, 7.0).axes[0]

    assert axis.get_xlim()[0] <= 0.1
    assert axis.get_xlim()[1] >= 7.0


def test_a_kind_that_nobody_labelled_is_said_to_be_missing() -> None:
    figure = histogram([0.5, 0.5], [0, 0], 0.5)

    assert legend(figure) == ["2 normal", "threshold"]
    assert figure.axes[0].get_title() == (
        "Threshold 0.5: 2 of 2 normal above it (false alarms), nothing anomalous labelled"
    )
    assert "nothing normal labelled" in histogram([], [], 0.5, others=[0.1]).axes[0].get_title()


def test_probabilities_have_an_axis_of_log_odds() -> None:
    scores, labels = [0.0, 0.001, 0.01, 0.5, 1.0], [0, 0, 0, 1, 1]

    figure = histogram(scores, labels, 0.1, in_odds=True)

    assert figure.axes[0].get_xscale() == "logit"
    widths = [np.diff(np.log(np.array(bar[:2]) / (1 - np.array(bar[:2]))))[0] for bar in filled(figure, "normal")]
    assert widths == pytest.approx([widths[0]] * len(widths))
    assert threshold_figure(scores, labels, 0.1, in_odds=True).mode == "RGBA"


def test_the_picture_has_a_transparent_ground() -> None:
    picture = threshold_figure(SCORES, LABELS, 0.55)

    assert picture.size == (864, 408)
    assert picture.getpixel((0, 0)) == (255, 255, 255, 0)


@pytest.mark.parametrize(
    ("scores", "labels", "threshold", "message"),
    [
        ([0.1, 0.2], [1], 0.5, "each score needs a label, got 2 scores and 1 labels"),
        ([float("nan")], [1], 0.5, "scores must be finite"),
        ([0.1], [1], float("inf"), "threshold must be finite, got inf"),
    ],
)
def test_numbers_that_mean_nothing_are_refused(
    scores: list[float], labels: list[int], threshold: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        histogram(scores, labels, threshold)


def test_nothing_to_draw_is_one_sentence() -> None:
    with pytest.raises(DataError, match=r"No scores are known yet; label some pictures first\."):
        threshold_figure([], [], 0.5)
