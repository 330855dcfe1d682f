"""A few patches that stand for many: greedy k-center selection.  M candidates, D width, k kept.

Source: PatchCore (Roth et al., CVPR 2022, arXiv:2106.08265), algorithm 1: greedy coreset after a random projection.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

PROJECTED_WIDTH: Final = 128
# More candidates than this many times what is kept are thinned at random first: it bounds the time, and a patch that
# occurs once among very many may then be lost.
_OVERSAMPLING: Final = 4
_FARTHEST: Final = 512  # rows looked at in one round


def select(rows: Tensor, count: int, seed: int) -> Tensor:
    """Choose rows that leave no row far from the nearest chosen one.

    Args:
        rows: (M, D) float32.
        count: k, 1 to M.
        seed: of the first row, of the projection and of the thinning before it.
    Returns:
        (k,) int64, different indices, ascending.
    Raises:
        ValueError: `count` is outside 1..M.
    """
    if not 1 <= count <= len(rows):
        raise ValueError(f"need 1 to {len(rows)} rows, got {count}")
    generator = torch.Generator().manual_seed(seed)
    kept = torch.randperm(len(rows), generator=generator)[: _OVERSAMPLING * count].sort().values.to(rows.device)
    projected = project(rows[kept], generator)
    first = int(torch.randint(len(kept), (1,), generator=generator))
    return kept[k_center(projected, count, first)].sort().values


def project(rows: Tensor, generator: torch.Generator) -> Tensor:
    """Shorten rows (M, D) to (M, 128) by a random projection that keeps distances in the mean; short ones stay."""
    if rows.shape[1] <= PROJECTED_WIDTH:
        return rows
    matrix = torch.randn(rows.shape[1], PROJECTED_WIDTH, generator=generator) / math.sqrt(PROJECTED_WIDTH)
    return rows @ matrix.to(rows.device)


def k_center(rows: Tensor, count: int, first: int) -> Tensor:
    """Choose, one after another, the row that is farthest from those chosen so far.

    The result is that of the plain loop over all rows, found in rounds: the farthest rows are picked from by the loop
    for as long as none outside them can be farther, since distances only shrink; then all rows hear of the picks in
    one product.

    Args:
        rows: (M, D) float32.
        count: k, 1 to M.
        first: index of the row to begin with.
    Returns:
        (k,) int64, different indices, in the order of choice.
    """
    chosen = torch.tensor([first], device=rows.device)
    distances = rows.new_full((len(rows),), torch.inf)
    news = chosen
    while len(chosen) < count:
        distances = distances.minimum(_squared_distances(rows, rows[news]).amin(dim=1))
        distances[news] = -1.0  # below every other, so that equal rows are chosen once each
        news = _picks(rows, distances, count - len(chosen))
        chosen = torch.cat([chosen, news])
    return chosen


def _picks(rows: Tensor, distances: Tensor, most: int) -> Tensor:
    """The next rows of the loop, at least one and at most so many: indices (p,)."""
    farthest = distances.topk(min(_FARTHEST + 1, len(rows)))
    candidates = farthest.indices[:_FARTHEST]
    outside = float(farthest.values[_FARTHEST]) if len(rows) > _FARTHEST else -1.0
    between = _squared_distances(rows[candidates], rows[candidates])
    left = farthest.values[:_FARTHEST].clone()
    picks: list[int] = []
    while len(picks) < most:
        best = int(left.argmax())
        if picks and float(left[best]) < max(outside, 0.0):
            break
        picks.append(best)
        left = left.minimum(between[best])
        left[best] = -1.0
    return candidates[picks]


def _squared_distances(rows: Tensor, others: Tensor) -> Tensor:
    """(M, p), squared Euclidean distances of rows (M, D) to others (p, D)."""
    products = torch.addmm(rows.square().sum(dim=1, keepdim=True), rows, others.T, alpha=-2.0)
    return products.add_(others.square().sum(dim=1)).clamp_(min=0.0)
