"""Both PRO conventions: a case solved by hand, and slow references that never bin anything."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from skimage.measure import label, regionprops

from models.evaluation.histograms import PixelHistograms
from models.evaluation.pro import aupro, pro

Picture = tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]


def counted(pictures: list[Picture]) -> PixelHistograms:
    histograms = PixelHistograms(-2.0, 2.0)
    for anomaly_map, gt_mask in pictures:
        histograms.add(anomaly_map, gt_mask)
    return histograms


def some_pictures() -> list[Picture]:
    generator = np.random.default_rng(11)
    pictures = []
    for index in range(4):
        gt_mask = np.zeros((24, 24), dtype=bool)
        if index:
            gt_mask[3 : 6 + index, 3:9] = True
            gt_mask[18, 18] = gt_mask[19, 19] = True  # one region, connected at a corner
        pictures.append((np.clip(0.2 * gt_mask + generator.normal(0, 0.2, gt_mask.shape), -2, 2), gt_mask))
    return pictures


def curve_point(pictures: list[Picture], found: list[npt.NDArray[np.bool_]]) -> tuple[float, float]:
    overlaps = [
        pixels[tuple(region.coords.T)].mean()
        for (_, gt_mask), pixels in zip(pictures, found, strict=True)
        for region in regionprops(label(gt_mask))
    ]
    false = sum(int((pixels & ~gt_mask).sum()) for (_, gt_mask), pixels in zip(pictures, found, strict=True))
    return false / sum(int((~gt_mask).sum()) for _, gt_mask in pictures), float(np.mean(overlaps))


def slow_pro(pictures: list[Picture]) -> float:
    lowest = min(anomaly_map.min() for anomaly_map, _ in pictures)
    highest = max(anomaly_map.max() for anomaly_map, _ in pictures)
    thresholds = lowest + (highest - lowest) / 200 * np.arange(200)
    points = [curve_point(pictures, [a > threshold for a, _ in pictures]) for threshold in thresholds]
    kept = np.array([point for point in points if point[0] <= 0.3])[::-1]
    rate = (kept[:, 0] - kept[:, 0].min()) / (kept[:, 0].max() - kept[:, 0].min())
    return float(np.trapezoid(kept[:, 1], rate))


def slow_aupro(pictures: list[Picture]) -> float:
    thresholds = np.unique(np.concatenate([anomaly_map.ravel() for anomaly_map, _ in pictures]))[::-1]
    points = [curve_point(pictures, [a >= threshold for a, _ in pictures]) for threshold in thresholds]
    rate, overlap = np.array([(0.0, 0.0), *points]).T
    grid = np.linspace(0.0, 0.3, 100_001)
    return float(np.trapezoid(np.interp(grid, rate, overlap), grid) / 0.3)


def test_pro_agrees_with_a_slow_reference_without_bins() -> None:
    pictures = some_pictures()

    assert pro(counted(pictures)) == pytest.approx(slow_pro(pictures), abs=1e-3)


def test_aupro_agrees_with_a_slow_reference_without_bins() -> None:
    pictures = some_pictures()

    assert aupro(counted(pictures)) == pytest.approx(slow_aupro(pictures), abs=1e-3)


def hand_case() -> PixelHistograms:
    """Ten normal pixels, and regions of two and one pixels: 0.95 and 0.55, and 0.75."""
    anomaly_map = np.array([[0.95, 0.55, 0.85, 0.75, 0.65, 0.65, 0.45], [0.05, 0.15, 0.25, 0.35, 0.25, 0.0, 1.0]])
    gt_mask = np.zeros((2, 7), dtype=bool)
    gt_mask[0, [0, 1, 3]] = True
    anomaly_map[1, 5:] = 0.1
    return counted([(anomaly_map, gt_mask)])


def test_aupro_of_the_case_by_hand() -> None:
    # High to low: A (overlap 1/4), one normal (rate 1/11), B (3/4), two normal (3/11), A (1), one normal (4/11).
    # Area: 1/11 * 1/4 + 2/11 * 3/4 + (0.3 - 3/11) * 1, divided by 0.3.
    expected = (0.25 / 11 + 1.5 / 11 + (0.3 - 3 / 11)) / 0.3

    assert aupro(hand_case()) == pytest.approx(expected, abs=1e-9)


def test_pro_of_the_case_by_hand() -> None:
    # Kept are the rates 0, 1/11 and 3/11, stretched to 0, 1/3 and 1; overlaps on the way: 1/4, then 3/4, then 1.
    expected = 0.25 / 3 + 0.75 * 2 / 3

    assert pro(hand_case()) == pytest.approx(expected, abs=1e-9)


def test_pro_does_not_apply_without_anomalous_regions() -> None:
    histograms = counted([(np.linspace(-1, 1, 16).reshape(4, 4), np.zeros((4, 4), dtype=bool))])

    assert (pro(histograms), aupro(histograms)) == (None, None)


def test_pro_does_not_apply_without_normal_pixels() -> None:
    histograms = counted([(np.linspace(-1, 1, 16).reshape(4, 4), np.ones((4, 4), dtype=bool))])

    assert (pro(histograms), aupro(histograms)) == (None, None)


def test_a_perfect_two_valued_map_has_full_aupro_and_no_pro_to_stretch() -> None:
    gt_mask = np.zeros((4, 4), dtype=bool)
    gt_mask[1, 1] = True

    histograms = counted([(gt_mask.astype(np.float64), gt_mask)])

    assert aupro(histograms) == pytest.approx(1.0)
    assert pro(histograms) is None
