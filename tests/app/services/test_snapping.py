"""Snapping on drawn step edges, where it is known by hand which pixel belongs to which side."""

from __future__ import annotations

import time

import numpy as np
import pytest
from numpy.typing import NDArray

from app.services import snapping
from app.services.snapping import band_px, snap
from models.errors import DataError

Mask = NDArray[np.bool_]


def rectangle(shape: tuple[int, int], top: int, bottom: int, left: int, right: int) -> Mask:
    mask = np.zeros(shape, dtype=np.bool_)
    mask[top:bottom, left:right] = True
    return mask


def painted(mask: Mask, *, inside: int = 60, outside: int = 200, noise: float = 6.0) -> NDArray[np.uint8]:
    """Two grey levels and some noise, always the same."""
    grey = np.where(mask, inside, outside)[..., None] + np.random.default_rng(0).normal(0, noise, (*mask.shape, 3))
    return np.clip(grey, 0, 255).astype(np.uint8)


TRUE = rectangle((120, 160), 40, 80, 50, 110)


@pytest.mark.parametrize(
    "drawn",
    [
        rectangle((120, 160), 37, 83, 47, 113),  # three pixels too large
        rectangle((120, 160), 43, 77, 53, 107),  # three too small
        rectangle((120, 160), 38, 78, 53, 113),  # shifted
    ],
    ids=["too large", "too small", "shifted"],
)
def test_a_boundary_next_to_a_step_edge_ends_up_on_it(drawn: Mask) -> None:
    snapped = snap(painted(TRUE), drawn, reach_px=5)
    assert np.array_equal(snapped, TRUE)


def test_a_dark_hole_in_a_region_is_snapped_too() -> None:
    true = TRUE & ~rectangle((120, 160), 55, 65, 70, 90)
    drawn = TRUE & ~rectangle((120, 160), 57, 63, 72, 88)  # a hole two pixels too small
    assert np.array_equal(snap(painted(true), drawn, reach_px=4), true)


def test_nothing_changes_further_from_the_boundary_than_the_reach() -> None:
    far = rectangle((120, 160), 60, 120, 60, 160)  # the edges lie 20 pixels away
    drawn = rectangle((120, 160), 40, 80, 40, 80)
    changed = snap(painted(far), drawn, reach_px=3) != drawn
    band = rectangle((120, 160), 37, 83, 37, 83) & ~rectangle((120, 160), 43, 77, 43, 77)
    assert not (changed & ~band).any()


def test_a_mask_that_is_worked_on_at_a_reduced_size_changes_only_within_the_reach_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(snapping, "_WORK_PX", 500)  # a fifth of the size, at which one pixel is five
    drawn = rectangle((120, 160), 38, 83, 47, 113)
    changed = snap(painted(TRUE), drawn, reach_px=1) != drawn
    band = rectangle((120, 160), 37, 84, 46, 114) & ~rectangle((120, 160), 39, 82, 48, 112)
    assert changed.any()
    assert not (changed & ~band).any()


def test_a_thin_region_keeps_its_core() -> None:
    crack = rectangle((120, 160), 59, 62, 20, 140)
    drawn = rectangle((120, 160), 60, 61, 20, 140)  # one pixel along the middle of a crack of three
    snapped = snap(painted(crack), drawn, reach_px=3)
    assert snapped[60, 20:140].all()
    assert np.array_equal(snapped, crack)


def test_regions_far_apart_are_snapped_each_for_itself() -> None:
    true = rectangle((400, 400), 20, 60, 20, 60) | rectangle((400, 400), 300, 360, 300, 360)
    drawn = rectangle((400, 400), 18, 62, 18, 62) | rectangle((400, 400), 302, 358, 302, 358)
    assert np.array_equal(snap(painted(true), drawn, reach_px=4), true)


def test_a_region_at_the_border_stays_at_the_border() -> None:
    true = rectangle((120, 160), 0, 40, 0, 50)
    drawn = rectangle((120, 160), 0, 43, 0, 53)
    assert np.array_equal(snap(painted(true), drawn, reach_px=5), true)


def test_the_same_input_gives_the_same_result_and_is_not_changed() -> None:
    rgb, drawn = painted(TRUE, noise=40.0), rectangle((120, 160), 36, 84, 46, 114)
    before = drawn.copy()
    assert np.array_equal(snap(rgb, drawn), snap(rgb, drawn))
    assert np.array_equal(drawn, before)


def test_a_mask_without_a_boundary_stays_as_it_is() -> None:
    everywhere = np.ones((120, 160), dtype=np.bool_)
    assert snap(painted(TRUE), everywhere).all()


def test_an_empty_mask_is_answered_with_a_sentence() -> None:
    with pytest.raises(DataError, match="The mask is empty, so it has no boundary to move; paint a region first."):
        snap(painted(TRUE), np.zeros_like(TRUE))


def test_a_mask_of_another_size_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="must be of the picture's size"):
        snap(painted(TRUE), np.ones((160, 120), dtype=np.bool_))


@pytest.mark.parametrize(("size_hw", "reach"), [((100, 100), 3), ((300, 400), 6), ((4000, 6000), 60)])
def test_the_reach_grows_with_the_picture(size_hw: tuple[int, int], reach: int) -> None:
    assert band_px(size_hw) == reach


@pytest.mark.slow
def test_a_region_over_most_of_24_megapixels_takes_seconds_and_lands_within_a_few_pixels() -> None:
    true = rectangle((4000, 6000), 600, 3400, 800, 5200)
    rgb = np.where(true, np.uint8(60), np.uint8(200))[..., None].repeat(3, axis=2)
    drawn = rectangle((4000, 6000), 575, 3425, 775, 5225)
    start_s = time.perf_counter()
    wrong = snap(rgb, drawn) != true
    assert time.perf_counter() - start_s < 10  # 2 s on an idle machine
    near = rectangle((4000, 6000), 594, 3406, 794, 5206) & ~rectangle((4000, 6000), 606, 3394, 806, 5194)
    assert not (wrong & ~near).any()
