"""Tiles cover every pixel, and what they are put together to has no seams."""

from __future__ import annotations

import numpy as np
import pytest

from models.errors import DataError
from models.tiling import MAX_TILES, OVERLAP, TileLayout, axis_weights, blend, cut, tile_layout

SIZES = [(1, 1), (1, 90), (2, 3), (13, 40), (64, 64), (65, 64), (100, 257), (300, 200), (333, 1000)]


@pytest.mark.parametrize("size_hw", SIZES)
@pytest.mark.parametrize("tile_px", [1, 2, 5, 64, 65, 500])
def test_square_tiles_inside_the_picture_cover_every_pixel(
    size_hw: tuple[int, int], tile_px: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.tiling.MAX_TILES", 10**6)
    layout = tile_layout(size_hw, tile_px)

    seen = np.zeros(size_hw, dtype=int)
    for top, left in layout.corners:
        assert 0 <= top <= size_hw[0] - layout.side_px
        assert 0 <= left <= size_hw[1] - layout.side_px
        seen[top : top + layout.side_px, left : left + layout.side_px] += 1

    assert seen.min() >= 1
    assert layout.side_px == min(tile_px, *size_hw)


def test_neighbours_share_at_least_a_quarter_of_their_side() -> None:
    for length in range(392, 2000, 37):
        layout = tile_layout((392, length), 392)
        assert np.diff(layout.lefts).max(initial=0) <= 392 * (1 - OVERLAP)


def test_no_tile_is_there_without_need() -> None:
    # 100 px are covered by one tile of 100; 101 px need a second; 175 = 100 + 75 is the most that two cover.
    assert [len(tile_layout((100, width), 100)) for width in (100, 101, 175, 176)] == [1, 2, 2, 3]
    assert tile_layout((100, 175), 100).lefts == (0, 75)


@pytest.mark.parametrize(("starts", "side_px", "length"), [((0,), 7, 7), ((0, 5), 7, 12), ((0, 3, 4, 9), 6, 15)])
def test_the_weights_at_every_position_add_up_to_one(starts: tuple[int, ...], side_px: int, length: int) -> None:
    total = np.zeros(length)
    for start, weights in zip(starts, axis_weights(starts, side_px, length), strict=True):
        assert weights.min() >= 0.0
        total[start : start + side_px] += weights
    np.testing.assert_allclose(total, 1.0, atol=1e-12)


def test_two_tiles_count_the_same_in_the_middle_of_what_they_share_and_nothing_at_its_ends() -> None:
    first, second = axis_weights((0, 60), 100, 160)
    assert first[79] == pytest.approx(second[20])  # positions 79 and 80 lie either side of the middle
    assert first[79] == pytest.approx(0.5, abs=0.05)
    assert first[60] > 0.999
    assert first[99] < 0.001


@pytest.mark.parametrize("size_hw", SIZES)
def test_equal_maps_put_together_are_equal_everywhere(size_hw: tuple[int, int]) -> None:
    layout = tile_layout(size_hw, 50)
    constant = np.full((layout.side_px, layout.side_px), 0.75, dtype=np.float32)

    blended = blend((constant for _ in range(len(layout))), layout)

    assert blended.shape == size_hw
    np.testing.assert_allclose(blended, 0.75, atol=1e-6)


def test_the_parts_of_a_map_put_together_are_that_map() -> None:
    whole = np.random.default_rng(0).standard_normal((130, 211)).astype(np.float32)
    layout = tile_layout((130, 211), 60)
    parts = [whole[top : top + 60, left : left + 60] for top, left in layout.corners]
    np.testing.assert_allclose(blend(parts, layout), whole, atol=1e-6)


def test_a_plane_that_every_tile_sees_a_little_differently_is_put_together_without_a_step() -> None:
    layout = tile_layout((150, 240), 60)
    rows, columns = np.mgrid[:60, :60].astype(np.float32)
    offsets = np.random.default_rng(1).uniform(-1.0, 1.0, len(layout))
    maps = [
        (0.01 * (top + rows) + 0.02 * (left + columns) + offset).astype(np.float32)
        for (top, left), offset in zip(layout.corners, offsets, strict=True)
    ]

    blended = blend(maps, layout)

    # Tiles differ by up to 2 and share 15 pixels, in whose middle weights change fastest, by 2 / 15 a pixel.
    assert np.abs(np.diff(blended, axis=0)).max() < 0.01 + 2 * 2 / 15
    assert np.abs(np.diff(blended, axis=1)).max() < 0.02 + 2 * 2 / 15
    # Where a tile begins it counts 1 / 840, as (1/2)^2 to (1/2)^2 + (29/2)^2 and near that for sines.
    for left in layout.lefts[1:]:
        assert np.abs(blended[:, left] - blended[:, left - 1]).max() < 0.02 + 0.02


def test_tiles_are_cut_in_the_order_in_which_maps_are_put_together() -> None:
    rgb = np.random.default_rng(2).integers(0, 256, (37, 53, 3), dtype=np.uint8)
    layout = tile_layout((37, 53), 20)
    blended = blend((tile[..., 0].astype(np.float32) for tile in cut(rgb, layout)), layout)
    np.testing.assert_allclose(blended, rgb[..., 0], atol=1e-3)


def test_a_map_too_few_or_too_many_is_a_mistake() -> None:
    layout = TileLayout((4, 6), 4, (0,), (0, 2))
    for count in (1, 3):
        with pytest.raises(ValueError, match=r"zip\(\) argument 2 is (longer|shorter)"):
            blend([np.zeros((4, 4), np.float32)] * count, layout)


def test_too_many_tiles_are_refused_in_a_sentence() -> None:
    with pytest.raises(DataError, match=r"4000 x 3000 pixels in tiles of 14 are .* tiles, and 2,500 are the most"):
        tile_layout((3000, 4000), 14)
    assert len(tile_layout((10_000, 10_000), 392)) == 34**2 <= MAX_TILES


@pytest.mark.parametrize(("size_hw", "tile_px"), [((0, 5), 3), ((5, 5), 0)])
def test_a_size_below_one_is_a_mistake(size_hw: tuple[int, int], tile_px: int) -> None:
    with pytest.raises(ValueError, match="sizes must be 1 or more"):
        tile_layout(size_hw, tile_px)
