"""Several processes see disjoint parts of a batch and end with the gradient of the whole."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from models.data.datasets import Sample
from models.data.synthetic import World
from models.registry import BACKBONES
from models.training.batches import SyntheticBatches
from models.training.folder_batches import FolderBatches
from models.training.loop import Stage, dropout_seed
from models.training.ranks import ALONE, Ranks, joined, share_gradients

SPEC = BACKBONES["dinov2-small"]
PAIR = (Ranks(0, 2), Ranks(1, 2))


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_the_parts_of_a_batch_are_disjoint_and_together_the_batch(count: int) -> None:
    parts = [Ranks(rank, count).mine(range(5)) for rank in range(count)]

    assert sorted(item for part in parts for item in part) == [0, 1, 2, 3, 4]
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_the_synthetic_world_is_shared_out_picture_by_picture() -> None:
    source = SyntheticBatches(world=World(split="train"), spec=SPEC, seed=2, workers=0)
    stage = Stage(image_px=56, steps=2, batch_size=3)

    whole = list(source(stage, 0))
    parts = [list(replace(source, ranks=ranks)(stage, 0)) for ranks in PAIR]

    for step, (images, masks) in enumerate(whole):
        assert torch.equal(images[0::2], parts[0][step][0])
        assert torch.equal(images[1::2], parts[1][step][0])
        assert torch.equal(masks[1::2], parts[1][step][1])


def test_a_process_may_be_left_without_pictures_by_the_last_batch_of_an_epoch(tmp_path: Path) -> None:
    samples = []
    for index in range(3):
        Image.new("L", (20, 20), 60 * index).save(tmp_path / f"{index}.png")
        samples.append(Sample(tmp_path / f"{index}.png", "nut", "test", False))
    source = FolderBatches(samples=tuple(samples), spec=SPEC, seed=1, workers=0)
    stage = Stage(image_px=28, steps=2, batch_size=2)

    whole = list(source(stage, 0))
    first, second = (list(replace(source, ranks=ranks)(stage, 0)) for ranks in PAIR)

    assert [len(images) for images, _ in first] == [1, 1]
    assert [len(images) for images, _ in second] == [1, 0]
    assert torch.equal(torch.cat([first[0][0], second[0][0]]), whole[0][0])
    assert torch.equal(first[1][0], whole[1][0])


@dataclass(frozen=True, slots=True)
class WithAnother(Ranks):
    """The first of two processes; what the second one contributes is known."""

    other: Tensor = field(default_factory=lambda: torch.zeros(0))

    def sum(self, values: Tensor) -> Tensor:
        return values + self.other


def test_gradients_are_weighed_by_the_pictures_behind_them() -> None:
    both, mine_only, nobodys = (nn.Parameter(torch.zeros(1)) for _ in range(3))
    both.grad, mine_only.grad = torch.tensor([1.0]), torch.tensor([4.0])
    # The other one saw 1 picture: gradient 5 for the first parameter, none for the rest, loss 7, then its flags.
    ranks = WithAnother(0, 2, other=torch.tensor([5.0, 0.0, 0.0, 7.0, 1.0, 1.0, 0.0, 0.0]))

    losses = share_gradients([both, mine_only, nobodys], torch.tensor([3.0]), images=3, ranks=ranks)

    assert both.grad.tolist() == [2.0]  # (3 * 1 + 1 * 5) / 4
    assert mine_only.grad.tolist() == [3.0]  # (3 * 4 + 1 * 0) / 4
    assert nobodys.grad is None
    assert losses.tolist() == [4.0]  # (3 * 3 + 1 * 7) / 4


@pytest.mark.parametrize(("theirs", "agreed"), [(3, True), (4, False)])
def test_processes_that_stand_at_different_steps_are_noticed(theirs: int, agreed: bool) -> None:
    assert WithAnother(0, 2, other=torch.tensor([theirs, theirs**2])).agree_on(3, "cpu") == agreed


def test_dropout_differs_between_steps_and_processes_only() -> None:
    seeds = [dropout_seed(seed, step, rank) for seed in (0, 1) for step in (0, 1) for rank in (0, 1)]

    assert len(set(seeds)) == 8
    assert dropout_seed(0, 1, 1) == seeds[3]


def test_without_torchrun_a_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WORLD_SIZE", "4")  # a batch system may set this one for other reasons

    with joined("cpu") as ranks:
        assert ranks == ALONE
