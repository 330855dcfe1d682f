"""Batches of the synthetic world for the training loop, made in worker processes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from models.data.synthetic import World, sample
from models.preprocessing import normalise
from models.registry import BackboneSpec
from models.training.loop import Batch, Stage
from models.training.ranks import ALONE, Ranks

SEEDS_PER_RUN: Final = 2**32  # room for one run's pictures, so that two runs never share one


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticBatches:
    """The batch source of a run: picture i of step s always has the same seed."""

    world: World
    spec: BackboneSpec
    seed: int
    workers: int = 1
    ranks: Ranks = ALONE  # each process makes its own part of every batch

    def __call__(self, stage: Stage, done: int) -> Iterator[Batch]:
        """Yield a stage's batches from the step after `done` on: normalised images and masks."""
        loader = DataLoader(
            _Steps(self, stage),
            batch_size=None,
            sampler=range(done, stage.steps),
            num_workers=self.workers,
            prefetch_factor=4 if self.workers else None,
            generator=torch.Generator(),  # else the loader draws from the one that dropout uses
        )
        for images, masks in loader:
            yield normalise(images, self.spec), masks


class _Steps(Dataset[tuple[Tensor, Tensor]]):
    """Item s is this process's part of a stage's step s: uint8 (B, 3, S, S) and bool (B, S, S)."""

    def __init__(self, source: SyntheticBatches, stage: Stage) -> None:
        self.source = source
        self.stage = stage

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        source, side = self.source, self.stage.image_px
        first = source.seed * SEEDS_PER_RUN + (self.stage.first_step + step) * 1024
        mine = source.ranks.mine(range(self.stage.batch_size))
        samples = [sample(first + index, source.world, side) for index in mine]
        images = torch.from_numpy(np.stack([one.image for one in samples])).permute(0, 3, 1, 2)
        return images, torch.from_numpy(np.stack([one.mask for one in samples]))
