"""Regions of masks that were drawn by hand."""

from __future__ import annotations

import numpy as np

from app.services.regions import find_regions


def test_regions_are_listed_largest_first_with_area_peak_and_box() -> None:
    anomaly_map = np.zeros((20, 30), dtype=np.float32)
    anomaly_map[2:4, 3:6] = 1.0  # 6 pixels
    anomaly_map[10:14, 20:25] = 2.0  # 20 pixels
    anomaly_map[12, 23] = 5.0

    regions, count = find_regions(anomaly_map, anomaly_map > 0.5)

    assert count == 2
    assert [region.area_px for region in regions] == [20, 6]
    assert [region.peak for region in regions] == [5.0, 1.0]
    assert regions[0].box_xyxy == (20, 10, 25, 14)
    assert regions[0].peak_xy == (23, 12)


def test_pixels_that_touch_at_a_corner_are_one_region() -> None:
    pred_mask = np.eye(4, dtype=np.bool_)
    regions, count = find_regions(np.ones((4, 4), dtype=np.float32), pred_mask)
    assert (count, regions[0].area_px) == (1, 4)


def test_the_outline_of_a_region_at_the_border_is_closed_and_runs_half_a_pixel_outside() -> None:
    pred_mask = np.zeros((6, 6), dtype=np.bool_)
    pred_mask[0:3, 0:2] = True

    (region,), _ = find_regions(pred_mask.astype(np.float32), pred_mask)

    assert region.contour[0].tolist() == region.contour[-1].tolist()
    assert region.contour.min(axis=0).tolist() == [-0.5, -0.5]
    assert region.contour.max(axis=0).tolist() == [1.5, 2.5]


def test_more_regions_than_are_described_are_still_counted() -> None:
    pred_mask = np.zeros((2, 20), dtype=np.bool_)
    pred_mask[0, ::2] = True
    regions, count = find_regions(pred_mask.astype(np.float32), pred_mask, limit=3)
    assert (len(regions), count) == (3, 10)


def test_an_empty_mask_has_no_region() -> None:
    assert find_regions(np.zeros((3, 3), dtype=np.float32), np.zeros((3, 3), dtype=np.bool_)) == ((), 0)
