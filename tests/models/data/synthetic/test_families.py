import numpy as np
import pytest

from models.data.synthetic.canvas import Scene
from models.data.synthetic.compose import LARGEST_SHARE, add_anomaly
from models.data.synthetic.families import (
    HELD_OUT_ANOMALIES,
    HELD_OUT_NORMALS,
    TRAIN_ANOMALIES,
    TRAIN_NORMALS,
    WEIGHTS,
)
from models.data.synthetic.photographs import SHIPPED_HELD_OUT, SHIPPED_TRAIN

ALL_NORMALS = {**TRAIN_NORMALS, **HELD_OUT_NORMALS}
ALL_ANOMALIES = {**TRAIN_ANOMALIES, **HELD_OUT_ANOMALIES}


def test_held_out_families_are_not_seen_in_training() -> None:
    assert not set(TRAIN_NORMALS) & set(HELD_OUT_NORMALS)
    assert not set(TRAIN_ANOMALIES) & set(HELD_OUT_ANOMALIES)
    assert not set(SHIPPED_TRAIN) & set(SHIPPED_HELD_OUT)


def test_no_two_families_share_a_builder() -> None:
    builders = [*ALL_NORMALS.values(), *ALL_ANOMALIES.values()]

    assert len({id(builder) for builder in builders}) == len(builders)


def test_every_weight_belongs_to_a_family() -> None:
    assert set(WEIGHTS) <= {*ALL_NORMALS, *ALL_ANOMALIES}


@pytest.mark.parametrize("size_px", [64, 126])
@pytest.mark.parametrize("name", ALL_NORMALS)
def test_every_normal_family_makes_a_picture_in_the_unit_range(name: str, size_px: int) -> None:
    for seed in range(2):
        scene = ALL_NORMALS[name](np.random.default_rng(seed), size_px)

        assert scene.image.shape == (size_px, size_px, 3)
        assert scene.image.dtype == np.float32
        assert scene.image.min() >= 0
        assert scene.image.max() <= 1
        assert scene.foreground.any()


@pytest.mark.parametrize("size_px", [64, 126])
@pytest.mark.parametrize("name", ALL_ANOMALIES)
def test_every_anomaly_family_can_be_seen_on_some_scene(name: str, size_px: int) -> None:
    scenes = [_stripes(size_px), TRAIN_NORMALS["boxes"](np.random.default_rng(2), size_px)]

    tries = (add_anomaly(np.random.default_rng(seed), ALL_ANOMALIES[name], scenes[seed % 2]) for seed in range(20))
    added = next((one for one in tries if one is not None), None)

    assert added is not None
    assert added.mask.any()
    assert added.mask.mean() <= LARGEST_SHARE


def _stripes(size_px: int) -> Scene:
    """Soft bars of middle brightness: every family has something to hide, move or smear there."""
    line = 0.5 + 0.3 * np.sin(np.arange(size_px) * 2 * np.pi / 8)
    noise = np.random.default_rng(0).normal(0, 0.02, (size_px, size_px, 3))
    image = np.clip(line[None, :, None] + noise, 0, 1).astype(np.float32)
    return Scene(image=image, foreground=np.ones((size_px, size_px), dtype=np.bool_))
