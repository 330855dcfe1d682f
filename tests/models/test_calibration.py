import pytest
import torch

from models.calibration import Calibration


def constant_normals(count: int = 101) -> Calibration:
    """Picture i is i / 100 everywhere in layer 3 and ten times that in layer 6."""
    levels = torch.arange(count).view(-1, 1, 1, 1) / 100.0
    return Calibration(torch.cat([levels, 10 * levels], dim=1).expand(-1, -1, 4, 4), (3, 6), 56)


def test_thresholds_are_quantiles_of_the_normal_pictures_scores() -> None:
    thresholds = constant_normals().thresholds((3,), top_k=0.01, blur_sigma=4.0)
    assert thresholds.suspicious == pytest.approx(0.90)
    assert thresholds.anomalous == pytest.approx(0.98)
    assert thresholds.normal_level == pytest.approx(0.50)
    assert thresholds.normal_quantile == 0.98


def test_thresholds_follow_the_chosen_layers() -> None:
    thresholds = constant_normals().thresholds((3, 6), top_k=0.01, blur_sigma=0.0)
    assert thresholds.anomalous == pytest.approx(0.98 + 9.8)


def test_a_larger_share_of_pixels_lowers_the_threshold_where_maps_are_uneven() -> None:
    maps = torch.zeros(10, 1, 4, 4)
    maps[:, 0, 0, 0] = 1.0
    calibration = Calibration(maps, (3,), 56)
    few = calibration.thresholds((3,), top_k=1 / 64, blur_sigma=0.0)
    all_pixels = calibration.thresholds((3,), top_k=1.0, blur_sigma=0.0)
    assert few.anomalous == pytest.approx(1.0)  # the corner's own pixel of the 8 x 8
    # The corner's bilinear weights along an axis of 8 add up to 1 + 0.75 + 0.25, so 2 * 2 of 64 pixels.
    assert all_pixels.anomalous == pytest.approx(4 / 64)
