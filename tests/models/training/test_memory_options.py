"""What saves memory changes no gradient."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from models.backbones.vit import build_tiny_backbone
from models.methods.visualad import VisualAD, VisualADConfig
from models.training.loop import Batch, Optimisation, Stage, Trainer

STAGE = Stage(image_px=56, steps=1, batch_size=5)


def batch(count: int = 5) -> Batch:
    """Pictures of noise; all but the first two have a mark, each of another size."""
    generator = torch.Generator().manual_seed(1)
    masks = torch.zeros(count, 56, 56)
    for index in range(2, count):
        masks[index, : 8 * index, :20] = 1.0
    return torch.randn(count, 3, 56, 56, generator=generator), masks


def trainer(settings: Optimisation) -> Trainer:
    torch.manual_seed(3)
    model = VisualAD(build_tiny_backbone(), VisualADConfig(layers=(2, 4), dropout=0.0))
    return Trainer(model, (STAGE,), settings)


def gradients(settings: Optimisation) -> tuple[dict[str, Tensor], Tensor]:
    learner = trainer(settings)
    losses = learner.backward(*batch())
    return {name: p.grad for name, p in learner.model.head.named_parameters() if p.grad is not None}, losses


def assert_same(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    for name, gradient in first.items():
        assert float((gradient - second[name]).abs().max()) <= 1e-6, name


@pytest.mark.parametrize("accumulate", [2, 3, 5, 9])  # 5 pictures as 3 + 2, as 2 + 2 + 1, and one by one
def test_a_batch_in_parts_has_the_gradient_and_the_losses_of_the_whole(accumulate: int) -> None:
    whole, whole_losses = gradients(Optimisation())
    parts, losses = gradients(Optimisation(accumulate=accumulate))

    assert len(whole) > 20
    assert_same(whole, parts)
    torch.testing.assert_close(losses, whole_losses, atol=1e-6, rtol=0.0)


def test_each_part_goes_through_the_model_alone() -> None:
    learner = trainer(Optimisation(accumulate=2))
    seen: list[int] = []
    learner.model.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))

    learner.take_step(*batch())

    assert seen == [3, 2]


def test_nothing_to_accumulate_is_refused() -> None:
    with pytest.raises(ValueError, match="accumulate must be 1 or more, got 0"):
        Optimisation(accumulate=0)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_blocks_that_are_computed_twice_give_the_same_gradient(accumulate: int) -> None:
    settings = Optimisation(accumulate=accumulate)

    assert_same(gradients(settings)[0], gradients(replace(settings, checkpoint_blocks=True))[0])


def kept_bytes(settings: Optimisation) -> int:
    """What the backbone keeps for the way back."""
    backbone = trainer(settings).model.backbone
    total = 0

    def pack(kept: Tensor) -> Tensor:
        nonlocal total
        total += kept.nbytes
        return kept

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda kept: kept):
        backbone(batch()[0], (4,), torch.zeros(2, 32, requires_grad=True))
    return total


def test_blocks_that_are_computed_twice_keep_little_more_than_their_inputs() -> None:
    inputs = 4 * 5 * (2 + 1 + 16) * 32 * 4  # blocks x pictures x tokens x width x bytes

    assert kept_bytes(Optimisation()) > 8 * inputs
    assert inputs <= kept_bytes(Optimisation(checkpoint_blocks=True)) < 2 * inputs


def test_inference_runs_each_block_once() -> None:
    model = trainer(Optimisation(checkpoint_blocks=True)).model.eval()
    runs: list[int] = []
    model.backbone.vit.blocks[0].register_forward_hook(lambda *_: runs.append(1))

    model.layer_maps(batch()[0])

    assert len(runs) == 1
