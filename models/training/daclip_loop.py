"""The training loop of a DA-CLIP head on features of a frozen visual tower, resumable at any step.

The order of the pictures depends on the seed and the step alone, so a resumed run does what an uninterrupted one would.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from models.backbones.towers import VisualFeatures
from models.methods.daclip import DAClip
from models.training.daclip_losses import daclip_losses
from models.training.feature_cache import features_on
from models.training.folder_batches import batch_indices, steps_per_epoch
from models.training.loop import StepReport, cosine_share, dropout_seed

Schedule = Literal["cosine", "constant"]


class Pictures(Protocol):
    """What is trained on."""

    def __len__(self) -> int: ...

    def batch(self, indices: npt.NDArray[np.int64]) -> tuple[VisualFeatures, Tensor]:
        """The visual features of some pictures, counted from 0, and their masks (B, S, S), True where anomalous."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DAClipOptimisation:
    """The optimiser's settings; the paper gives none, so all of them are ours."""

    adapter_rate: float = 5e-4  # of the token adapters and the projections
    dar_rate: float = 1e-4  # of DAR and its gate
    schedule: Schedule = "cosine"
    final_share: float = 0.1  # of each rate, reached by a cosine at the last step
    average_decay: float = 0.0  # of the exponential moving average of the weights; 0 keeps none
    loss_px: int | None = None  # side at which maps and masks are compared; None = the input's, where a step costs most

    def __post_init__(self) -> None:
        if self.loss_px is not None and self.loss_px < 1:
            raise ValueError(f"loss_px must be 1 or more, got {self.loss_px}")
        if min(self.adapter_rate, self.dar_rate) <= 0.0:
            raise ValueError(f"rates must be greater than 0, got {self.adapter_rate} and {self.dar_rate}")
        if self.schedule not in ("cosine", "constant"):
            raise ValueError(f"schedule must be cosine or constant, got {self.schedule!r}")
        if not 0.0 <= self.average_decay < 1.0:
            raise ValueError(f"average_decay must be in [0, 1), got {self.average_decay}")


class DAClipTrainer:
    """A model, its optimiser and how far it has come; `state` and `restore` make it resumable.

    Args:
        model: on the device that computes.
        pictures: every one is seen once an epoch.
        epochs: how often.
        batch_size: pictures a step; the last step of an epoch may have fewer.
        optimisation: how.
        seed: of the order.
    """

    def __init__(
        self,
        model: DAClip,
        pictures: Pictures,
        *,
        epochs: int,
        batch_size: int = 8,
        optimisation: DAClipOptimisation | None = None,
        seed: int = 0,
    ) -> None:
        if min(len(pictures), epochs, batch_size) < 1:
            raise ValueError(f"nothing to train on: {len(pictures)} pictures, {epochs} epochs, batches of {batch_size}")
        self.model = model
        self.pictures = pictures
        self.batch_size = batch_size
        self.settings = optimisation or DAClipOptimisation()
        self.seed = seed
        self.step = 0
        self.total_steps = epochs * steps_per_epoch(len(pictures), batch_size)
        dar = [parameter for name, parameter in model.head.named_parameters() if belongs_to_dar(name)]
        others = [parameter for name, parameter in model.head.named_parameters() if not belongs_to_dar(name)]
        self.optimiser = torch.optim.Adam(
            [
                {"params": others, "lr": self.settings.adapter_rate},
                {"params": dar, "lr": self.settings.dar_rate},  # without DAR it is empty, and does nothing
            ]
        )
        self.averages = {name: value.detach().clone() for name, value in model.head.state_dict().items()}

    def run(self) -> Iterator[StepReport]:
        """Train from where it stands to the end, a report a step."""
        while self.step < self.total_steps:
            features, masks = self.pictures.batch(
                batch_indices(len(self.pictures), self.step, self.batch_size, self.seed)
            )
            losses = self.take_step(features, masks)
            yield StepReport(self.step, losses)

    def take_step(self, features: VisualFeatures, masks: Tensor) -> dict[str, float]:
        """Make one optimiser step; returns each loss of the batch and their total.

        Args:
            features: of B pictures.
            masks: (B, S, S), True where anomalous.
        """
        self._set_rates()
        self.model.train()
        torch.manual_seed(dropout_seed(self.seed, self.step, 0))
        self.optimiser.zero_grad(set_to_none=True)
        compared = shrunk_masks(masks.to(self._device), self.settings.loss_px)
        losses = daclip_losses(self.model.from_features(features_on(self._device, features)), compared)
        total = torch.stack(list(losses.values())).sum()
        total.backward()
        self.optimiser.step()
        self.step += 1
        self._average()
        return {**{name: float(value.detach()) for name, value in losses.items()}, "total": float(total.detach())}

    def trained_head(self) -> dict[str, Tensor]:
        """The head to keep: the moving average where there is one, else the last weights."""
        if self.settings.average_decay:
            return dict(self.averages)
        return {name: value.detach().clone() for name, value in self.model.head.state_dict().items()}

    def state(self) -> dict[str, object]:
        """Everything a resumed run needs; only tensors and plain values, to be read with `weights_only=True`."""
        return {
            "step": self.step,
            "head": self.model.head.state_dict(),
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
        self.model.head.load_state_dict(head)
        self.optimiser.load_state_dict(optimiser)
        self.averages = {name: value.to(self._device) for name, value in averages.items()}

    @property
    def _device(self) -> torch.device:
        return next(self.model.head.parameters()).device

    def _set_rates(self) -> None:
        share = 1.0
        if self.settings.schedule == "cosine":
            share = cosine_share(self.step, self.total_steps, self.settings.final_share)
        rates = (self.settings.adapter_rate, self.settings.dar_rate)
        for group, rate in zip(self.optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * share

    def _average(self) -> None:
        # Early steps weigh less, so that the average does not remember the random start.
        decay = min(self.settings.average_decay, (1 + self.step) / (10 + self.step))
        for name, value in self.model.head.state_dict().items():
            self.averages[name].lerp_(value.detach(), 1.0 - decay)


def belongs_to_dar(name: str) -> bool:
    """Whether a parameter of the head is one of DAR's, its gate included."""
    return name == "gate" or name.startswith("dar.")


def shrunk_masks(masks: Tensor, side: int | None) -> Tensor:
    """Masks (B, S, S) at a smaller side; a pixel is anomalous where any of those it stands for is, so none is lost."""
    if side is None or side >= masks.shape[-1]:
        return masks
    return F.adaptive_max_pool2d(masks.float(), side) > 0.5
