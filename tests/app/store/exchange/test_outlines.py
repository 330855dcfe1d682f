from __future__ import annotations

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from scipy import ndimage

from app.store.exchange import rle
from app.store.exchange.areas import Area, united
from app.store.exchange.outlines import outline
from app.store.exchange.polygons import fill
from app.store.records import Mask
from models.errors import DataError


def on_canvas(area: Area, size_hw: tuple[int, int]) -> Mask:
    return united([(area, "")], size_hw)[0]


def test_the_outline_of_a_box_runs_along_its_edges() -> None:
    region = np.zeros((4, 6), dtype=np.bool_)
    region[1:3, 2:5] = True

    assert outline(region).tolist() == [[2, 1], [5, 1], [5, 3], [2, 3]]


def test_a_hole_is_reached_over_a_bridge_between_two_rows() -> None:
    region = np.ones((3, 3), dtype=np.bool_)
    region[1, 1] = False

    # From (0, 1) to the hole at (1, 1), around it, and back.
    assert outline(region).tolist() == [
        [0, 0], [3, 0], [3, 3], [0, 3], [0, 1], [1, 1], [1, 2], [2, 2], [2, 1], [0, 1],
    ]  # fmt: skip


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7, 0.9])
def test_filling_an_outline_gives_the_same_pixels_again(share: float) -> None:
    random = np.random.default_rng(int(share * 10))
    for _ in range(60):
        mask = random.random(random.integers(1, 16, 2)) < share
        labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
        for number in range(1, count + 1):
            region = labels == number
            assert np.array_equal(on_canvas(fill(outline(region).astype(float), region.shape), region.shape), region)


def test_what_lies_outside_the_image_is_cut_off() -> None:
    far = np.array([[-1e6, -3], [2, -3], [2, 2], [-1e6, 2]])

    filled = on_canvas(fill(far, (4, 5)), (4, 5))

    assert np.array_equal(np.argwhere(filled), [[0, 0], [0, 1], [1, 0], [1, 1]])


def test_an_outline_with_endless_crossings_is_refused() -> None:
    zigzag = np.array([[0.0, 0.0], [1.0, 10_000.0]] * 3000)

    with pytest.raises(DataError, match="too intricate"):
        fill(zigzag, (10_000, 2))


def test_run_lengths_are_those_of_pycocotools() -> None:
    random = np.random.default_rng(3)
    for _ in range(200):
        mask = random.random(random.integers(1, 30, 2)) < random.random()
        mask[0, 0] = True
        size_hw = (mask.shape[0], mask.shape[1])
        ys, xs = np.nonzero(mask)
        text = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()

        assert rle.encode(ys, xs, size_hw) == text
        assert np.array_equal(on_canvas(rle.decode(text, size_hw)[0], size_hw), mask)
