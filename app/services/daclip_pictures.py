"""The pictures that a DA-CLIP run trains on, and their visual features in the cache."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from models.registry import get_backbone_spec, get_preset

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from app.services.daclip_training import DAClipRun
    from models.backbones.towers import Towers, VisualFeatures
    from models.registry import BackboneSpec
    from models.training.feature_cache import CachedPictures

OnCached = Callable[[int, int], object]  # told how many pictures are in the cache and how many there are


@dataclass(frozen=True, slots=True, eq=False)
class _Picture:
    """A training picture before it is prepared."""

    digest: str  # SHA-256 of the RGB pixels or of the file, hex
    prepared: Callable[[], Tensor]  # (3, S, S), normalised; called only where features are missing
    mask: npt.NDArray[np.bool_]  # (S, S)


def cache_pictures(run: DAClipRun, towers: Towers, on_cached: OnCached = lambda *_: None) -> CachedPictures:
    """Make or read every training picture and compute the features that the cache lacks.

    Args:
        run: which pictures; its method decides the layers alone.
        towers: on the device that computes.
        on_cached: told of every picture whose features are there.
    Raises:
        DataError: the data set or the cache cannot be used.
    """
    from models.training.feature_cache import CachedPictures, FeatureCache, key_of

    spec, layers = get_backbone_spec(get_preset(run.preset).backbone), run.method.layers
    cache = FeatureCache.open(run.cache, key_of(towers, spec, layers, run.image_px, run.precision))
    total = picture_count(run)
    places = np.empty((total, 2), dtype=np.int64)
    for index, picture in enumerate(_synthetic(run, spec) if run.data is None else _of_data_set(run, spec)):
        compute = partial(_features, towers, picture, layers)
        places[index] = cache.get_or_compute(picture.digest, compute), cache.add_mask(picture.mask)
        on_cached(index + 1, total)
    return CachedPictures(cache, places)


def picture_count(run: DAClipRun) -> int:
    """How many pictures an epoch has."""
    if run.data is None:
        return run.pictures
    from models.training.folder_batches import trainable

    return len(trainable(run.data))


def step_count(run: DAClipRun) -> int:
    """How many steps a run has."""
    from models.training.folder_batches import steps_per_epoch

    return run.epochs * steps_per_epoch(picture_count(run), run.batch_size)


def _features(towers: Towers, picture: _Picture, layers: tuple[int, ...]) -> VisualFeatures:
    return towers.visual_features(picture.prepared().unsqueeze(0).to(device_of(towers)), layers)


def _synthetic(run: DAClipRun, spec: BackboneSpec) -> Iterator[_Picture]:
    from models.data.synthetic import World, sample
    from models.preprocessing import to_input
    from models.training.batches import SEEDS_PER_RUN

    world, side = World(split="train", photographs=run.photographs), run.image_px
    for index in range(run.pictures):
        made = sample(run.seed * SEEDS_PER_RUN + index, world, side)
        digest = hashlib.sha256(made.image.tobytes()).hexdigest()
        yield _Picture(digest, partial(to_input, made.image, (side, side), spec), made.mask)


def _of_data_set(run: DAClipRun, spec: BackboneSpec) -> Iterator[_Picture]:
    from models.data.datasets import read_mask
    from models.data.pictures import load_picture
    from models.head_files import file_digest
    from models.preprocessing import to_input
    from models.training.folder_batches import trainable

    assert run.data is not None
    size_hw = (run.image_px, run.image_px)

    def read(path: Path) -> Tensor:
        return to_input(load_picture(path).rgb, size_hw, spec)

    for one in trainable(run.data):
        yield _Picture(file_digest(one.path), partial(read, one.path), read_mask(one, size_hw))


def device_of(towers: Towers) -> torch.device:
    """Where the towers compute."""
    return next(towers.parameters()).device
