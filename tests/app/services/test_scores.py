"""The image score against plain sorting."""

from __future__ import annotations

import numpy as np
import pytest

from app.services.scores import top_fraction_count, top_fraction_mean


def test_the_score_is_the_mean_of_the_highest_share_worked_out_by_hand() -> None:
    anomaly_map = np.arange(100, dtype=np.float32).reshape(10, 10)
    assert top_fraction_mean(anomaly_map, 0.02) == 98.5  # mean of 98 and 99


def test_the_share_is_rounded_up_so_that_at_least_one_pixel_counts() -> None:
    anomaly_map = np.array([[1.0, 7.0, 3.0]], dtype=np.float32)
    assert top_fraction_mean(anomaly_map, 0.01) == 7.0
    assert top_fraction_count(3, 0.34) == 2


@pytest.mark.parametrize("fraction", [0.0001, 0.01, 0.05, 0.5, 1.0])
def test_a_map_of_millions_of_pixels_scores_as_plain_sorting_says(fraction: float) -> None:
    random = np.random.default_rng(3)
    anomaly_map = random.normal(size=(1100, 900)).astype(np.float32)
    anomaly_map[:40, :50] += 4.0

    image_score = top_fraction_mean(anomaly_map, fraction)

    count = int(np.ceil(fraction * anomaly_map.size))
    assert image_score == pytest.approx(np.sort(anomaly_map.ravel())[-count:].astype(np.float64).mean(), abs=1e-9)


def test_a_sample_that_misses_the_high_pixels_does_not_change_the_score() -> None:
    anomaly_map = np.zeros((1000, 1000), dtype=np.float32)
    anomaly_map.ravel()[::61] = 5.0  # what the sample sees is all high: its bound would leave out the rest
    assert top_fraction_mean(anomaly_map, 0.5) == pytest.approx(5.0 * 16_394 / 500_000)


def test_a_share_outside_its_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"fraction must be in \(0, 1\], got 0"):
        top_fraction_mean(np.zeros((2, 2), dtype=np.float32), 0.0)
