"""Decoupled asymmetric refinement (DAR): lets what an image's patches show shift the text features.

B images, N = gh * gw patches, pooled to M of them, m text tokens, d width.
Sources: DA-CLIP, CVPR 2026 Findings, eq. 1; the block's details are this project's reconstruction, after Mamba (Gu and
Dao, arXiv:2312.00752).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.methods.selective_scan import scan_fast, scan_sequential

ScanForm = Literal["fast", "sequential"]

_SCANS: Final[Mapping[str, Callable[..., Tensor]]] = MappingProxyType(
    {"fast": scan_fast, "sequential": scan_sequential}
)
_KERNEL: Final = 3
_STEP_RANGE: Final = (1e-3, 0.1)  # Mamba's: what softplus makes of the bias, spread evenly in its logarithm


class SequenceBranch(nn.Module):
    """x_ssm of eq. 1: the sequence's dynamics, by a causal convolution and a selective scan.

    Args:
        width: d.
        state: n, states a channel.
        scan: the fast scan or its reference.
    """

    def __init__(self, width: int, state: int, scan: ScanForm) -> None:
        super().__init__()
        inner = width // 2
        self.rank = max(1, math.ceil(width / 16))
        self.state = state
        self.scan = scan
        self.project = nn.Linear(width, inner, bias=False)
        self.conv = nn.Conv1d(inner, inner, _KERNEL, groups=inner)
        self.select = nn.Linear(inner, self.rank + 2 * state, bias=False)
        self.step = nn.Linear(self.rank, inner)
        self.A_log = nn.Parameter(torch.arange(1.0, state + 1).log().repeat(inner, 1))
        self.D = nn.Parameter(torch.ones(inner))
        lowest, highest = (math.log(bound) for bound in _STEP_RANGE)
        with torch.no_grad():
            steps = self.step.bias.uniform_(lowest, highest).exp()
            self.step.bias.copy_(steps + torch.log(-torch.expm1(-steps)))  # softplus backwards
            self.step.weight.uniform_(-(self.rank**-0.5), self.rank**-0.5)

    def forward(self, sequence: Tensor) -> Tensor:
        """(B, L, d) to (B, L, d / 2); no position depends on a later one."""
        channels_first = F.pad(self.project(sequence).mT, (_KERNEL - 1, 0))
        hidden = F.silu(self.conv(channels_first).mT)
        low_rank, B, C = self.select(hidden).split([self.rank, self.state, self.state], dim=2)
        delta = F.softplus(self.step(low_rank).to(self.D.dtype))  # autocast's bfloat16 would blur a sum over the scan
        u, B, C = (part.to(self.D.dtype) for part in (hidden, B, C))
        return _SCANS[self.scan](u, delta, -torch.exp(self.A_log), B, C, self.D)


class SpatialBranch(nn.Module):
    """x_conv of eq. 1: spatial relations, by a 3 x 3 convolution over the grid of patches.

    Text has no grid, and prompts no order in which one would be the other's neighbour: its tokens pass the convolution
    by, and meet the patches in the other branch alone.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = width // 2
        self.project = nn.Linear(width, inner, bias=False)
        self.conv = nn.Conv2d(inner, inner, _KERNEL, padding=_KERNEL // 2, groups=inner)

    def forward(self, sequence: Tensor, grid_hw: tuple[int, int]) -> Tensor:
        """(B, L, d) to (B, L, d / 2); the first gh * gw of the L positions are patches, row by row."""
        patches, text = self.project(sequence).tensor_split([math.prod(grid_hw)], dim=1)
        spread = self.conv(patches.mT.unflatten(2, grid_hw)).flatten(2).mT
        return F.silu(torch.cat([spread, text], dim=1))


class DAR(nn.Module):
    """Offsets for patches and text out of one sequence: pooled patches first, then the text that reads them.

    Args:
        width: d, even.
        grid: patches are pooled to at most grid x grid.
        state: states a channel of the scan.
        scan: "fast", or "sequential", its reference.
    Raises:
        ValueError: the width is odd, or there is no such scan.
    """

    def __init__(self, width: int, *, grid: int = 12, state: int = 16, scan: ScanForm = "fast") -> None:
        super().__init__()
        if width % 2:
            raise ValueError(f"DAR's branches are half as wide as its tokens: width must be even, got {width}")
        if scan not in _SCANS:
            raise ValueError(f"there is no scan {scan!r}; choose one of {', '.join(get_args(ScanForm))}")
        self.grid = grid
        self.sequence_branch = SequenceBranch(width, state, scan)
        self.spatial_branch = SpatialBranch(width)
        self.out = nn.Linear(width // 2, width, bias=False)

    def forward(self, patches: Tensor, grid_hw: tuple[int, int], text: Tensor) -> tuple[Tensor, Tensor]:
        """Read the patches, then the text in their light.

        Args:
            patches: (B, N, d), of unit length or, as a mean of layers, less.
            grid_hw: gh and gw, with gh * gw = N.
            text: (m, d) or (B, m, d), of unit length.
        Returns:
            d_s (B, M, d), the patches' offsets, which no text enters, with M = min(gh, grid) * min(gw, grid); and
            d_a (B, m, d), the text's.
        """
        pooled_hw = (min(grid_hw[0], self.grid), min(grid_hw[1], self.grid))
        pooled = F.adaptive_avg_pool2d(patches.mT.unflatten(2, grid_hw), pooled_hw).flatten(2).mT
        tokens = torch.cat([pooled, text.expand(len(patches), -1, -1)], dim=1)
        # Mamba's block expects values near 1; those of a unit vector are near 1 / sqrt(d), and their product far less.
        sequence = tokens * math.sqrt(tokens.shape[2])
        product = self.sequence_branch(sequence) * self.spatial_branch(sequence, pooled_hw)
        patch_offsets, text_offsets = self.out(product).tensor_split([math.prod(pooled_hw)], dim=1)
        return patch_offsets, text_offsets
