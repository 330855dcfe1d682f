"""Features come back from disk as they were computed, and a change of what they depend on is another cache."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.backbones.towers import VisualFeatures, build_tiny_towers
from models.errors import DataError
from models.registry import get_backbone_spec
from models.training.feature_cache import CachedPictures, CacheKey, FeatureCache, Precision, key_of

KEY = CacheKey(
    tower_sha256="0" * 64, vv_blocks=2, layers=(2, 4), image_px=28, grid_hw=(2, 2), dim=3, mean=(0.5,), std=(0.2,)
)


def features_of(seed: int, *, batch: int = 1, scale: float = 1.0) -> VisualFeatures:
    generator = torch.Generator().manual_seed(seed)
    return VisualFeatures(
        global_feature=torch.randn(batch, 3, generator=generator) * scale,
        local_features=torch.randn(batch, 2, 4, 3, generator=generator) * scale,
        grid_hw=(2, 2),
    )


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 0.0), ("float16", 2e-3)])
def test_features_come_back_in_the_order_asked_for(tmp_path: Path, precision: Precision, tolerance: float) -> None:
    cache = FeatureCache.open(tmp_path, replace(KEY, precision=precision))
    places = [cache.get_or_compute(f"{seed:064}", partial(features_of, seed)) for seed in range(3)]

    found = cache.features([places[2], places[0], places[2]])

    assert found.grid_hw == (2, 2)
    assert found.local_features.dtype == torch.float32
    for row, seed in enumerate((2, 0, 2)):
        wanted = features_of(seed)
        torch.testing.assert_close(found.global_feature[row], wanted.global_feature[0], atol=tolerance, rtol=0)
        torch.testing.assert_close(found.local_features[row], wanted.local_features[0], atol=tolerance, rtol=0)


def test_features_that_are_there_are_not_computed_again_even_after_a_restart(tmp_path: Path) -> None:
    first = FeatureCache.open(tmp_path, KEY)
    first.get_or_compute("a" * 64, lambda: features_of(1))
    first.close()

    def refuse() -> VisualFeatures:
        raise AssertionError("computed twice")

    again = FeatureCache.open(tmp_path, KEY)
    assert again.get_or_compute("a" * 64, refuse) == 0
    assert len(again) == 1


def test_a_record_of_the_shipped_size_takes_two_and_a_half_megabytes() -> None:
    key = replace(KEY, layers=(6, 7, 9, 12), image_px=392, grid_hw=(28, 28), dim=384)

    assert key.record_bytes == (4 * 784 + 1) * 384 * 2 == 2_409_216
    assert replace(key, precision="float32").record_bytes == 2 * 2_409_216


@pytest.mark.parametrize(
    "change",
    [
        {"tower_sha256": "1" * 64}, {"layers": (2, 3)}, {"image_px": 42, "grid_hw": (3, 3)}, {"vv_blocks": 0},
        {"precision": "float32"}, {"mean": (0.4,)}, {"std": (0.3,)},
    ],
)  # fmt: skip
def test_whatever_features_depend_on_has_a_cache_of_its_own(tmp_path: Path, change: dict[str, Any]) -> None:
    FeatureCache.open(tmp_path, KEY).get_or_compute("a" * 64, lambda: features_of(1))

    other = FeatureCache.open(tmp_path, replace(KEY, **change))

    assert len(other) == 0
    assert len({replace(KEY, **change).folder_name, KEY.folder_name}) == 2


def test_the_key_of_towers_follows_their_visual_weights_alone() -> None:
    spec = get_backbone_spec("dinov2-small")
    towers = build_tiny_towers(like="clip")
    key = key_of(towers, spec, (2, 4), 56)
    assert (key.grid_hw, key.dim, key.vv_blocks, key.mean) == ((4, 4), towers.visual_dim, towers.vv_blocks, spec.mean)

    with torch.no_grad():
        next(towers.text.parameters()).add_(1.0)
    assert key_of(towers, spec, (2, 4), 56) == key
    assert towers.visual_projection is not None
    towers.visual_projection.add_(1.0)
    assert key_of(towers, spec, (2, 4), 56) != key


def test_masks_come_back_bit_by_bit_and_equal_ones_share_a_place(tmp_path: Path) -> None:
    cache = FeatureCache.open(tmp_path, replace(KEY, image_px=15))  # 225 bits: the last byte is not full
    rng = np.random.default_rng(0)
    masks = [rng.random((15, 15)) < 0.3, np.zeros((15, 15), dtype=np.bool_), np.ones((15, 15), dtype=np.bool_)]

    places = [cache.add_mask(mask) for mask in (*masks, masks[1])]

    assert places == [0, 1, 2, 1]
    assert np.array_equal(cache.masks([2, 0, 1]).numpy(), np.stack([masks[2], masks[0], masks[1]]))


def test_a_batch_joins_features_and_masks_of_the_chosen_pictures(tmp_path: Path) -> None:
    cache = FeatureCache.open(tmp_path, replace(KEY, precision="float32"))
    for seed in range(3):
        cache.get_or_compute(str(seed), partial(features_of, seed))
    marked = cache.add_mask(np.ones((28, 28), dtype=np.bool_))
    clean = cache.add_mask(np.zeros((28, 28), dtype=np.bool_))
    pictures = CachedPictures(cache, np.array([[2, clean], [0, marked], [1, clean]]))

    features, masks = pictures.batch(np.array([1, 2]))

    assert len(pictures) == 3
    assert torch.equal(features.global_feature[0], features_of(0).global_feature[0])
    assert torch.equal(features.global_feature[1], features_of(1).global_feature[0])
    assert masks.flatten(1).all(dim=1).tolist() == [True, False]


def test_a_whole_batch_or_another_grid_is_the_callers_mistake(tmp_path: Path) -> None:
    cache = FeatureCache.open(tmp_path, KEY)
    with pytest.raises(ValueError, match="the features of one picture are"):
        cache.get_or_compute("a" * 64, lambda: features_of(1, batch=2))
    with pytest.raises(ValueError, match="masks of this cache are 28 x 28, got"):
        cache.add_mask(np.zeros((14, 14), dtype=np.bool_))
    assert len(cache) == 0


@pytest.mark.parametrize("scale", [1e7, float("nan")])
def test_features_that_half_precision_cannot_hold_are_refused(tmp_path: Path, scale: float) -> None:
    cache = FeatureCache.open(tmp_path, KEY)
    with pytest.raises(DataError, match="do not fit float16 or are no numbers; choose float32"):
        cache.get_or_compute("a" * 64, lambda: features_of(1, scale=scale))


def test_the_folder_says_what_it_holds_and_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    FeatureCache.open(tmp_path, KEY)
    assert json.loads((tmp_path / KEY.folder_name / "key.json").read_text())["layers"] == [2, 4]

    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be made .*choose another folder"):
        FeatureCache.open(tmp_path / "file", KEY)


# A process of its own: the peak of this one is that of whatever test came before.
MEASURE = """
import resource, sys
from pathlib import Path
import torch
from models.backbones.towers import VisualFeatures
from models.training.feature_cache import CacheKey, FeatureCache

key = CacheKey(tower_sha256="", vv_blocks=0, layers=(1,), image_px=448, grid_hw=(32, 32), dim=512, mean=(), std=())
cache = FeatureCache.open(Path(sys.argv[1]), key)
one = VisualFeatures(torch.zeros(1, 512), torch.zeros(1, 1, 1024, 512), (32, 32))
peaks = []
for index in range(50):
    cache.get_or_compute(str(index), lambda: one)
    cache.features([index, 0])
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
print(peaks[9], peaks[-1])
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KiB on Linux only")
def test_memory_does_not_grow_with_the_pictures(tmp_path: Path) -> None:
    program = [sys.executable, "-c", MEASURE, str(tmp_path)]
    done = subprocess.run(program, capture_output=True, text=True, check=True)

    after_10, after_50 = (int(number) for number in done.stdout.split())

    assert after_50 - after_10 < 10 * 1024  # KiB; 40 records are 40 MiB
