"""Features on disk: computed once, found by the next run, told apart by what made them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.services.picture_features import PictureFeatures
from models.data.pictures import Picture
from tests.app.services.reference_bench_fakes import tiny_describer, tiny_model


def picture(seed: int) -> Picture:
    rgb = np.random.default_rng(seed).integers(0, 255, (60, 60, 3), dtype=np.uint8)
    return Picture(rgb=rgb, name=f"{seed}.png", digest=f"{seed:064d}", note="")


def test_features_are_those_of_the_models(tmp_path: Path) -> None:
    describer, model = tiny_describer(), tiny_model()
    features = PictureFeatures(tmp_path, describer, model)

    features.add(picture(0))

    digest = picture(0).digest
    assert np.allclose(features.tokens(digest), describer.tokens(picture(0).rgb), atol=1e-3)
    kept, expected = features.maps(digest), model.picture_maps(picture(0).rgb)
    assert np.array_equal(kept.branch_maps, expected.branch_maps)
    assert kept.global_score is expected.global_score is None


def test_a_second_run_computes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = PictureFeatures(tmp_path, tiny_describer(), tiny_model())
    first.add(picture(0))
    first.close()

    again = PictureFeatures(tmp_path, tiny_describer(), tiny_model())
    monkeypatch.setattr("app.services.patch_tokens.PatchDescriber.tokens", refuse)
    monkeypatch.setattr("models.loading.LoadedModel.picture_maps", refuse)
    again.add(picture(0))

    assert again.tokens(picture(0).digest).shape == (2, 16, 32)
    with pytest.raises(AssertionError, match="must not run"):
        again.add(picture(1))


def test_another_head_has_maps_of_its_own_and_shares_the_tokens(tmp_path: Path) -> None:
    PictureFeatures(tmp_path, tiny_describer(), tiny_model()).add(picture(0))

    PictureFeatures(tmp_path, tiny_describer(), replace(tiny_model(), checkpoint_digest="ef" * 32)).add(picture(0))

    assert len(list(tmp_path.glob("tokens-*.bin"))) == 1
    assert len(list(tmp_path.glob("maps-*.bin"))) == 2


def refuse(*_: object) -> None:
    raise AssertionError("must not run")
