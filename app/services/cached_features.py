"""A text method whose visual features are kept on disk: many heads are measured for one pass of the towers."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from models.errors import DataError
from models.methods.base import MethodMaps
from models.methods.daclip import DAClip
from models.registry import get_backbone_spec
from models.training.feature_cache import FeatureCache, features_on, key_of

if TYPE_CHECKING:
    from torch import Tensor

    from app.services.reports import Engine
    from models.backbones import Backbone
    from models.loading import LoadedModel
    from models.methods.prompts import PromptSet
    from models.registry import BackboneSpec


def with_features_kept(model: LoadedModel, folder: Path) -> LoadedModel:
    """The same model, which looks for a picture's features in `folder` before it runs the vision tower.

    Features are kept in half precision (2.4 MB a picture for DA-CLIP compact at 392 px) and belong to the towers,
    layers and input size alone: heads share them.  The size is that of the images that come, whatever it was before.

    Raises:
        DataError: the model is no DA-CLIP; later, with the first picture: the folder cannot be used.
    """
    if not isinstance(model.method, DAClip):
        raise DataError(
            f"Only features of DA-CLIP can be kept, and {model.preset.title} is none; leave --features out."
        )
    caches = _Caches(folder, model.method, get_backbone_spec(model.preset.backbone))
    return replace(model, method=_FeaturesKept(model.method, caches), worded={})


def keeping_features(engine: Engine, folder: Path) -> Engine:
    """The same engine, whose models look for features in `folder` before they run the vision tower."""
    return replace(engine, model=lambda name: with_features_kept(engine.model(name), folder))


class _Caches:
    """The caches of one pair of towers, one for each input size, opened at their first use."""

    def __init__(self, folder: Path, method: DAClip, spec: BackboneSpec) -> None:
        self._folder = folder
        self._method = method
        self._spec = spec
        self._opened: dict[int, FeatureCache] = {}

    def of_size(self, image_px: int) -> FeatureCache:
        """The cache of pictures of this side.

        Raises:
            DataError: the folder cannot be used.
        """
        if image_px not in self._opened:
            key = key_of(self._method.towers, self._spec, self._method.layers, image_px, "float16")
            self._opened[image_px] = FeatureCache.open(self._folder, key)
        return self._opened[image_px]


class _FeaturesKept:
    """A TextMethod around DA-CLIP; one picture at a time."""

    def __init__(self, method: DAClip, caches: _Caches) -> None:
        self._method = method
        self._caches = caches

    @property
    def layers(self) -> tuple[int, ...]:
        return self._method.layers

    @property
    def branches(self) -> tuple[str, ...]:
        return self._method.branches

    @property
    def backbone(self) -> Backbone:
        return self._method.backbone

    @property
    def prompts(self) -> PromptSet:
        return self._method.prompts

    def with_prompts(self, prompts: PromptSet) -> _FeaturesKept:
        return _FeaturesKept(self._method.with_prompts(prompts), self._caches)

    def maps(self, images: Tensor) -> MethodMaps:
        digest = hashlib.sha256(images.cpu().numpy().tobytes()).hexdigest()
        cache = self._caches.of_size(images.shape[-1])
        place = cache.get_or_compute(digest, lambda: self._method.towers.visual_features(images, self._method.layers))
        device = next(self._method.head.parameters()).device
        return self._method.maps_of(features_on(device, cache.features([place])))
