"""A DA-CLIP head trains on cached features as on live ones, and a resumed run ends as an uninterrupted one."""

from __future__ import annotations

import io
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from models.backbones.towers import Towers, VisualFeatures, build_tiny_towers
from models.methods.daclip import DAClip, DAClipConfig
from models.registry import get_backbone_spec
from models.training.daclip_loop import DAClipOptimisation, DAClipTrainer
from models.training.feature_cache import CachedPictures, FeatureCache, key_of

LAYERS = (2, 4)
COUNT = 5


class LivePictures:
    """Random pictures whose features are computed at every step; every second one has a marked corner."""

    def __init__(self, towers: Towers) -> None:
        self.towers = towers
        self.images = torch.randn(COUNT, 3, 56, 56, generator=torch.Generator().manual_seed(1))
        self.masks = torch.zeros(COUNT, 56, 56, dtype=torch.bool)
        self.masks[::2, :20, :25] = True
        self.seen: list[list[int]] = []

    def __len__(self) -> int:
        return COUNT

    def batch(self, indices: npt.NDArray[np.int64]) -> tuple[VisualFeatures, Tensor]:
        self.seen.append(indices.tolist())
        return self.towers.visual_features(self.images[indices], LAYERS), self.masks[indices]


def cached(live: LivePictures, folder: Path) -> CachedPictures:
    """The same pictures, each computed alone, in float32 on disk."""
    key = key_of(live.towers, get_backbone_spec("dinov2-small"), LAYERS, 56, "float32")
    cache = FeatureCache.open(folder, key)
    places = []
    for index in range(COUNT):
        compute = partial(live.towers.visual_features, live.images[index : index + 1], LAYERS)
        places.append((cache.get_or_compute(str(index), compute), cache.add_mask(live.masks[index].numpy())))
    return CachedPictures(cache, np.array(places))


def trainer_on(pictures: Any, towers: Towers, epochs: int = 2, seed: int = 4, **settings: Any) -> DAClipTrainer:
    torch.manual_seed(3)
    model = DAClip(towers, DAClipConfig(layers=LAYERS, dar_grid=3, dar_state=4))
    return DAClipTrainer(
        model, pictures, epochs=epochs, batch_size=2, optimisation=DAClipOptimisation(**settings), seed=seed
    )


def run_to_end(trainer: DAClipTrainer) -> list[dict[str, float]]:
    return [report.losses for report in trainer.run()]


@pytest.mark.parametrize("like", ["clip", "compact"])
def test_training_on_cached_features_equals_training_on_live_ones(
    like: Literal["clip", "compact"], tmp_path: Path
) -> None:
    towers = build_tiny_towers(like=like)
    live = LivePictures(towers)
    on_live, on_cached = trainer_on(live, towers), trainer_on(cached(live, tmp_path), towers)

    losses_live, losses_cached = run_to_end(on_live), run_to_end(on_cached)

    assert len(losses_live) == len(losses_cached) == 6  # two epochs of 2 + 2 + 1 pictures
    for step_live, step_cached in zip(losses_live, losses_cached, strict=True):
        assert step_cached == pytest.approx(step_live, abs=1e-5)
    for name, value in on_live.trained_head().items():
        torch.testing.assert_close(on_cached.trained_head()[name], value, atol=1e-5, rtol=0)


@pytest.mark.parametrize("stop_after", [1, 3, 5])  # 3: exactly between the two epochs
def test_a_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(stop_after: int, tmp_path: Path) -> None:
    towers = build_tiny_towers(like="compact")
    pictures = cached(LivePictures(towers), tmp_path)
    whole = trainer_on(pictures, towers, average_decay=0.9)
    run_to_end(whole)

    first = trainer_on(pictures, towers, average_decay=0.9)
    for report in first.run():
        if report.step == stop_after:
            break
    buffer = io.BytesIO()
    torch.save(first.state(), buffer)
    buffer.seek(0)
    torch.manual_seed(99)  # whatever another process would have had
    second = trainer_on(pictures, towers, average_decay=0.9)
    second.restore(torch.load(buffer, weights_only=True))
    remaining = [report.step for report in second.run()]

    assert remaining == list(range(stop_after + 1, 7))
    for name, value in whole.trained_head().items():
        assert torch.equal(value, second.trained_head()[name]), name
    for name, value in whole.model.head.state_dict().items():
        assert torch.equal(value, second.model.head.state_dict()[name]), name


