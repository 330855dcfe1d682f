"""Pixel metrics from histograms against scikit-learn on the flat list of pixels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from models.evaluation.histograms import PixelHistograms

Pictures = list[tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]]


def some_pictures() -> Pictures:
    generator = np.random.default_rng(3)
    pictures: Pictures = []
    for index in range(6):
        gt_mask = np.zeros((40, 50), dtype=bool)
        if index % 3:
            gt_mask[5 : 8 + index, 10:25] = True
        noise = generator.normal(0.0, 0.1, gt_mask.shape)
        pictures.append(((0.15 * gt_mask + noise).astype(np.float32), gt_mask))
    return pictures


def counted(pictures: Pictures, bins: int = 2**18) -> PixelHistograms:
    histograms = PixelHistograms(-8.0, 8.0, bins)
    for anomaly_map, gt_mask in pictures:
        histograms.add(anomaly_map, gt_mask)
    return histograms


def test_streamed_pixel_metrics_agree_with_scikit_learn_on_all_pixels() -> None:
    pictures = some_pictures()
    scores = np.concatenate([anomaly_map.ravel() for anomaly_map, _ in pictures])
    labels = np.concatenate([gt_mask.ravel() for _, gt_mask in pictures])

    metrics = counted(pictures).metrics()

    precision, recall, _ = precision_recall_curve(labels, scores)
    assert metrics.auroc == pytest.approx(roc_auc_score(labels, scores), abs=1e-3)
    assert metrics.average_precision == pytest.approx(average_precision_score(labels, scores), abs=1e-3)
    assert metrics.f1_max == pytest.approx((2 * precision * recall / (precision + recall + 1e-30)).max(), abs=1e-3)


def test_the_stated_error_bounds_what_coarse_bins_do_to_auroc() -> None:
    pictures = some_pictures()
    scores = np.concatenate([anomaly_map.ravel() for anomaly_map, _ in pictures])
    labels = np.concatenate([gt_mask.ravel() for _, gt_mask in pictures])

    coarse = counted(pictures, bins=64)

    auroc = coarse.metrics().auroc
    assert auroc is not None
    difference = abs(auroc - roc_auc_score(labels, scores))
    assert 1e-4 < difference <= coarse.auroc_error()


def test_each_region_shares_one_whole_and_corners_connect() -> None:
    histograms = PixelHistograms(0.0, 4.0, bins=4)
    gt_mask = np.array([[1, 0, 0, 0], [0, 1, 0, 1]], dtype=bool)
    anomaly_map = np.array([[3.5, 0.5, 0.5, 0.5], [0.5, 1.5, 0.5, 2.5]])

    histograms.add(anomaly_map, gt_mask)

    assert histograms.n_regions == 2  # the diagonal pair is one region
    assert histograms.region_share.tolist() == [0.0, 0.5, 1.0, 0.5]
    assert histograms.normal.tolist() == [5, 0, 0, 0]


def test_merged_histograms_equal_counting_everything_at_once() -> None:
    pictures = some_pictures()

    merged = counted(pictures[:2]).merged(counted(pictures[2:]))

    at_once = counted(pictures)
    assert np.array_equal(merged.normal, at_once.normal)
    assert np.array_equal(merged.anomalous, at_once.anomalous)
    assert np.allclose(merged.region_share, at_once.region_share, atol=1e-12)
    assert (merged.n_regions, merged.lowest, merged.highest) == (4, at_once.lowest, at_once.highest)


def test_scores_outside_the_range_fall_into_the_end_bins() -> None:
    histograms = PixelHistograms(0.0, 1.0, bins=4)

    assert histograms.bin_of([-5.0, 0.0, 0.3, 1.0, 7.0]).tolist() == [0, 0, 1, 3, 3]


def test_normal_pictures_alone_give_no_pixel_metrics() -> None:
    histograms = PixelHistograms(0.0, 1.0)
    histograms.add(np.full((4, 4), 0.5), np.zeros((4, 4), dtype=bool))

    assert histograms.metrics().auroc is None
    assert histograms.metrics().n_normal == 16


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"one size, got \(4, 4\) and \(4, 5\)"):
        PixelHistograms(0.0, 1.0).add(np.zeros((4, 4)), np.zeros((4, 5), dtype=bool))


def test_a_map_with_a_hole_in_it_is_refused() -> None:
    with pytest.raises(ValueError, match="must be finite"):
        PixelHistograms(0.0, 1.0).add(np.full((2, 2), np.nan), np.zeros((2, 2), dtype=bool))


def test_histograms_over_other_bins_are_not_merged() -> None:
    with pytest.raises(ValueError, match="different bins"):
        PixelHistograms(0.0, 1.0).merged(PixelHistograms(0.0, 2.0))
