"""Pictures in tiles through the inspector, with a model whose maps are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from app.services.results import detailed_record, json_record
from app.services.tiled import map_and_score_of, shrunk
from models.config import InspectionConfig
from models.data.pictures import Picture
from models.errors import DataError
from models.registry import DEFAULT_PRESET
from models.tiling import axis_weights, tile_layout
from tests.app.fakes import FakeModel, fake_inspector, spotted_picture, white_picture

WHOLE = InspectionConfig(blur_sigma=0.0)
TILED = replace(WHOLE, tile=100)


def grey(size_hw: tuple[int, int], value: int = 64) -> Picture:
    return Picture(rgb=np.full((*size_hw, 3), value, np.uint8), name="grey.png", digest="9" * 64, note="")


@pytest.mark.parametrize("size_hw", [(250, 250), (130, 400), (40, 300)])
@pytest.mark.parametrize("blur_sigma", [0.0, 4.0])
def test_an_even_picture_has_an_even_map(size_hw: tuple[int, int], blur_sigma: float) -> None:
    settings = replace(TILED, blur_sigma=blur_sigma)
    inspection = fake_inspector(FakeModel()).inspect(grey(size_hw), DEFAULT_PRESET, settings)
    assert inspection.anomaly_map.shape == size_hw
    np.testing.assert_allclose(inspection.anomaly_map, 2.5 * (1 - 64 / 255), atol=1e-6)


@pytest.mark.parametrize("tile", [0, 200, 5000])
def test_where_one_tile_is_the_whole_picture_nothing_changes(tile: int) -> None:
    model = FakeModel()
    inspector, picture = fake_inspector(model), spotted_picture((200, 200))
    plain = inspector.inspect(picture, DEFAULT_PRESET, InspectionConfig())

    tiled = inspector.inspect(picture, DEFAULT_PRESET, InspectionConfig(tile=tile))

    np.testing.assert_array_equal(tiled.anomaly_map, plain.anomaly_map)
    assert (tiled.image_score, tiled.note, model.calls) == (plain.image_score, "", 1)


def by_hand(model: FakeModel, rgb: NDArray[np.uint8], tile_px: int) -> NDArray[np.float32]:
    """Mean of the whole map and of the tiles' maps, each pixel of each tile weighed on its own."""

    def fused(crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        summed = torch.from_numpy(model.layer_maps(crop).sum(axis=0))[None, None]
        at_input = F.interpolate(summed, (518, 518), mode="bilinear")
        return F.interpolate(at_input, crop.shape[:2], mode="bilinear")[0, 0].numpy()

    height, width = rgb.shape[:2]
    layout = tile_layout((height, width), tile_px)
    side = layout.side_px
    total, weight = np.zeros((height, width)), np.zeros((height, width))
    bell = [np.sin(np.pi * (place + 0.5) / side) ** 2 for place in range(side)]
    for top, left in layout.corners:
        weights = np.outer(bell, bell)
        total[top : top + side, left : left + side] += weights * fused(rgb[top : top + side, left : left + side])
        weight[top : top + side, left : left + side] += weights
    return ((fused(rgb) + total / weight) / 2).astype(np.float32)


def test_the_map_is_the_mean_of_the_whole_and_of_the_blended_tiles() -> None:
    picture = spotted_picture((180, 310))

    inspection = fake_inspector(FakeModel()).inspect(picture, DEFAULT_PRESET, TILED)

    np.testing.assert_allclose(inspection.anomaly_map, by_hand(FakeModel(), picture.rgb, 100), atol=1e-5)


def test_darkness_that_rises_evenly_rises_without_steps_across_seams() -> None:
    ramp = np.linspace(0, 255, 600).round().astype(np.uint8)
    picture = Picture(rgb=np.tile(ramp[None, :, None], (150, 1, 3)), name="ramp.png", digest="8" * 64, note="")

    inspection = fake_inspector(FakeModel()).inspect(picture, DEFAULT_PRESET, replace(TILED, tile=120))

    expected = 2.5 * (1 - np.arange(600) / 599)
    inner = slice(10, -10)  # a map is flat in the outer half of its outermost patches
    np.testing.assert_allclose(inspection.anomaly_map[75, inner], expected[inner], atol=0.02)
    assert np.abs(np.diff(inspection.anomaly_map[75])).max() < 3 * 2.5 / 599


def test_a_small_spot_in_a_long_picture_stands_out_more_in_tiles() -> None:
    rgb = np.full((120, 1800, 3), 255, np.uint8)
    rgb[50:58, 900:908] = 0
    picture = Picture(rgb=rgb, name="long.png", digest="7" * 64, note="")
    inspector = fake_inspector(FakeModel())

    plain = inspector.inspect(picture, DEFAULT_PRESET, WHOLE).anomaly_map
    tiled = inspector.inspect(picture, DEFAULT_PRESET, replace(WHOLE, tile=0)).anomaly_map

    assert tiled.max() > 1.3 * plain.max()
    assert abs(int(tiled.max(axis=0).argmax()) - 904) < 5


def test_maps_are_remembered_by_the_tiles_they_were_made_of() -> None:
    model = FakeModel()
    inspector, picture = fake_inspector(model), spotted_picture((200, 300))
    whole = inspector.inspect(picture, DEFAULT_PRESET, WHOLE)
    tiled = inspector.inspect(picture, DEFAULT_PRESET, TILED)
    tiles = len(tile_layout((200, 300), 100))
    assert model.calls == 1 + tiles  # the whole picture is seen once for both

    again = inspector.inspect(picture, DEFAULT_PRESET, replace(TILED, top_k=0.05))
    back = inspector.inspect(picture, DEFAULT_PRESET, WHOLE)

    assert model.calls == 1 + tiles
    assert (tiled.from_cache, again.from_cache) == (False, True)
    np.testing.assert_array_equal(again.anomaly_map, tiled.anomaly_map)
    np.testing.assert_array_equal(back.anomaly_map, whole.anomaly_map)
    inspector.inspect(picture, DEFAULT_PRESET, replace(TILED, tile=90))
    assert model.calls > 1 + tiles


def test_a_result_from_tiles_says_what_its_threshold_was_calibrated_on() -> None:
    inspector = fake_inspector(FakeModel())
    tiled = inspector.inspect(white_picture((200, 300)), DEFAULT_PRESET, TILED)
    plain = inspector.inspect(white_picture((200, 300)), DEFAULT_PRESET, WHOLE)

    expected = (
        "12 tiles of 100 px and the whole picture, averaged; the thresholds were calibrated on whole pictures, "
        "not on tiles"
    )
    assert json_record(tiled)["note"] == expected
    assert detailed_record(tiled)["note"] == expected
    assert "note" not in json_record(plain)
    assert tiled.threshold == plain.threshold
    np.testing.assert_array_equal(tiled.layer_maps, plain.layer_maps)


def test_the_map_at_the_models_size_is_in_tiles_too() -> None:
    inspector, picture = fake_inspector(FakeModel()), grey((250, 400))
    at_input = inspector.input_map(picture, DEFAULT_PRESET, TILED)
    assert at_input.shape == (518, 518)
    np.testing.assert_allclose(at_input, 2.5 * (1 - 64 / 255), atol=1e-6)


def test_too_many_tiles_are_one_sentence() -> None:
    with pytest.raises(DataError, match=r"300 x 200 pixels in tiles of 2 are .* give a larger --tile-px"):
        fake_inspector(FakeModel()).inspect(spotted_picture(), DEFAULT_PRESET, replace(TILED, tile=2))


def test_an_evaluation_scores_the_tiled_map_at_the_models_input_size() -> None:
    model, rgb = FakeModel(), spotted_picture((180, 310)).rgb

    anomaly_map, score = map_and_score_of(model, rgb, (3, 6, 9, 12), replace(TILED, top_k=0.1))  # type: ignore[arg-type]

    # Of the average of both maps at the picture's size, enlarged to the model's: the whole map takes no detour.
    expected = F.interpolate(torch.from_numpy(by_hand(model, rgb, 100))[None, None], (518, 518), mode="bilinear")[0, 0]
    np.testing.assert_allclose(anomaly_map, expected.numpy(), atol=0.05)
    assert score == pytest.approx(float(expected.flatten().topk(26833).values.mean()), abs=0.01)


def test_a_map_made_smaller_keeps_its_mean() -> None:
    fine = np.random.default_rng(0).random((200, 300)).astype(np.float32)
    small = shrunk(fine, (20, 30))
    assert small.mean() == pytest.approx(fine.mean(), abs=0.01)
    assert small.std() < 0.2 * fine.std()  # a hundred pixels or more are averaged, not one picked


def test_axis_weights_of_one_tile_are_one() -> None:
    np.testing.assert_array_equal(axis_weights((0,), 9, 9), np.ones((1, 9)))
