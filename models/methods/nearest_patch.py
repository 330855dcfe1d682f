"""Reference images: how far each patch is from the nearest patch of pictures that show what normal looks like.

L layers, K references, N = gh * gw patches of a picture, M patches in the bank, D width.  Pure functions; no training.
Source: the memory bank of PatchCore (Roth et al., CVPR 2022, arXiv:2106.08265) with the cosine distance of AnomalyDINO
(Damm et al., WACV 2025, arXiv:2405.14529).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor

from models.methods.coreset import select

# Middle layers of a 12-block backbone: the first see only texture, the last blur what is small.
NEAREST_PATCH_LAYERS: Final = (6, 9)
# Eight references of 37 x 37 patches fit whole, so that the usual bank costs no selection.
DEFAULT_LIMIT: Final = 16_384
_PRODUCT_LIMIT: Final = 2**23  # similarities held at once: 32 MiB in float32; half or twice as many take no less time
_WORTH_HALVING: Final = 2**18  # similarities; below it float32 takes no longer and is exact


@dataclass(frozen=True, slots=True, eq=False)
class MemoryBank:
    """What is kept of the references."""

    tokens: Tensor  # (L, M, D) float32, unit length
    reference_of: Tensor  # (L, M) int64, which of the K references a row is from
    counts: tuple[int, ...]  # patches that each of the K references had
    layers: tuple[int, ...]  # the L layers, counted from 1
    grids_hw: tuple[tuple[int, int], ...]  # of the references, in their order; empty where the builder was not told
    digests: tuple[str, ...]  # likewise

    @property
    def is_complete(self) -> bool:
        """Whether every patch is here, reference by reference in their order; else a coreset is."""
        return self.tokens.shape[1] == sum(self.counts)


def build_bank(
    tokens_of_references: Sequence[Tensor],
    layers: tuple[int, ...],
    limit: int | None = DEFAULT_LIMIT,
    seed: int = 0,
    *,
    grids_hw: Sequence[tuple[int, int]] = (),
    digests: Sequence[str] = (),
) -> MemoryBank:
    """Collect the references' patches; above a limit keep those that cover the rest best.

    Args:
        tokens_of_references: (L, N, D) of each reference, unit length; N may differ.  Turned or mirrored versions of a
            reference belong to it: join them along N.
        layers: the L layers, counted from 1.
        limit: most patches a layer, at least 1; None keeps all.
        seed: of the selection.
        grids_hw: each reference's grid, to be carried along.
        digests: each reference's SHA-256, likewise.
    Returns:
        MemoryBank.
    Raises:
        ValueError: no reference, a limit below 1, or tokens whose L is not the number of layers.
    """
    if not tokens_of_references or (limit is not None and limit < 1):
        raise ValueError(f"need at least one reference and one patch, got {len(tokens_of_references)} and {limit}")
    if any(tokens.shape[0] != len(layers) for tokens in tokens_of_references):
        raise ValueError(f"tokens must be of the {len(layers)} layers {layers}")
    counts = tuple(tokens.shape[1] for tokens in tokens_of_references)
    owners = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    kept_tokens, kept_owners = [], []
    for level in range(len(layers)):  # one at a time: a selection needs the whole layer beside what is kept
        rows = torch.cat([tokens[level] for tokens in tokens_of_references]).float()
        if limit is None or len(rows) <= limit:
            kept_tokens.append(rows)
            kept_owners.append(owners)
            continue
        chosen = select(rows, limit, seed)
        kept_tokens.append(rows[chosen])
        kept_owners.append(owners[chosen.cpu()])
    return MemoryBank(
        tokens=torch.stack(kept_tokens),
        reference_of=torch.stack(kept_owners),
        counts=counts,
        layers=layers,
        grids_hw=tuple(grids_hw),
        digests=tuple(digests),
    )


def bank_maps(tokens: Tensor, bank: MemoryBank, exclude: int | None = None) -> Tensor:
    """Find how far each patch is from the nearest one of the references, layer by layer.

    Args:
        tokens: (L, N, D), unit length, of the bank's layers.
        bank: of the references.
        exclude: a reference whose own patches do not count, from 0.
    Returns:
        (L, N), cosine distance in [0, 2]; see `nearest` for how exact it is.
    Raises:
        ValueError: the layers do not match, or nothing is left beside the excluded reference.
    """
    if tokens.shape[0] != len(bank.layers):
        raise ValueError(f"tokens of {tokens.shape[0]} layers do not fit a bank of {len(bank.layers)}")
    maps = []
    for own, rows, owners in zip(tokens.to(bank.tokens.device).float(), bank.tokens, bank.reference_of, strict=True):
        others = rows if exclude is None else rows[(owners != exclude).to(rows.device)]
        if not len(others):
            raise ValueError(f"the bank holds no patches beside those of reference {exclude}")
        maps.append(nearest(own, others))
    return torch.stack(maps)


def leave_one_out(tokens_of_references: Sequence[Tensor], bank: MemoryBank) -> list[Tensor]:
    """Find how far each reference's patches are from those of the others: what a normal picture may look like.

    A whole bank is compared pair by pair, each product serving both sides; in bfloat16 (see `nearest`) distances are
    then rounded to three digits, which a scale does not need to know better.  A coreset is asked without the
    reference's own rows, and since these may have stood for another's, distances come out a little too large there.

    Args:
        tokens_of_references: (L, N, D) of each reference that went into the bank, in its order; where turned versions
            were joined to it there, its own (L, N, D) alone.
        bank: of at least two references.
    Returns:
        K maps (L, N), cosine distance in [0, 2].
    Raises:
        ValueError: there are fewer than two references, or not as many as the bank has.
    """
    if len(tokens_of_references) != len(bank.counts) or len(bank.counts) < 2:
        raise ValueError(
            f"need the bank's {len(bank.counts)} references, at least two, got {len(tokens_of_references)}"
        )
    same = tuple(tokens.shape[1] for tokens in tokens_of_references) == bank.counts
    if not (bank.is_complete and same):
        return [bank_maps(tokens, bank, exclude=index) for index, tokens in enumerate(tokens_of_references)]
    maps = torch.stack([_pair_by_pair(rows, bank.counts) for rows in bank.tokens])
    return list(maps.split(bank.counts, dim=1))


def _pair_by_pair(rows: Tensor, counts: Sequence[int]) -> Tensor:
    """Distances (M,) of rows (M, D), which lie reference by reference, to the nearest row of another reference."""
    distances = rows.new_full((len(rows),), 2.0)
    first = 0
    for count in counts[:-1]:
        own = slice(first, first + count)
        first += count
        for part in _parts(first, len(rows), count):
            product = _minus_distances(rows[own], rows[part])
            distances[own] = distances[own].minimum(-product.amax(dim=1).float())
            distances[part] = distances[part].minimum(-product.amax(dim=0).float())
    return distances.clamp(min=0.0)


def nearest(tokens: Tensor, rows: Tensor, *, bfloat16: bool | None = None) -> Tensor:
    """Find how far each of some patches is from the nearest of others; memory stays bounded.

    Large products run in bfloat16 where the processor has it, three to four times as fast: the nearest is looked for
    there, the distance to it worked out in float32.  So no distance is too small, and one is too large only where two
    patches are almost equally near; on DINOv2's tokens by 6e-4 at most and by 1e-6 in the mean.

    Args:
        tokens: (N, D) float32, unit length.
        rows: (M, D) float32, unit length.
        bfloat16: None decides by size and processor.
    Returns:
        (N,) float32, cosine distance in [0, 2].
    """
    distances = tokens.new_full((len(tokens),), 2.0)
    for part in _parts(0, len(rows), len(tokens)):
        product = _minus_distances(tokens, rows[part], bfloat16)
        if product.dtype == torch.float32:
            distances = distances.minimum(-product.amax(dim=1))
            continue
        winners = rows[part][product.max(dim=1).indices]  # not argmax, which is five times slower
        distances = distances.minimum(1.0 - (tokens * winners).sum(dim=1))
    return distances.clamp(min=0.0)


def _parts(first: int, last: int, width: int) -> Iterator[slice]:
    """Cut a range so that a product with `width` rows stays within the limit."""
    step = max(1, _PRODUCT_LIMIT // width)
    return (slice(start, min(start + step, last)) for start in range(first, last, step))


def _minus_distances(tokens: Tensor, rows: Tensor, bfloat16: bool | None = None) -> Tensor:
    """(N, M), similarity less 1, in bfloat16 or float32."""
    if bfloat16 is None:
        bfloat16 = tokens.device.type == "cpu" and len(tokens) * len(rows) >= _WORTH_HALVING and _has_bfloat16()
    dtype = torch.bfloat16 if bfloat16 else torch.float32
    # As the product's bias the 1 is subtracted before rounding, so that small distances keep their digits.
    return F.linear(tokens.to(dtype), rows.to(dtype), tokens.new_full((len(rows),), -1.0, dtype=dtype))


@lru_cache(maxsize=1)
def _has_bfloat16() -> bool:
    """Whether the processor multiplies in bfloat16; one that does not is slower in it than in float32."""
    capabilities: Callable[[], Mapping[str, Any]] = getattr(torch.cpu, "get_capabilities", dict)
    found = capabilities()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))
