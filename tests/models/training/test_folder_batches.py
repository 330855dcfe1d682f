"""Batches of a data set: every picture once an epoch, the same after a stop, with its mask."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models.data.datasets import DataSet, Sample, read_dataset
from models.errors import DataError
from models.preprocessing import to_input
from models.registry import BACKBONES
from models.training.folder_batches import FolderBatches, batch_indices, steps_per_epoch, trainable
from models.training.loop import Stage

SPEC = BACKBONES["dinov2-small"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three normal pictures, two with a mask and one anomalous without; each has a grey of its own."""
    for index, place in enumerate(("good/0", "good/1", "good/2", "hole/3", "hole/4", "hole/5")):
        path = tmp_path / "nut" / "test" / f"{place}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (20, 20), 40 * index).save(path)
    masks = tmp_path / "nut" / "ground_truth" / "hole"
    masks.mkdir(parents=True)
    for index in (3, 4):
        mask = np.zeros((20, 20), np.uint8)
        mask[:10] = 255
        Image.fromarray(mask).save(masks / f"{index}_mask.png")
    return tmp_path


def test_an_epoch_holds_every_picture_once_and_the_next_one_in_another_order() -> None:
    steps = steps_per_epoch(20, 8)
    epochs = [
        np.concatenate([batch_indices(20, epoch * steps + step, 8, seed=3) for step in range(steps)])
        for epoch in range(2)
    ]

    assert steps == 3  # 8 + 8 + 4
    assert [sorted(epoch.tolist()) for epoch in epochs] == [list(range(20))] * 2
    assert epochs[0].tolist() != epochs[1].tolist()
    assert batch_indices(20, 2, 8, seed=3).tolist() == epochs[0][16:].tolist()
    assert batch_indices(20, 0, 8, seed=4).tolist() != epochs[0][:8].tolist()


def test_a_stopped_run_sees_what_an_unstopped_one_would_have_seen(folder: Path) -> None:
    source = FolderBatches(samples=trainable(read_dataset(folder)), spec=SPEC, seed=1, workers=0)
    stage = Stage(image_px=28, steps=5, batch_size=2)

    whole, resumed = list(source(stage, 0)), list(source(stage, 3))

    assert len(whole) == 5
    for (images, masks), (images_again, masks_again) in zip(whole[3:], resumed, strict=True):
        assert torch.equal(images, images_again)
        assert torch.equal(masks, masks_again)


def test_a_picture_comes_normalised_with_its_own_mask(folder: Path) -> None:
    samples = trainable(read_dataset(folder))
    source = FolderBatches(samples=samples, spec=SPEC, seed=1, workers=0)
    ((images, masks),) = source(Stage(image_px=28, steps=1, batch_size=5), 0)

    for place, index in enumerate(batch_indices(5, 0, 5, seed=1)):
        expected = to_input(np.asarray(Image.open(samples[index].path).convert("RGB")), (28, 28), SPEC)
        assert torch.equal(images[place], expected)
        assert masks[place].sum() == (14 * 28 if samples[index].is_anomalous else 0)


def test_unmarked_anomalies_are_left_out(folder: Path) -> None:
    assert [sample.path.stem for sample in trainable(read_dataset(folder))] == ["0", "1", "2", "3", "4"]


def test_a_set_without_normal_or_without_marked_pictures_cannot_be_trained_on() -> None:
    normal = Sample(Path("a.png"), "nut", "test", False)
    unmarked = Sample(Path("b.png"), "nut", "test", True, "hole")
    marked = Sample(Path("c.png"), "nut", "test", True, "hole", Path("m.png"))
    for samples in ((normal, unmarked), (marked,)):
        with pytest.raises(DataError, match="set cannot be trained on: its test split needs normal pictures and"):
            trainable(DataSet("set", samples))
