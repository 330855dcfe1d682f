"""The training loop of a VisualAD head: stages of growing image size, resumable at any step.

Batches and dropout depend on the seed and the step alone, so a resumed run does what an uninterrupted one would do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from models.methods.sca import resize_position_table
from models.methods.visualad import VisualAD
from models.training.losses import LOSS_NAMES, Losses, visualad_losses
from models.training.ranks import ALONE, Ranks, share_gradients

Batch = tuple[Tensor, Tensor]  # images (B, 3, S, S) normalised, masks (B, S, S) in {0, 1}
BatchSource = Callable[["Stage", int], Iterator[Batch]]  # (stage, first step within it) -> its remaining batches


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stretch of training at one image size."""

    image_px: int
    steps: int
    batch_size: int
    trains_tokens: bool = True  # False: no gradient goes through the backbone, so a step costs about half
    first_step: int = 0  # counted over the whole training; keys the data


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimisation:
    """The optimiser's settings; the defaults are the paper's."""

    token_rate: float = 1e-3
    module_rate: float = 1e-4
    weight_decay: float = 0.01
    final_share: float = 0.1  # of each rate, reached by a cosine at the last step
    token_gradient_norm: float = 1.0
    average_decay: float = 0.0  # of the exponential moving average of the weights; 0 keeps none
    bfloat16: bool = False
    losses: tuple[str, ...] = LOSS_NAMES  # those that are minimised; all are reported
    accumulate: int = 1  # parts that a batch is cut into, to need less memory; the gradient is the whole batch's
    checkpoint_blocks: bool = False  # compute the backbone's blocks again on the way back instead of keeping them

    def __post_init__(self) -> None:
        if not self.losses or not set(self.losses) <= set(LOSS_NAMES):
            raise ValueError(f"losses must be some of {', '.join(LOSS_NAMES)}, got {self.losses}")
        if self.accumulate < 1:
            raise ValueError(f"accumulate must be 1 or more, got {self.accumulate}")


@dataclass(frozen=True, slots=True, eq=False)
class StepReport:
    """What one step did."""

    step: int  # counted from 1
    losses: dict[str, float]


