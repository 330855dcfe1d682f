from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from app.store.exchange.areas import area_of_runs


@pytest.mark.parametrize("seed", range(8))
def test_runs_cover_the_pixels_that_they_count(seed: int) -> None:
    rng = np.random.default_rng(seed)
    flat = rng.random(7 * 11) < (0.1, 0.5, 0.95)[seed % 3]
    # Every run of one value, and empty ones between them, which untrusted files hold.
    edges = np.sort(np.concatenate((np.flatnonzero(np.diff(flat)) + 1, rng.integers(0, 78, 300), [0, 77])))
    starts, lengths = edges[:-1], np.diff(edges)
    kept = (lengths == 0) | flat[np.minimum(starts, 76)]

    (area,) = area_of_runs(starts[kept], lengths[kept], 11)

    whole = np.zeros((7, 11), dtype=np.bool_)
    whole[area.top : area.top + area.mask.shape[0], area.left : area.left + area.mask.shape[1]] = area.mask
    assert whole.tolist() == flat.reshape(7, 11).tolist()
    border = (area.mask[0], area.mask[-1], area.mask[:, 0], area.mask[:, -1])
    assert all(side.any() for side in border), "the box fits"


def test_empty_runs_cover_nothing() -> None:
    assert area_of_runs(np.array([5, 5, 9]), np.array([0, 0, 0]), 4) == ()


def test_a_large_area_takes_little_more_than_a_byte_a_pixel() -> None:
    tracemalloc.start()
    try:
        (area,) = area_of_runs(np.array([0]), np.array([4_000_000]), 2_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert area.mask.all()
    assert area.mask.shape == (2_000, 2_000)
    assert peak < 8_000_000
