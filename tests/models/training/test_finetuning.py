"""Quick teaching lowers the loss, leaves what is frozen, and goes on after an interruption as if there were none."""

from __future__ import annotations

import io
from typing import Any, Literal

import pytest
import torch
from torch import Tensor

from models.backbones.vit import build_tiny_backbone
from models.methods.visualad import VisualAD, VisualADConfig
from models.training.finetuning import QuickSettings, QuickTrainer, draw_batch, measured_losses
from models.training.learners import Learner, learner_of
from tests.models.methods.tiny_daclip import tiny_model

Kind = Literal["VisualAD", "DA-CLIP"]
KINDS: list[Kind] = ["VisualAD", "DA-CLIP"]

IMAGES = torch.randn(4, 3, 56, 56, generator=torch.Generator().manual_seed(1))
MASKS = torch.zeros(4, 56, 56, dtype=torch.bool)
MASKS[0, 10:30, 15:40] = MASKS[1, 30:50, 5:20] = True
LABELS = torch.tensor([1, 1, 0, 1])
KNOWN = torch.tensor([True, True, True, False])


def learner(kind: Kind) -> Learner:
    if kind == "DA-CLIP":
        return learner_of(tiny_model("compact"), 56)
    torch.manual_seed(3)
    return learner_of(VisualAD(build_tiny_backbone(), VisualADConfig(layers=(2, 4))), 56)


def trainer(kind: Kind, **settings: Any) -> QuickTrainer:
    return QuickTrainer(learner(kind), QuickSettings(**{"steps": 6, "average_decay": 0.9, "rate": 1e-3, **settings}))


