"""Quick fine-tuning of a learner on features that are there already, resumable at any step.

What a step draws depends on the seed and the step alone, so a resumed run does what an uninterrupted one would do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.training.learners import Learner
from models.training.loop import cosine_share, dropout_seed

Places = npt.NDArray[np.int64]

_CORRECTIONS, _REPLAY = 0, 1  # so that the two are not shuffled alike


@dataclass(frozen=True, slots=True, kw_only=True)
class QuickSettings:
    """How a head is taught from a few pictures."""

    steps: int = 120
    batch_size: int = 8
    correction_share: float = 0.5  # of each batch; the rest is replay, against forgetting
    rate: float = 3e-3
    final_share: float = 0.1  # of the rate, reached by a cosine at the last step
    weight_decay: float = 0.01
    average_decay: float = 0.0  # of the exponential moving average of the weights; 0 keeps none
    patch_stride: int = 3  # a step looks at every so many-th patch along each side, from a place drawn anew
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.steps, self.batch_size, self.patch_stride) < 1:
            raise ValueError(
                "steps, batch_size and patch_stride must be 1 or more, got "
                f"{self.steps}, {self.batch_size} and {self.patch_stride}"
            )
        if not 0.0 < self.correction_share <= 1.0:
            raise ValueError(f"correction_share must be in (0, 1], got {self.correction_share}")
        if self.rate <= 0.0 or self.weight_decay < 0.0:
            raise ValueError(f"rate must be above 0 and weight_decay not below, got {self.rate}, {self.weight_decay}")
        if not 0.0 <= self.average_decay < 1.0:
            raise ValueError(f"average_decay must be in [0, 1), got {self.average_decay}")


class QuickTrainer:
    """A learner, its optimiser and how far it has come; `state` and `restore` make it resumable.

    Args:
        learner: on the device that computes; its head is trained in place.
        settings: how.
    """

    def __init__(self, learner: Learner, settings: QuickSettings) -> None:
        self.learner = learner
        self.settings = settings
        self.step = 0
        groups = learner.parameter_groups()
        self._rates = [settings.rate * share for _, share in groups]
        self.optimiser = torch.optim.AdamW(
            [{"params": some, "lr": rate} for (some, _), rate in zip(groups, self._rates, strict=True)],
            weight_decay=settings.weight_decay,
            fused=True,
        )
        self.averages = {name: value.detach().clone() for name, value in learner.head.state_dict().items()}

    def take_step(
        self, features: Tensor, labels: Tensor, masks: Tensor, known: Tensor, parent_maps: Tensor | None = None
    ) -> dict[str, float]:
        """Make one optimiser step on a batch, as `Learner.losses` takes it; returns each loss and their "total"."""
        self._set_rates()
        self.learner.train(True)
        torch.manual_seed(dropout_seed(self.settings.seed, self.step, 0))
        self.optimiser.zero_grad(set_to_none=True)
        stride = self.settings.patch_stride
        losses = self.learner.losses(features, labels, masks, known, patch_stride=stride, parent_maps=parent_maps)
        torch.stack(list(losses.values())).sum().backward()
        self.optimiser.step()
        self.step += 1
        self._average()
        return _as_numbers(losses)

    def trained_head(self) -> dict[str, Tensor]:
        """The head to keep: the moving average where there is one, else the last weights."""
        if self.settings.average_decay:
            return {name: value.clone() for name, value in self.averages.items()}
        return {name: value.detach().clone() for name, value in self.learner.head.state_dict().items()}

    def state(self) -> dict[str, object]:
        """Everything a resumed run needs; only tensors and plain values, to be read with `weights_only=True`."""
        return {
            "step": self.step,
            "head": self.learner.head.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "averages": self.averages,
        }

    def restore(self, state: dict[str, object]) -> None:
        """Take up what `state` returned."""
        step, head, optimiser, averages = (state[k] for k in ("step", "head", "optimiser", "averages"))
        assert isinstance(step, int)
        assert isinstance(head, dict)
        assert isinstance(optimiser, dict)
        assert isinstance(averages, dict)
        self.step = step
        self.learner.head.load_state_dict(head)
        self.optimiser.load_state_dict(optimiser)
        self.averages = {name: value.to(self.learner.device) for name, value in averages.items()}

    def _set_rates(self) -> None:
        share = cosine_share(self.step, self.settings.steps, self.settings.final_share)
        for group, rate in zip(self.optimiser.param_groups, self._rates, strict=True):
            group["lr"] = rate * share

    def _average(self) -> None:
        if not self.settings.average_decay:
            return
        # Early steps weigh less, so that the average does not remember the start for long.
        decay = min(self.settings.average_decay, (1 + self.step) / (10 + self.step))
        for name, value in self.learner.head.state_dict().items():
            self.averages[name].lerp_(value.detach(), 1.0 - decay)


def measured_losses(
    learner: Learner, features: Tensor, labels: Tensor, masks: Tensor, known: Tensor
) -> dict[str, float]:
    """The losses of pictures that are not trained on: without dropout, without gradients; and their "total"."""
    learner.train(False)
    with torch.no_grad():
        return _as_numbers(learner.losses(features, labels, masks, known))


def draw_batch(settings: QuickSettings, step: int, *, corrections: int, replay: int) -> tuple[Places, Places]:
    """Which corrections and which replay pictures a step sees; each set is gone through in shuffled rounds.

    Args:
        settings: batch size, share of corrections, seed.
        step: counted from 0.
        corrections: how many there are, at least 1.
        replay: how many there are; 0 fills the whole batch with corrections.
    Returns:
        Places counted from 0, of corrections and of replay, `batch_size` together; a small set repeats itself.
    """
    if corrections < 1 or replay < 0:
        raise ValueError(f"need a correction to teach, got {corrections} and {replay} for replay")
    mine = settings.batch_size
    if replay:
        mine = min(max(round(settings.batch_size * settings.correction_share), 1), settings.batch_size)
    theirs = settings.batch_size - mine
    return (
        _rounds(corrections, step * mine, mine, (settings.seed, _CORRECTIONS)),
        _rounds(replay, step * theirs, theirs, (settings.seed, _REPLAY)),
    )


def _rounds(count: int, first: int, length: int, seed: tuple[int, int]) -> Places:
    """A stretch of an endless row of permutations of `count` things."""
    places = [
        np.random.default_rng((*seed, place // count)).permutation(count)[place % count]
        for place in range(first, first + length)
    ]
    return np.array(places, dtype=np.int64)


def _as_numbers(losses: dict[str, Tensor]) -> dict[str, float]:
    values = torch.stack([loss.detach() for loss in losses.values()])
    return dict(zip((*losses, "total"), [*values.tolist(), float(values.sum())], strict=True))
