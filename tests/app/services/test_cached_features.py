"""Kept features stand in for the vision tower at every input size, with any words and on the head's device."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from app.services.cached_features import with_features_kept
from app.services.reports import resized
from models.backbones.towers import VisualFeatures, build_tiny_towers
from models.loading import LoadedModel
from models.methods.base import MethodMaps, TextMethod
from models.methods.daclip import DAClip, DAClipConfig
from models.methods.prompts import PromptSet
from models.registry import get_preset

HALF_PRECISION = 5e-3  # what the cache may change in a map
RGB = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)


def tiny_method() -> DAClip:
    torch.manual_seed(0)
    config = DAClipConfig(layers=(2, 4), dar_grid=3, dar_state=4, scale_init=1.0)
    return DAClip(build_tiny_towers(like="compact"), config).eval()


def model_of(method: DAClip) -> LoadedModel:
    return LoadedModel(
        preset=get_preset("daclip-compact"),
        layers=(2, 4),
        image_size=56,
        checkpoint_digest="ab" * 32,
        backbone_source="random",
        device="cpu",
        calibration=None,
        method=method,
    )


def test_each_input_size_has_features_of_its_own(tmp_path: Path) -> None:
    plain = model_of(tiny_method())
    kept = with_features_kept(plain, tmp_path)

    for side in (56, 84, 56):
        found, expected = (resized(model, side).picture_maps(RGB).branch_maps for model in (kept, plain))

        assert found.shape == (2, 2, side // 14, side // 14)
        np.testing.assert_allclose(found, expected, rtol=0, atol=HALF_PRECISION)


def test_other_words_are_heeded_without_another_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    method, words = tiny_method(), PromptSet(object_name="nut", anomalous=("bent {}",))
    kept = with_features_kept(model_of(method), tmp_path)
    expected = model_of(method).picture_maps(RGB, words).branch_maps
    own = kept.picture_maps(RGB).branch_maps
    monkeypatch.setattr(method.towers, "visual_features", None)

    found = kept.picture_maps(RGB, words).branch_maps

    assert isinstance(kept.method, TextMethod)
    np.testing.assert_allclose(found, expected, rtol=0, atol=HALF_PRECISION)
    assert np.abs(found - own).max() > 10 * HALF_PRECISION


def test_features_go_to_where_the_head_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    method = tiny_method()
    kept = with_features_kept(model_of(method), tmp_path)
    kept.picture_maps(RGB)
    seen: list[str] = []

    def noted(features: VisualFeatures) -> MethodMaps:
        seen.extend([features.global_feature.device.type, features.local_features.device.type])
        return MethodMaps(torch.zeros(1, 2, 2, 4, 4))

    monkeypatch.setattr(method, "maps_of", noted)
    method.head.to("meta")  # a device that every machine has

    kept.picture_maps(RGB)

    assert seen == ["meta", "meta"]
