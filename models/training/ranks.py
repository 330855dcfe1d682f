"""The processes of one training run: each sees its own part of every batch, and all of them keep the same weights.

Plain sums instead of DistributedDataParallel: see docs/decisions.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import torch
import torch.distributed as dist
from torch import Tensor, nn

_SET_BY_TORCHRUN: Final = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True, slots=True)
class Ranks:
    """Which of a run's processes this one is; the default is a process of its own."""

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the one process that writes files."""
        return self.rank == 0

    def mine(self, items: Sequence[int]) -> list[int]:
        """This process's part of a batch; the parts are disjoint, together they are the batch, some may be empty."""
        return list(items[self.rank :: self.count])

    def sum(self, values: Tensor) -> Tensor:
        """Add up a tensor over all processes, in place; every process gets the same bits."""
        if self.count > 1:
            dist.all_reduce(values)
        return values

    def agree_on(self, number: int, device: str) -> bool:
        """Whether every process has the same whole number."""
        total, squares = self.sum(torch.tensor([number, number**2], dtype=torch.float64, device=device)).tolist()
        return bool(total**2 == self.count * squares)  # equal in Cauchy and Schwarz's inequality


ALONE: Final = Ranks()


def in_torchrun() -> bool:
    """Whether torchrun, or someone who sets the same variables, started this process."""
    return all(name in os.environ for name in _SET_BY_TORCHRUN)


def is_first_process() -> bool:
    """Whether this is the one of its run that writes; asked before the processes have met."""
    return not in_torchrun() or os.environ["RANK"] == "0"


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """Meet the processes that torchrun started; without torchrun this one is alone.

    Args:
        device: torch's name of what computes; decides between nccl and gloo.
    """
    if not in_torchrun():
        yield ALONE
        return
    if device.startswith("cuda"):
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))  # from here on, "cuda" is this one
    dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


def share_gradients(parameters: Sequence[nn.Parameter], losses: Tensor, images: int, ranks: Ranks) -> Tensor:
    """Give every process the gradients of the whole batch, by one sum over all of them.

    A parameter that no process has a gradient for keeps none, so that the optimiser leaves it alone as it would in one
    process.

    Args:
        parameters: with the gradients of the mean loss over this process's images; in every process the same order.
        losses: (K,), means over this process's images.
        images: how many those are; 0 where a small batch left none, then gradients and losses count nothing.
        ranks: the processes.
    Returns:
        (K,), the losses of the whole batch.
    """
    if ranks.count == 1:
        return losses
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    present = losses.new_tensor([float(p.grad is not None) for p in parameters])
    sums = torch.cat([*(gradient.flatten() for gradient in gradients), losses, losses.new_ones(1)]) * images
    shared = ranks.sum(torch.cat([sums, present]))
    means = shared[: len(sums)] / shared[len(sums) - 1]
    parts = means.split([*(p.numel() for p in parameters), len(losses), 1])
    for parameter, part, is_there in zip(parameters, parts, shared[len(sums) :].tolist(), strict=False):
        parameter.grad = part.view_as(parameter).clone() if is_there else None
    shared_losses: Tensor = parts[-2]
    return shared_losses
