import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from models import scoring


def test_fuse_layers_adds_only_the_chosen_layers() -> None:
    layer_maps = torch.tensor([1.0, 10.0, 100.0]).view(1, 3, 1, 1).expand(1, 3, 2, 2)
    fused = scoring.fuse_layers(layer_maps, (3, 6, 9), (3, 9))
    assert fused.tolist() == [[[101.0, 101.0], [101.0, 101.0]]]


def test_fuse_layers_refuses_a_layer_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="non-empty choice"):
        scoring.fuse_layers(torch.zeros(1, 2, 2, 2), (3, 6), (12,))


def test_upsample_interpolates_between_pixel_centres() -> None:
    row = scoring.upsample(torch.tensor([[[0.0, 4.0]]]), (1, 4))
    assert row.flatten().tolist() == [0.0, 1.0, 3.0, 4.0]  # centres at -0.25, 0.25, 0.75, 1.25 of the old pixels


def test_smooth_equals_scipys_gaussian() -> None:
    maps = torch.rand(2, 40, 30, generator=torch.Generator().manual_seed(0))
    ours = scoring.smooth(maps, 2.0)
    # scipy's "mirror" is torch's "reflect": the border pixel is not repeated.
    expected = np.stack([gaussian_filter(one.numpy(), 2.0, mode="mirror", truncate=4.0) for one in maps])
    np.testing.assert_allclose(ours.numpy(), expected, atol=1e-5)


def test_smooth_with_sigma_zero_changes_nothing() -> None:
    maps = torch.rand(1, 5, 5)
    assert torch.equal(scoring.smooth(maps, 0.0), maps)


def test_top_fraction_mean_averages_only_the_highest_values() -> None:
    values = torch.arange(100.0).view(1, 10, 10)
    assert scoring.top_fraction_mean(values, 0.02).tolist() == [98.5]  # mean of 98 and 99


def test_top_fraction_mean_rounds_the_count_up() -> None:
    values = torch.arange(10.0).view(1, 10)
    assert scoring.top_fraction_mean(values, 0.11).tolist() == [8.5]  # ceil(1.1) = 2 values: 9 and 8


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.1])
def test_top_fraction_mean_refuses_a_share_outside_its_range(fraction: float) -> None:
    with pytest.raises(ValueError, match="fraction must be in"):
        scoring.top_fraction_mean(torch.zeros(1, 4), fraction)


def test_anomaly_map_has_the_pictures_size_and_a_constant_stays_constant() -> None:
    layer_maps = torch.full((1, 2, 4, 4), 0.25)
    result = scoring.anomaly_map(
        layer_maps, (3, 6), (3, 6), input_size_hw=(56, 56), blur_sigma=4.0, output_size_hw=(30, 70)
    )
    assert result.shape == (1, 30, 70)
    assert torch.allclose(result, torch.tensor(0.5))
