"""Which pictures a DA-CLIP run trains on; the visual tower sees each of them once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from app.services import training
from app.services.daclip_pictures import cache_pictures, step_count
from app.services.daclip_training import DAClipRun, train_daclip
from models.backbones.towers import Towers, build_tiny_towers
from models.backbones.vit import build_tiny_backbone
from models.data import synthetic
from models.data.datasets import read_dataset
from models.head_files import read_head
from models.methods.daclip import DAClipConfig
from models.methods.visualad import VisualAD, VisualADConfig
from models.training.daclip_loop import DAClipOptimisation

METHOD = DAClipConfig(layers=(2, 4), dar_grid=3, dar_state=4)
TRAINING_SEEDS = 2**32  # of one run


@pytest.fixture(autouse=True)
def little_calibration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.services.daclip_training.CALIBRATION_PICTURES", 3)
    monkeypatch.setattr("app.services.training.CALIBRATION_PICTURES", 3)


def towers() -> Towers:
    return build_tiny_towers(like="compact")


def tiny_run(tmp_path: Path, **changes: Any) -> DAClipRun:
    run = DAClipRun(
        preset="daclip-compact",
        method=METHOD,
        image_px=56,
        optimisation=DAClipOptimisation(),
        cache=tmp_path / "cache",
        pictures=5,
        epochs=2,
        batch_size=2,
    )
    return replace(run, **changes)


@pytest.fixture
def samples(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str, int]]:
    """Seed, split and size of every synthetic picture that was made."""
    made: list[tuple[int, str, int]] = []
    sample = synthetic.sample

    def noted(seed: int, world: synthetic.World, size_px: int) -> synthetic.SyntheticSample:
        made.append((seed, world.split, size_px))
        return sample(seed, world, size_px)

    monkeypatch.setattr(synthetic, "sample", noted)
    return made


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pictures the visual tower was shown at a time."""
    shown: list[int] = []
    visual_features = Towers.visual_features

    def noted(self: Towers, images: torch.Tensor, layers: tuple[int, ...]) -> Any:
        shown.append(len(images))
        return visual_features(self, images, layers)

    monkeypatch.setattr(Towers, "visual_features", noted)
    return shown


def test_pictures_are_of_the_training_world_and_calibration_looks_where_visualad_does(
    tmp_path: Path, samples: list[tuple[int, str, int]]
) -> None:
    visualad = VisualAD(build_tiny_backbone(), VisualADConfig(layers=(2, 4)))
    training.normal_maps(visualad, "visualad-dinov2-small", 56)
    of_visualad = samples.copy()
    samples.clear()

    list(train_daclip(tiny_run(tmp_path, seed=3), towers(), tmp_path / "head.safetensors"))

    assert samples[:5] == [(3 * TRAINING_SEEDS + index, "train", 56) for index in range(5)]
    assert samples[5:] == of_visualad
    assert len(of_visualad) == 3


def test_the_tower_sees_every_training_picture_once_whatever_is_trained_on_them(
    tmp_path: Path, looks: list[int]
) -> None:
    list(train_daclip(tiny_run(tmp_path), towers(), tmp_path / "a.safetensors"))
    assert looks == [1] * 8  # 5 to train on, 3 to calibrate on

    other = tiny_run(tmp_path, epochs=1, method=replace(METHOD, dar=False))
    list(train_daclip(other, towers(), tmp_path / "b.safetensors"))
    assert looks == [1] * 11

    list(train_daclip(replace(other, method=DAClipConfig(layers=(4,))), towers(), tmp_path / "c.safetensors"))
    assert looks == [1] * 19


def test_pictures_that_the_caller_has_cached_are_not_made_again(
    tmp_path: Path, samples: list[tuple[int, str, int]]
) -> None:
    run, pair = tiny_run(tmp_path), towers()
    pictures = cache_pictures(run, pair)
    samples.clear()

    list(train_daclip(run, pair, tmp_path / "head.safetensors", pictures=pictures))

    assert {split for _, split, _ in samples} == {"held_out"}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three normal and two marked pictures, 40 x 40; the marks are the right half."""
    root = tmp_path / "mine"
    for index in range(5):
        kind = "good" if index < 3 else "hole"
        path = root / "nut" / "test" / kind / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (40, 40), 40 * index).save(path)
        if kind == "hole":
            write_mask(root, index, 20)
    return root


def write_mask(root: Path, index: int, first_column: int) -> None:
    mask = np.zeros((40, 40), dtype=np.uint8)
    mask[:, first_column:] = 255
    path = root / "nut" / "ground_truth" / "hole" / f"{index}_mask.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(path)


def test_a_data_set_is_trained_on_and_the_head_says_so(tmp_path: Path, data: Path) -> None:
    out = tmp_path / "head.safetensors"
    run = tiny_run(tmp_path, data=read_dataset(data), pictures=999)

    assert len(list(train_daclip(run, towers(), out))) == step_count(run) == 6

    described = read_head(out).config["training"]
    assert (described["data"], described["classes"], described["pictures"]) == ("mvtec:mine", ["nut"], 5)


def test_a_corrected_mask_is_used_at_once_and_its_picture_is_not_looked_at_again(
    tmp_path: Path, data: Path, looks: list[int]
) -> None:
    run = tiny_run(tmp_path, data=read_dataset(data))
    assert marked(cache_pictures(run, towers()).batch(np.arange(5))[1]) == [0, 0, 0, 0.5, 0.5]

    write_mask(data, 4, 30)

    assert marked(cache_pictures(run, towers()).batch(np.arange(5))[1]) == [0, 0, 0, 0.5, 0.25]
    assert looks == [1] * 5


def marked(masks: torch.Tensor) -> list[float]:
    """Share of marked pixels of each mask, to the next quarter."""
    return [round(4 * float(mask.float().mean())) / 4 for mask in masks]
