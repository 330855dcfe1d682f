"""Regions are the 8-connected parts of a mask, and classes find theirs."""

from __future__ import annotations

import numpy as np
import pytest

from app.store import components
from app.store.components import regions_of
from app.store.errors import StoreError
from app.store.records import DefectClass, Region
from tests.app.store.making import mask_of


def test_pixels_that_touch_at_a_corner_are_one_region_and_the_largest_comes_first() -> None:
    mask = mask_of((5, 0), (0, 1), (1, 2), (1, 3))

    assert regions_of(mask) == (
        Region(box_xyxy=(0, 1, 2, 4), area_px=3, point_xy=(0, 1), defect_class=""),
        Region(box_xyxy=(5, 0, 6, 1), area_px=1, point_xy=(5, 0), defect_class=""),
    )


def test_of_equally_large_regions_the_higher_one_comes_first_then_the_one_further_left() -> None:
    mask = mask_of((4, 2), (0, 2), (2, 0))

    assert [region.point_xy for region in regions_of(mask)] == [(2, 0), (0, 2), (4, 2)]


def test_the_point_is_of_the_region_even_where_the_box_belongs_to_another() -> None:
    ring = np.ones((5, 5), dtype=np.bool_)
    ring[1:4, 1:4] = False
    ring[2, 2] = True

    regions = regions_of(ring)

    assert regions == (Region((0, 0, 5, 5), 16, (0, 0), ""), Region((2, 2, 3, 3), 1, (2, 2), ""))


def test_a_class_names_the_region_of_its_pixel() -> None:
    mask = mask_of((5, 0), (0, 2), (1, 2))

    regions = regions_of(mask, (DefectClass((1, 2), "crack"), DefectClass((5, 0), "dent")))

    assert regions == (Region((0, 2, 2, 3), 2, (1, 2), "crack"), Region((5, 0, 6, 1), 1, (5, 0), "dent"))


def test_where_a_region_is_named_twice_the_later_name_holds() -> None:
    mask = mask_of((0, 2), (1, 2))

    (region,) = regions_of(mask, (DefectClass((0, 2), "crack"), DefectClass((1, 2), "dent")))

    assert (region.defect_class, region.point_xy) == ("dent", (1, 2))


@pytest.mark.parametrize("point_xy", [(0, 0), (2, 2), (-1, 1), (6, 0), (0, 4), (-5, 0), (10**12, 0)])
def test_a_class_outside_every_region_is_refused(point_xy: tuple[int, int]) -> None:
    mask = mask_of((1, 1), (3, 3))

    with pytest.raises(StoreError, match=rf"'dent' at x {point_xy[0]}, y {point_xy[1]} lies outside every region"):
        regions_of(mask, (DefectClass(point_xy, "dent"),))


def test_an_empty_mask_has_no_region_and_takes_no_class() -> None:
    assert regions_of(mask_of()) == ()
    with pytest.raises(StoreError, match="lies outside every region"):
        regions_of(mask_of(), (DefectClass((0, 0), "dent"),))


@pytest.mark.parametrize("part_px", [50, 4_000_000])
def test_regions_agree_with_a_search_pixel_by_pixel(monkeypatch: pytest.MonkeyPatch, part_px: int) -> None:
    monkeypatch.setattr(components, "_PART_PX", part_px)
    mask = np.random.default_rng(3).random((23, 31)) < 0.35
    unseen = {(int(x), int(y)) for y, x in np.argwhere(mask)}
    expected = []
    while unseen:
        part, edge = set(), {min(unseen, key=lambda point: (point[1], point[0]))}
        while edge:
            part |= edge
            unseen -= edge
            edge = {(x + dx, y + dy) for x, y in edge for dx in (-1, 0, 1) for dy in (-1, 0, 1)} & unseen
        xs, ys = [x for x, _ in part], [y for _, y in part]
        first = min(part, key=lambda point: (point[1], point[0]))
        expected.append(((min(xs), min(ys), max(xs) + 1, max(ys) + 1), len(part), first))

    found = [(region.box_xyxy, region.area_px, region.point_xy) for region in regions_of(mask)]

    assert found == sorted(expected, key=lambda region: (-region[1], region[2][1], region[2][0]))
