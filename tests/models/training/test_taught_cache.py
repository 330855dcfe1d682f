"""Features of taught pictures come back from disk as they were computed; another backbone has another cache."""

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from models.backbones.vit import build_tiny_backbone
from models.errors import DataError
from models.methods.visualad import VisualAD, VisualADConfig
from models.training.learners import Learner, learner_of
from models.training.taught_cache import TaughtCache

IMAGES = torch.randn(3, 3, 28, 28, generator=torch.Generator().manual_seed(1))


def learner(seed: int = 0) -> Learner:
    torch.manual_seed(3)
    return learner_of(VisualAD(build_tiny_backbone(seed=seed), VisualADConfig(layers=(2, 4))), 28)


def refuse() -> Tensor:
    raise AssertionError("computed twice")


def test_features_come_back_in_the_order_asked_for(tmp_path: Path) -> None:
    of = learner()
    features = of.features_of(IMAGES)
    cache = TaughtCache.open(tmp_path, of)
    pictures = enumerate(IMAGES.split(1))
    places = [cache.get_or_compute(f"{index:064}", partial(of.features_of, one)) for index, one in pictures]

    found = cache.read([places[2], places[0], places[2]])

    assert found.dtype == torch.float32
    torch.testing.assert_close(found, features[[2, 0, 2]].half().float(), atol=2e-3, rtol=0)


def test_features_that_are_there_are_not_computed_again_after_a_restart(tmp_path: Path) -> None:
    first = TaughtCache.open(tmp_path, learner())
    place = first.get_or_compute("a" * 64, lambda: learner().features_of(IMAGES[:1]))
    first.close()

    again = TaughtCache.open(tmp_path, learner())

    assert again.get_or_compute("a" * 64, refuse) == again.find("a" * 64) == place
    assert again.find("b" * 64) is None
    assert len(again) == 1


def test_another_backbone_has_a_cache_of_its_own_and_a_taught_head_the_same(tmp_path: Path) -> None:
    of = learner()
    TaughtCache.open(tmp_path, of).get_or_compute("a" * 64, lambda: of.features_of(IMAGES[:1]))
    with torch.no_grad():
        for parameter in of.trainable():
            parameter.add_(1.0)

    assert TaughtCache.open(tmp_path, of).find("a" * 64) == 0
    assert TaughtCache.open(tmp_path, learner(seed=1)).find("a" * 64) is None
    assert len(list(tmp_path.iterdir())) == 2


def test_a_record_takes_two_bytes_a_number(tmp_path: Path) -> None:
    of = learner()
    cache = TaughtCache.open(tmp_path, of)
    cache.get_or_compute("a" * 64, lambda: of.features_of(IMAGES[:1]))
    assert of.feature_size == (2 * 4 + 2) * 32
    assert (cache.folder / "features.bin").stat().st_size == 2 * of.feature_size


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e6])
def test_what_is_no_number_or_too_large_is_refused_and_not_kept(tmp_path: Path, value: float) -> None:
    of = learner()
    cache = TaughtCache.open(tmp_path, of)
    with pytest.raises(DataError, match="do not fit float16 or are no numbers"):
        cache.get_or_compute("a" * 64, lambda: torch.full((of.feature_size,), value))
    assert len(cache) == 0


def test_features_of_another_size_are_the_callers_mistake(tmp_path: Path) -> None:
    cache = TaughtCache.open(tmp_path, learner())
    with pytest.raises(ValueError, match="the features of one picture are 320 numbers, got 3"):
        cache.get_or_compute("a" * 64, lambda: torch.zeros(3))


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be made"):
        TaughtCache.open(tmp_path / "file", learner())