def batch(of: QuickTrainer, step: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    chosen = torch.from_numpy(draw_batch(of.settings, step, corrections=4, replay=0)[0][:3])
    return of.learner.features_of(IMAGES[chosen]), LABELS[chosen], MASKS[chosen], KNOWN[chosen]


def run(of: QuickTrainer, until: int) -> list[dict[str, float]]:
    return [of.take_step(*batch(of, step)) for step in range(of.step, until)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stop_after", [1, 4])
def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(kind: Kind, stop_after: int) -> None:
    whole = trainer(kind)
    losses = run(whole, 6)

    first = trainer(kind)
    run(first, stop_after)
    buffer = io.BytesIO()
    torch.save(first.state(), buffer)
    buffer.seek(0)
    torch.manual_seed(99)  # whatever another process would have had
    second = trainer(kind)
    second.restore(torch.load(buffer, weights_only=True))

    assert second.step == stop_after
    assert run(second, 6) == losses[stop_after:]
    for name, value in whole.trained_head().items():
        assert torch.equal(value, second.trained_head()[name]), name
    for name, value in whole.learner.head.state_dict().items():
        assert torch.equal(value, second.learner.head.state_dict()[name]), name


def test_visualads_tokens_norm_and_backbone_stay_bit_for_bit() -> None:
    torch.manual_seed(3)
    method = VisualAD(build_tiny_backbone(), VisualADConfig(layers=(2, 4)))
    quick = QuickTrainer(learner_of(method, 56), QuickSettings(steps=4))
    backbone = {name: value.clone() for name, value in method.backbone.state_dict().items()}
    head = {name: value.clone() for name, value in method.head.state_dict().items()}

    run(quick, 4)

    assert all(torch.equal(value, backbone[name]) for name, value in method.backbone.state_dict().items())
    same = {name for name, value in quick.trained_head().items() if torch.equal(value, head[name])}
    assert same == {"anomaly_token", "normal_token", "final_norm.weight", "final_norm.bias"}


def test_daclips_towers_stay_bit_for_bit_and_its_head_moves() -> None:
    method = tiny_model("compact")
    quick = QuickTrainer(learner_of(method, 56), QuickSettings(steps=3))
    towers = {name: value.clone() for name, value in method.towers.state_dict().items()}
    head = {name: value.clone() for name, value in method.head.state_dict().items()}

    run(quick, 3)

    assert all(torch.equal(value, towers[name]) for name, value in method.towers.state_dict().items())
    moved = {name.split(".")[0] for name, value in quick.trained_head().items() if not torch.equal(value, head[name])}
    assert moved == {"branches", "dar", "gate"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("patch_stride", [1, 2])
def test_what_is_taught_is_learned(kind: Kind, patch_stride: int) -> None:
    rate = {"VisualAD": 1e-2, "DA-CLIP": 1e-1}[kind]
    quick = trainer(kind, steps=60, average_decay=0.0, patch_stride=patch_stride, rate=rate)
    known = (quick.learner.features_of(IMAGES), LABELS, MASKS, KNOWN)
    before = measured_losses(quick.learner, *known)["total"]

    run(quick, 60)

    assert measured_losses(quick.learner, *known)["total"] < 0.9 * before


@pytest.mark.parametrize("kind", KINDS)
def test_measuring_is_repeatable_and_changes_nothing(kind: Kind) -> None:
    quick = trainer(kind)
    known = (quick.learner.features_of(IMAGES), LABELS, MASKS, KNOWN)
    head = {name: value.clone() for name, value in quick.learner.head.state_dict().items()}

    first, second = measured_losses(quick.learner, *known), measured_losses(quick.learner, *known)

    assert first == second
    assert first["total"] == pytest.approx(sum(value for name, value in first.items() if name != "total"), rel=1e-5)
    assert all(torch.equal(value, head[name]) for name, value in quick.learner.head.state_dict().items())


def test_the_rate_falls_by_a_cosine_and_daclips_is_a_tenth_and_dars_a_fifth_of_that() -> None:
    quick = trainer("DA-CLIP", steps=3, rate=1e-2, final_share=0.2)
    rates = []
    for _ in range(3):
        run(quick, quick.step + 1)
        rates.append([group["lr"] for group in quick.optimiser.param_groups])
    assert [pair[0] for pair in rates] == pytest.approx([1e-3, 6e-4, 2e-4])
    assert [pair[1] for pair in rates] == pytest.approx([2e-4, 1.2e-4, 4e-5])


def test_the_moving_average_is_the_hand_worked_mean_of_the_first_step() -> None:
    quick = trainer("VisualAD")
    before = {name: value.clone() for name, value in quick.learner.head.state_dict().items()}
    run(quick, 1)
    decay = 2 / 11  # (1 + step) / (10 + step) at step 1, less than 0.9
    for name, value in quick.learner.head.state_dict().items():
        torch.testing.assert_close(quick.trained_head()[name], decay * before[name] + (1 - decay) * value)


def test_without_an_average_the_last_weights_are_kept() -> None:
    quick = trainer("VisualAD", average_decay=0.0)
    run(quick, 2)
    for name, value in quick.learner.head.state_dict().items():
        assert torch.equal(quick.trained_head()[name], value)


def test_a_batch_is_half_corrections_and_every_correction_comes_round_equally_often() -> None:
    settings = QuickSettings(batch_size=8, correction_share=0.5)
    batches = [draw_batch(settings, step, corrections=3, replay=20) for step in range(30)]

    assert {(len(mine), len(theirs)) for mine, theirs in batches} == {(4, 4)}
    corrections = [int(place) for mine, _ in batches for place in mine]
    assert [corrections.count(place) for place in range(3)] == [40, 40, 40]
    assert all(sorted(corrections[first : first + 3]) == [0, 1, 2] for first in range(0, 120, 3))
    replay = [int(place) for _, theirs in batches for place in theirs]
    assert sorted(replay[:20]) == list(range(20))
    assert replay[:20] != replay[20:40]


def test_batches_follow_the_seed_and_the_step_alone() -> None:
    draws = [
        [draw_batch(QuickSettings(seed=seed), step, corrections=9, replay=9)[0].tolist() for step in range(4)]
        for seed in (0, 0, 1)
    ]
    assert draws[0] == draws[1]
    assert draws[0] != draws[2]


def test_without_replay_the_whole_batch_is_corrections() -> None:
    mine, theirs = draw_batch(QuickSettings(batch_size=8), 0, corrections=2, replay=0)
    assert sorted(mine.tolist()) == [0] * 4 + [1] * 4
    assert len(theirs) == 0


def test_a_batch_of_no_corrections_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="need a correction to teach"):
        draw_batch(QuickSettings(), 0, corrections=0, replay=4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "must be 1 or more, got 0, 8 and 3"),
        ({"patch_stride": 0}, "must be 1 or more, got 120, 8 and 0"),
        ({"correction_share": 0.0}, "correction_share must be in"),
        ({"rate": 0.0}, "rate must be above 0"),
        ({"average_decay": 1.0}, "average_decay must be in"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        QuickSettings(**settings)
