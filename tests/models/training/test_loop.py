import io
from collections.abc import Iterator
from typing import Literal

import pytest
import torch

from models.backbones.vit import build_tiny_backbone
from models.methods.visualad import VisualAD, VisualADConfig
from models.training.loop import Batch, Optimisation, Stage, Trainer, cosine_share
from models.training.losses import LOSS_NAMES

STAGES = (Stage(image_px=28, steps=3, batch_size=2), Stage(image_px=42, steps=2, batch_size=2))


def random_batches(stage: Stage, done: int) -> Iterator[Batch]:
    for step in range(done, stage.steps):
        generator = torch.Generator().manual_seed(stage.first_step + step)
        side = stage.image_px
        masks = torch.zeros(2, side, side)
        masks[0, :10, :10] = 1.0
        yield torch.randn(2, 3, side, side, generator=generator), masks


def tiny_trainer(average_decay: float = 0.9, like: Literal["clip", "dinov2"] = "dinov2") -> Trainer:
    torch.manual_seed(3)
    model = VisualAD(build_tiny_backbone(like=like), VisualADConfig(layers=(2, 4)))
    return Trainer(model, STAGES, Optimisation(average_decay=average_decay))


@pytest.mark.parametrize("stop_after", [1, 3, 4])  # 3: exactly between the two stages
def test_a_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(stop_after: int) -> None:
    whole = tiny_trainer()
    reports = [report.step for report in whole.run(random_batches)]
    assert reports == [1, 2, 3, 4, 5]

    first = tiny_trainer()
    for report in first.run(random_batches):
        if report.step == stop_after:
            break
    buffer = io.BytesIO()
    torch.save(first.state(), buffer)
    buffer.seek(0)
    second = tiny_trainer()
    second.restore(torch.load(buffer, weights_only=True))
    remaining = [report.step for report in second.run(random_batches)]

    assert remaining == list(range(stop_after + 1, 6))
    for name, value in whole.trained_head().items():
        assert torch.equal(value, second.trained_head()[name]), name


@pytest.mark.parametrize("like", ["clip", "dinov2"])
def test_training_changes_every_part_of_the_head_and_leaves_the_backbone_bit_identical(
    like: Literal["clip", "dinov2"],
) -> None:
    trainer = tiny_trainer(average_decay=0.0, like=like)
    backbone = {name: value.clone() for name, value in trainer.model.backbone.state_dict().items()}
    head = {name: value.clone() for name, value in trainer.model.head.state_dict().items()}
    for _ in trainer.run(random_batches):
        pass
    for name, value in trainer.model.backbone.state_dict().items():
        assert torch.equal(value, backbone[name]), name
    unchanged = [name for name, value in trainer.trained_head().items() if torch.equal(value, head[name])]
    assert unchanged == []


def test_a_stage_with_frozen_tokens_trains_everything_else() -> None:
    torch.manual_seed(3)
    model = VisualAD(build_tiny_backbone(), VisualADConfig(layers=(2, 4)))
    stage = Stage(image_px=28, steps=2, batch_size=2, trains_tokens=False)
    trainer = Trainer(model, (stage,), Optimisation())
    head = {name: value.clone() for name, value in model.head.state_dict().items()}
    for _ in trainer.run(random_batches):
        pass
    unchanged = {name for name, value in trainer.trained_head().items() if torch.equal(value, head[name])}
    assert unchanged == {"anomaly_token", "normal_token"}


def test_the_moving_average_is_the_hand_worked_mean_of_the_first_step() -> None:
    trainer = tiny_trainer(average_decay=0.9)
    before = trainer.model.head.anomaly_token.detach().clone()
    next(iter(trainer.run(random_batches)))
    after = trainer.model.head.anomaly_token.detach()
    decay = 2 / 11  # (1 + step) / (10 + step) at step 1, less than 0.9
    assert torch.allclose(trainer.trained_head()["anomaly_token"], decay * before + (1 - decay) * after)


def test_the_rate_follows_half_a_cosine_down_to_its_final_share() -> None:
    assert cosine_share(0, 11, 0.1) == pytest.approx(1.0)
    assert cosine_share(5, 11, 0.1) == pytest.approx(0.55)
    assert cosine_share(10, 11, 0.1) == pytest.approx(0.1)


@pytest.mark.parametrize("left_out", ["focal", "dice", "classification", "contrastive"])
def test_a_loss_that_is_left_out_moves_nothing(left_out: str) -> None:
    def head_after(names: tuple[str, ...]) -> dict[str, torch.Tensor]:
        torch.manual_seed(3)
        model = VisualAD(build_tiny_backbone(), VisualADConfig(layers=(2, 4), dropout=0.0))
        trainer = Trainer(model, STAGES[:1], Optimisation(losses=names))
        images, masks = next(iter(random_batches(STAGES[0], 0)))
        trainer.take_step(images, masks)
        return {name: value.grad for name, value in model.head.named_parameters() if value.grad is not None}

    names = tuple(name for name in LOSS_NAMES if name != left_out)
    whole, part, alone = head_after(LOSS_NAMES), head_after(names), head_after((left_out,))

    # Gradients add up; the tokens' own are clipped, so they are left out here.
    for name in set(whole) - {"anomaly_token", "normal_token"}:
        missing = alone.get(name, torch.zeros_like(whole[name]))
        torch.testing.assert_close(
            part.get(name, torch.zeros_like(missing)) + missing, whole[name], atol=1e-5, rtol=1e-3
        )


@pytest.mark.parametrize("names", [(), ("focal", "hinge")])
def test_an_unknown_loss_is_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="losses must be some of classification, focal, dice, contrastive"):
        Optimisation(losses=names)
