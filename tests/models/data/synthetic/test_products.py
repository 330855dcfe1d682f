"""One product in many pictures: repeatable, with true masks, and never the same grain taught and tested."""

from __future__ import annotations

import numpy as np
import pytest

from models.data.synthetic.canvas import whole
from models.data.synthetic.products import Product

SIDE = 64
HONEYCOMB = Product(normal_family="honeycomb", anomaly_family="thread_loop", seed=3)


def test_a_picture_is_the_same_every_time_and_another_for_each_number() -> None:
    scene = HONEYCOMB.scene(SIDE)
    first, again = (HONEYCOMB.picture(scene, 1, SIDE, taught=True, anomalous=True) for _ in range(2))
    other = HONEYCOMB.picture(scene, 2, SIDE, taught=True, anomalous=True)

    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.mask, again.mask)
    assert not np.array_equal(first.image, other.image)


@pytest.mark.parametrize("taught", [True, False])
def test_only_anomalous_pictures_have_a_mask(taught: bool) -> None:
    scene = HONEYCOMB.scene(SIDE)
    normal, anomalous = (HONEYCOMB.picture(scene, 0, SIDE, taught=taught, anomalous=one) for one in (False, True))

    assert normal.anomaly_family is None
    assert not normal.mask.any()
    assert anomalous.anomaly_family == "thread_loop"
    assert 0 < anomalous.mask.mean() < 0.5
    assert normal.image.shape == (SIDE, SIDE, 3)


def test_what_is_taught_is_cut_from_one_half_and_what_is_tested_from_the_other() -> None:
    halves = np.zeros((160, 160, 3), dtype=np.float32)
    halves[:, 80:] = 1.0
    scene = whole(halves)

    taught = [HONEYCOMB.picture(scene, n, SIDE, taught=True, anomalous=False).image.max() for n in range(8)]
    tested = [HONEYCOMB.picture(scene, n, SIDE, taught=False, anomalous=False).image.min() for n in range(8)]

    assert max(taught) < 100  # black but for light and noise
    assert min(tested) > 150


def test_an_anomaly_that_cannot_be_seen_is_the_callers_mistake() -> None:
    plain = whole(np.full((160, 160, 3), 0.5, dtype=np.float32))  # nothing to be warped
    product = Product(normal_family="honeycomb", anomaly_family="warp", seed=3)

    with pytest.raises(ValueError, match="warp cannot be seen on honeycomb of seed 3"):
        product.picture(plain, 0, SIDE, taught=True, anomalous=True)