class Trainer:
    """A model, its optimiser and how far it has come; `state` and `restore` make it resumable.

    Args:
        model: on the device that computes; every process begins with the same weights.
        stages: what to train on.
        optimisation: how.
        seed: of dropout.
        ranks: the processes that share each batch.
    """

    def __init__(
        self,
        model: VisualAD,
        stages: tuple[Stage, ...],
        optimisation: Optimisation,
        *,
        seed: int = 0,
        ranks: Ranks = ALONE,
    ) -> None:
        self.model = model
        self.seed = seed
        self.ranks = ranks
        model.backbone.checkpoint_blocks = optimisation.checkpoint_blocks
        self.stages = number_stages(stages)
        self.settings = optimisation
        self.step = 0
        head = model.head
        self.tokens: list[nn.Parameter] = [head.anomaly_token, head.normal_token]
        if head.config.train_positions:
            self.tokens.append(head.token_positions)
        others = [p for p in head.parameters() if all(p is not token for token in self.tokens)]
        self.optimiser = torch.optim.AdamW(
            [
                {"params": self.tokens, "lr": optimisation.token_rate},
                {"params": others, "lr": optimisation.module_rate},
            ],
            weight_decay=optimisation.weight_decay,
        )
        self.averages = {name: value.detach().clone() for name, value in head.state_dict().items()}

    @property
    def total_steps(self) -> int:
        """Steps of all stages together."""
        return sum(stage.steps for stage in self.stages)

    def run(self, source: BatchSource) -> Iterator[StepReport]:
        """Train from where it stands to the end, a report a step."""
        previous: Stage | None = None
        for stage in self.stages:
            done = self.step - stage.first_step
            if done < stage.steps:
                if previous is not None and done == 0:
                    self._resize_positions(previous.image_px, stage.image_px)
                for token in self.tokens:
                    token.requires_grad_(stage.trains_tokens)
                for images, masks in source(stage, done):
                    yield StepReport(self.step + 1, self.take_step(images, masks))
            previous = stage

    def take_step(self, images: Tensor, masks: Tensor) -> dict[str, float]:
        """Make one optimiser step on a batch, or on this process's part of it; returns each loss of the whole batch."""
        self._set_rates()
        self.model.head.train()
        torch.manual_seed(dropout_seed(self.seed, self.step, self.ranks.rank))
        self.optimiser.zero_grad(set_to_none=True)
        losses = self.backward(images, masks)
        losses = share_gradients(list(self.model.head.parameters()), losses, len(images), self.ranks)
        for token in self.tokens:
            if token.grad is not None:
                nn.utils.clip_grad_norm_(token, self.settings.token_gradient_norm)
        self.optimiser.step()
        self.step += 1
        self._average()
        return dict(zip((*LOSS_NAMES, "total"), losses.tolist(), strict=True))

    def backward(self, images: Tensor, masks: Tensor) -> Tensor:
        """Add the gradients of the mean loss of some images to the head's, one part after the other.

        Each of the four losses is a mean over images of equal size, so the batch's is the mean of its parts', weighted
        by their images.  It would not be so for a Dice loss pooled over the batch; ours is worked out per image.
        Dropout draws anew for each part: with dropout the gradient is another sample of the same mean.

        Args:
            images: (B, 3, S, S), normalised; B may be 0.
            masks: (B, S, S).
        Returns:
            (5,), the four losses and their total, means over the images; zeros where there are none.
        """
        device = self.model.head.anomaly_token.device
        sums = torch.zeros(len(LOSS_NAMES) + 1, device=device)
        count = min(self.settings.accumulate, len(images))
        parts = zip(images.tensor_split(count), masks.tensor_split(count), strict=True) if count else ()
        for some_images, some_masks in parts:
            share = len(some_images) / len(images)
            with torch.autocast(device.type, torch.bfloat16, enabled=self.settings.bfloat16):
                output = self.model(some_images.to(device))
            losses = visualad_losses(output, some_masks.to(device))
            (losses.sum_of(self.settings.losses) * share).backward()
            sums += as_vector(losses) * share
        return sums

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
        device = self.model.head.anomaly_token.device
        self.averages = {name: value.to(device) for name, value in averages.items()}

    def _set_rates(self) -> None:
        share = cosine_share(self.step, self.total_steps, self.settings.final_share)
        rates = (self.settings.token_rate, self.settings.module_rate)
        for group, rate in zip(self.optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * share

    def _average(self) -> None:
        # Early steps weigh less, so that the average does not remember the random start.
        decay = min(self.settings.average_decay, (1 + self.step) / (10 + self.step))
        for name, value in self.model.head.state_dict().items():
            self.averages[name].lerp_(value.detach(), 1.0 - decay)

    @torch.no_grad()
    def _resize_positions(self, from_px: int, to_px: int) -> None:
        """Carry SCA's position tables from one patch grid to the next: the first N rows belong to the grid in use."""
        if from_px == to_px:
            return
        patch_px = self.model.backbone.patch_px
        names = [name for name in self.averages if name.endswith("pos_encoding")]
        live = dict(self.model.head.named_parameters())
        for table in (*(self.averages[name] for name in names), *(live[name] for name in names)):
            resize_position_table(table, from_px // patch_px, to_px // patch_px)
        for name in names:  # Adam's moments belong to the old rows
            self.optimiser.state.pop(live[name], None)


def number_stages(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """Give every stage its first step."""
    numbered: list[Stage] = []
    first = 0
    for stage in stages:
        numbered.append(replace(stage, first_step=first))
        first += stage.steps
    return tuple(numbered)


def cosine_share(step: int, total_steps: int, final_share: float) -> float:
    """Share of the learning rate at a step counted from 0: from 1 down to `final_share` by a half cosine."""
    progress = step / max(total_steps - 1, 1)
    return final_share + (1.0 - final_share) * 0.5 * (1.0 + math.cos(math.pi * progress))


def dropout_seed(seed: int, step: int, rank: int) -> int:
    """A seed for each step and process, so that nothing of a random state has to be kept."""
    return int(np.random.SeedSequence((seed, step, rank)).generate_state(1, np.uint64)[0])


def as_vector(losses: Losses) -> Tensor:
    """The losses without gradient: (5,), the total last."""
    return torch.stack([getattr(losses, name).detach() for name in (*LOSS_NAMES, "total")])