@pytest.mark.parametrize("like", ["clip", "compact"])
def test_training_moves_both_branches_and_dar_and_leaves_the_towers_bit_identical(
    like: Literal["clip", "compact"],
) -> None:
    towers = build_tiny_towers(like=like)
    before = {name: value.clone() for name, value in towers.state_dict().items()}
    trainer = trainer_on(LivePictures(towers), towers)
    head = {name: value.clone() for name, value in trainer.model.head.state_dict().items()}

    run_to_end(trainer)

    assert all(torch.equal(value, before[name]) for name, value in towers.state_dict().items())
    moved = {name for name, value in trainer.trained_head().items() if not torch.equal(value, head[name])}
    assert {name.split(".")[0] for name in moved} == {"branches", "dar", "gate"}
    assert {name.split(".")[1] for name in moved if name.startswith("branches")} == {"global", "local"}


def test_every_picture_is_seen_once_an_epoch_in_an_order_that_follows_the_seed() -> None:
    towers = build_tiny_towers(like="compact")
    pictures = LivePictures(towers)

    for seed in (4, 4, 5):
        run_to_end(trainer_on(pictures, towers, seed=seed))

    assert [len(batch) for batch in pictures.seen[:6]] == [2, 2, 1, 2, 2, 1]
    epochs = [list(chain(*pictures.seen[start : start + 3])) for start in (0, 3)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(COUNT))] * 2
    assert epochs[0] != epochs[1]
    assert pictures.seen[6:12] == pictures.seen[:6]
    assert pictures.seen[12:] != pictures.seen[:6]


def rates_of_each_step(trainer: DAClipTrainer) -> list[list[float]]:
    return [[group["lr"] for group in trainer.optimiser.param_groups] for _ in trainer.run()]


def test_the_rates_follow_the_schedule_and_dar_has_its_own() -> None:
    towers = build_tiny_towers(like="compact")
    pictures = LivePictures(towers)

    constant = rates_of_each_step(trainer_on(pictures, towers, 1, schedule="constant", adapter_rate=2e-3))
    cosine = rates_of_each_step(trainer_on(pictures, towers, 1, final_share=0.2))

    assert constant == [[2e-3, 1e-4]] * 3
    assert [rates[0] for rates in cosine] == pytest.approx([5e-4, 3e-4, 1e-4])  # shares 1, 0.6, 0.2
    assert [rates[1] for rates in cosine] == pytest.approx([1e-4, 6e-5, 2e-5])


def test_dar_and_its_gate_alone_have_dars_rate() -> None:
    towers = build_tiny_towers(like="compact")
    trainer = trainer_on(LivePictures(towers), towers)
    named = {id(parameter): name for name, parameter in trainer.model.head.named_parameters()}

    adapters, dar = ({named[id(p)] for p in group["params"]} for group in trainer.optimiser.param_groups)

    assert {name.split(".")[0] for name in dar} == {"dar", "gate"}
    assert {name.split(".")[0] for name in adapters} == {"branches"}
    assert len(adapters) + len(dar) == len(named)


def test_a_joint_head_without_dar_trains_too_and_reports_no_refined_losses() -> None:
    towers = build_tiny_towers(like="compact")
    model = DAClip(towers, DAClipConfig(layers=LAYERS, decoupled=False, dar=False))
    trainer = DAClipTrainer(model, LivePictures(towers), epochs=1, batch_size=2)

    losses = run_to_end(trainer)

    assert [set(step) for step in losses] == [{"global", "focal", "dice", "total"}] * 3
    assert losses[0]["total"] == pytest.approx(sum(losses[0][name] for name in ("global", "focal", "dice")))


def test_the_moving_average_is_the_hand_worked_mean_of_the_first_step() -> None:
    towers = build_tiny_towers(like="compact")
    trainer = trainer_on(LivePictures(towers), towers, average_decay=0.9)
    before = {name: value.clone() for name, value in trainer.model.head.state_dict().items()}
    next(trainer.run())
    decay = 2 / 11  # (1 + step) / (10 + step) at step 1, less than 0.9
    for name, value in trainer.model.head.state_dict().items():
        torch.testing.assert_close(trainer.trained_head()[name], decay * before[name] + (1 - decay) * value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"adapter_rate": 0.0}, "rates must be greater than 0"),
        ({"schedule": "steps"}, "schedule must be cosine or constant"),
        ({"average_decay": 1.0}, "average_decay must be in"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DAClipOptimisation(**settings)


def test_nothing_to_train_on_is_the_callers_mistake() -> None:
    towers = build_tiny_towers(like="compact")
    with pytest.raises(ValueError, match="nothing to train on: 5 pictures, 0 epochs"):
        trainer_on(LivePictures(towers), towers, epochs=0)
