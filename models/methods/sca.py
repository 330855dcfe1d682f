"""Spatial-aware cross-attention (SCA): anchors gather the patches, a gate adds what they found to a token.

B images, N patches, m anchors, d width.  Source: VisualAD, arXiv:2603.07952.
"""

from __future__ import annotations

import math
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MAX_PATCHES: Final = 1536  # rows of the position table; 1,369 are used at 518 px


class SpatialAwareCrossAttention(nn.Module):
    """Anchors attend to the patches once; every token then takes its own gated mix of what they gathered."""

    def __init__(self, width: int, anchors: int = 4, dropout: float = 0.1) -> None:
        super().__init__()
        self.anchor_queries = nn.Parameter(torch.randn(anchors, width) * 0.02)
        self.pos_encoding = nn.Parameter(torch.randn(1, MAX_PATCHES, width) * 0.02)
        self.q_proj = nn.Linear(width, width, bias=False)
        self.k_proj = nn.Linear(width, width, bias=False)
        self.v_proj = nn.Linear(width, width, bias=False)
        self.q_norm = nn.LayerNorm(width)
        self.k_norm = nn.LayerNorm(width)
        self.gate = nn.Sequential(nn.Linear(width, anchors), nn.Sigmoid())
        self.out_proj = nn.Linear(width, width)
        self.res_scale = nn.Parameter(torch.full((1,), 0.01))
        self.attention_dropout = nn.Dropout(dropout)
        self.output_dropout = nn.Dropout(dropout)

    def gather(self, patch_tokens: Tensor, places: Tensor | None = None) -> Tensor:
        """Let the anchors gather the patches; the result serves every token.

        Args:
            patch_tokens: (B, N, d), N at most 1536.
            places: (N,), which row of the position table each patch has, where they are a part of the picture's; None:
                they are all of them, in order.
        Returns:
            (B, m, d).
        Raises:
            ValueError: there are more patches than the position table has rows.
        """
        count, width = patch_tokens.shape[1:]
        if count > MAX_PATCHES:
            raise ValueError(f"at most {MAX_PATCHES} patches fit the position table, got {count}; use a smaller image")
        queries = self.q_norm(self.q_proj(self.anchor_queries))
        positions = self.pos_encoding[:, :count] if places is None else self.pos_encoding[:, places]
        if self.training:  # the same sum, and the way back to the position table is one picture's instead of a batch's
            keys = self.k_norm(self.k_proj(patch_tokens) + self.k_proj(positions))
        else:
            keys = self.k_norm(self.k_proj(patch_tokens + positions))
        attention = (queries @ keys.transpose(1, 2) / math.sqrt(width)).softmax(dim=-1)
        # (a P) W = a (P W): projecting m gathered rows costs less than projecting N patches.
        gathered: Tensor = self.v_proj(self.attention_dropout(attention) @ patch_tokens)
        return gathered

    def forward(self, token: Tensor, gathered: Tensor) -> Tensor:
        """Refine one token, (B, d), with what `gather` returned, (B, m, d): (B, d)."""
        mix = (self.gate(token).unsqueeze(-1) * gathered).sum(dim=1)
        refined: Tensor = token + self.res_scale * self.output_dropout(self.out_proj(mix))
        return refined


@torch.no_grad()
def resize_position_table(table: Tensor, from_side: int, to_side: int) -> None:
    """Carry a position table from one square patch grid to another, bilinearly and in place.

    Args:
        table: (1, rows, d); its first `from_side` squared rows belong to the grid.
        from_side: patches along a side until now.
        to_side: patches along a side from now on.
    """
    grid = table[:, : from_side**2].unflatten(1, (from_side, from_side)).permute(0, 3, 1, 2)
    resized = F.interpolate(grid, size=(to_side, to_side), mode="bilinear", align_corners=False)
    table[:, : to_side**2] = resized.flatten(2).transpose(1, 2)
