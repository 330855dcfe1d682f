"""Mutual scoring: unlabelled pictures of the same object judge each other, as long as most of them are normal.

L layers, N = gh * gw patches, D width, J other pictures.  At any time two pictures' tokens, one product of them and
J * L * N distances are in memory, however many pictures there are.
Source: MuSc (Li et al., ICLR 2024, arXiv:2401.16753): mutual scoring with interval average, and average pooling as the
neighbourhood aggregation of LNAMD.  There distances are Euclidean; here they are cosine distances, as for references.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from models.methods.nearest_patch import nearest


def mutual_maps(
    tokens_of: Callable[[int], Tensor],
    count: int,
    *,
    lowest_share: float = 0.3,
    compare_with: int | None = None,
    seed: int = 0,
) -> Iterator[Tensor]:
    """Score each picture's patches by how far they are from the other pictures that are nearest to them.

    A defect is near to nothing in any picture; what varies among normal pictures is near to something in a few.

    Args:
        tokens_of: gives the tokens (L, N, D), unit length, of the picture with an index; N may differ.
        count: how many pictures, at least 2.
        lowest_share: share of the other pictures, the nearest for each patch, whose distances are averaged, in (0, 1];
            rounded down, but at least one picture.
        compare_with: compare each picture with at most so many others, drawn anew for each; None with all.
        seed: of the draws.
    Yields:
        (L, N) for picture 0, 1, ...: mean cosine distance in [0, 2].
    Raises:
        ValueError: fewer than two pictures, nothing to compare with, or a share outside (0, 1].
    """
    if count < 2 or not 0.0 < lowest_share <= 1.0 or (compare_with is not None and compare_with < 1):
        raise ValueError(
            f"need two pictures, one to compare with and a share in (0, 1]: {count}, {compare_with}, {lowest_share}"
        )
    return (_map(tokens_of, index, others_of(index, count, compare_with, seed), lowest_share) for index in range(count))


def others_of(index: int, count: int, compare_with: int | None, seed: int) -> tuple[int, ...]:
    """Which pictures one is compared with: ascending, never itself; drawn by the seed and the index alone."""
    others = np.delete(np.arange(count), index)
    if compare_with is not None and compare_with < len(others):
        others = np.sort(np.random.default_rng((seed, index)).choice(others, size=compare_with, replace=False))
    return tuple(int(other) for other in others)


def _map(tokens_of: Callable[[int], Tensor], index: int, others: tuple[int, ...], lowest_share: float) -> Tensor:
    tokens = tokens_of(index).float()
    distances = tokens.new_empty((len(others), *tokens.shape[:2]))
    for place, other in enumerate(others):
        distances[place] = _distances(tokens, tokens_of(other))
    # 0.3 of 10 is 3, whatever floating point makes of it.
    kept = max(1, int(lowest_share * len(others) + 1e-9))
    return distances.topk(kept, dim=0, largest=False, sorted=False).values.mean(dim=0)


def _distances(tokens: Tensor, others: Tensor) -> Tensor:
    """(L, N), of one picture's patches to the nearest of another's."""
    return torch.stack([nearest(own, rows.float()) for own, rows in zip(tokens, others, strict=True)])


def aggregated(tokens: Tensor, grid_hw: tuple[int, int], size: int) -> Tensor:
    """Average each patch with its neighbours, so that patches speak of larger things; MuSc uses sizes 1, 3 and 5.

    Args:
        tokens: (L, N, D), unit length.
        grid_hw: (gh, gw), with gh * gw = N.
        size: side of the square of patches, odd; 1 changes nothing.  At the border the mean is of those there are.
    Returns:
        (L, N, D), unit length.
    Raises:
        ValueError: the size is even or below 1.
    """
    if size < 1 or size % 2 == 0:
        raise ValueError(f"size must be odd and at least 1, got {size}")
    if size == 1:
        return tokens
    square = tokens.transpose(1, 2).unflatten(2, grid_hw)
    pooled = F.avg_pool2d(square, size, stride=1, padding=size // 2)
    return F.normalize(pooled.flatten(2).transpose(1, 2), dim=-1)
