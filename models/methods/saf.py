"""Self-alignment function (SAF): brings one layer's patch tokens into the space where they meet the two tokens."""

from __future__ import annotations

from torch import Tensor, nn


class SelfAlignment(nn.Module):
    """A two-layer MLP without a residual, d -> d -> d (VisualAD, arXiv:2603.07952, eq. 21 and Table 8's 'MLP')."""

    def __init__(self, width: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(width, width), nn.GELU(), nn.Dropout(dropout), nn.Linear(width, width), nn.Dropout(dropout)
        )
        for layer in self.mlp:
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(self, patch_tokens: Tensor) -> Tensor:
        """Align patch tokens: (B, N, d) to (B, N, d)."""
        aligned: Tensor = self.mlp(patch_tokens)
        return aligned
