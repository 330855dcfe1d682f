"""What is said of the reference patches that look like a picture's own: to tell a method's habits from its findings.

L layers, N patches of a picture, M patches of references, D width, V values of each reference patch.  Pure functions.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

# Of similarities added over the layers: so soft that no chance likeness decides, so sharp that a few patches do.
TEMPERATURE: Final = 0.05
_PRODUCT_LIMIT: Final = 2**21  # similarities held at once, 8 MiB


def matched_values(tokens: Tensor, rows: Tensor, values: Tensor) -> Tensor:
    """Average the values of reference patches for each patch of a picture, the more alike the more weight.

    Args:
        tokens: (L, N, D), unit length.
        rows: (L, M, D), unit length; the M patches are the same in every layer.
        values: (M, V), any range.
    Returns:
        (N, V), within the range of `values`: weights are a softmax over the M similarities, added over the layers.
    Raises:
        ValueError: there is no reference patch, or the values are not one row for each.
    """
    weighted, weights = matched_sums(tokens, rows, values)
    return weighted / weights


def matched_sums(tokens: Tensor, rows: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """`matched_values` before the division: weighted sums (N, V) and weights (N, 1), which add up over sets of rows."""
    layers, count = rows.shape[:2]
    if not count or len(values) != count:
        raise ValueError(f"need a row of values for each of at least one patch, got {len(values)} and {count}")
    ones = torch.cat([values, values.new_ones(len(values), 1)], dim=1)
    found = []
    for part in tokens.split(max(1, _PRODUCT_LIMIT // count), dim=1):
        alike = torch.stack([own @ others.T for own, others in zip(part, rows, strict=True)]).sum(dim=0)
        # No similarity exceeds 1 a layer, so that nothing overflows; at -1 the weight is still a number.
        found.append(((alike - layers) / TEMPERATURE).exp() @ ones)
    sums = torch.cat(found)
    return sums[:, :-1], sums[:, -1:]
