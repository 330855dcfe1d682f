"""Batches of a data set for the training loop: every picture once an epoch, in an order that the seed gives."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from models.data.datasets import DataSet, Sample, read_mask
from models.data.pictures import load_picture
from models.errors import DataError
from models.preprocessing import to_input
from models.registry import BackboneSpec
from models.training.loop import Batch, Stage
from models.training.ranks import ALONE, Ranks


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderBatches:
    """The batch source of a run on a data set; step s sees the same pictures whether or not the run was stopped."""

    samples: tuple[Sample, ...]
    spec: BackboneSpec
    seed: int
    workers: int = 1
    ranks: Ranks = ALONE  # each process reads its own part of every batch

    def __call__(self, stage: Stage, done: int) -> Iterator[Batch]:
        """Yield a stage's batches from the step after `done` on: normalised images and masks."""
        yield from DataLoader(
            _Steps(self, stage),
            batch_size=None,
            sampler=range(done, stage.steps),
            num_workers=self.workers,
            prefetch_factor=2 if self.workers else None,
            generator=torch.Generator(),  # else the loader draws from the one that dropout uses
        )


class _Steps(Dataset[tuple[Tensor, Tensor]]):
    """Item s is this process's part of a stage's step s: (B, 3, S, S) normalised and bool (B, S, S); B may be 0."""

    def __init__(self, source: FolderBatches, stage: Stage) -> None:
        self.source = source
        self.stage = stage

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        samples, side = self.source.samples, self.stage.image_px
        batch = batch_indices(len(samples), self.stage.first_step + step, self.stage.batch_size, self.source.seed)
        chosen = self.source.ranks.mine(batch.tolist())
        images = [to_input(load_picture(samples[i].path).rgb, (side, side), self.source.spec) for i in chosen]
        masks = [torch.from_numpy(read_mask(samples[i], (side, side))) for i in chosen]
        if not chosen:  # the last batch of an epoch may hold fewer pictures than there are processes
            return torch.empty(0, 3, side, side), torch.empty(0, side, side, dtype=torch.bool)
        return torch.stack(images), torch.stack(masks)


def trainable(found: DataSet) -> tuple[Sample, ...]:
    """The pictures that can be trained on: the test split, as zero-shot methods do, without unmarked anomalies.

    Raises:
        DataError: there are no anomalous pictures with masks, or no normal ones.
    """
    samples = [sample for sample in found.of(split="test").samples if not sample.is_anomalous or sample.mask_path]
    if not any(sample.is_anomalous for sample in samples) or all(sample.is_anomalous for sample in samples):
        raise DataError(
            f"{found.name} cannot be trained on: its test split needs normal pictures and anomalous ones with masks; "
            "`python -m app data check` counts them."
        )
    return tuple(samples)


def steps_per_epoch(count: int, batch_size: int) -> int:
    """How many batches hold every picture once; the last one may be smaller."""
    return math.ceil(count / batch_size)


def batch_indices(count: int, step: int, batch_size: int, seed: int) -> npt.NDArray[np.int64]:
    """Which pictures a step sees; each epoch is a permutation of its own.

    Args:
        count: pictures in the set.
        step: counted from 0 over the whole training.
        batch_size: pictures a batch.
        seed: of the run.
    """
    epoch, place = divmod(step, steps_per_epoch(count, batch_size))
    order = np.random.default_rng((seed, epoch)).permutation(count)
    return order[place * batch_size : (place + 1) * batch_size]


def describe(samples: Sequence[Sample], name: str) -> dict[str, object]:
    """The set as JSON values, for the checkpoint and for telling whether two runs are the same."""
    listed = "\n".join(f"{sample.class_name}/{sample.defect}/{sample.path.name}" for sample in samples)
    return {
        "data": name,
        "classes": sorted({sample.class_name for sample in samples}),
        "pictures": len(samples),
        "pictures_sha256": hashlib.sha256(listed.encode()).hexdigest(),
    }
