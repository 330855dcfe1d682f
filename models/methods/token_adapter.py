"""DA-CLIP's token adapter: a few learnable tokens a layer that tune a frozen text encoder's own tokens.

Unofficial reconstruction: that there are 10 tokens in every layer and a residual connection is the paper's, the formula
[R] follows Rein (arXiv:2312.04265).  n texts, T positions, d width.
Source: DA-CLIP, CVPR 2026 Findings, supplementary.
"""

from __future__ import annotations

import math
from typing import Final, Literal

import torch
from torch import Tensor, nn

AdapterForm = Literal["rein", "simple"]
ADAPTER_FORMS: Final[tuple[AdapterForm, ...]] = ("rein", "simple")
TOKEN_STD: Final = 0.02  # [R]


class TokenAdapter(nn.Module):
    """Learnable tokens K of every adapted layer, and what the layers share; an `Adapt` of a text tower.

    With a = softmax(x K^T / sqrt(d)), "rein" gives x + s * MLP_2(a MLP_1(K) + x), "simple" gives x + a K [R]; the MLPs
    are Linear(d, d), and they and s belong to all layers.  At s = 0 "rein" changes nothing.

    Args:
        width: d of the text encoder.
        depth: its number of layers.
        tokens: learnable tokens a layer.
        form: "rein" or "simple".
        residual: False drops the first x of either formula (Table 4).
        layers: which layers are adapted, counted from 1; None: all (Figure 3a).
        scale: what s begins with; "simple" has none.
    Raises:
        ValueError: a layer does not exist, there are no tokens, or the form is unknown.
    """

    def __init__(
        self,
        width: int,
        depth: int,
        *,
        tokens: int = 10,
        form: AdapterForm = "rein",
        residual: bool = True,
        layers: tuple[int, ...] | None = None,
        scale: float = 1e-3,
    ) -> None:
        super().__init__()
        layers = tuple(range(1, depth + 1)) if layers is None else layers
        if any(not 1 <= layer <= depth for layer in layers):
            raise ValueError(f"adapted layers must lie in 1..{depth}, got {layers}")
        if tokens < 1 or form not in ADAPTER_FORMS:
            raise ValueError(f"an adapter has 1 or more tokens and a form of {ADAPTER_FORMS}, got {tokens}, {form!r}")
        self.residual = residual
        self.tokens = nn.ParameterDict(
            {f"layer_{layer}": nn.Parameter(torch.randn(tokens, width) * TOKEN_STD) for layer in layers}
        )
        self.mlp: nn.ModuleList | None = None
        if form == "rein":
            self.mlp = nn.ModuleList([nn.Linear(width, width), nn.Linear(width, width)])
            self.scale = nn.Parameter(torch.tensor(float(scale)))

    def forward(self, layer: int, x: Tensor) -> Tensor:
        """Adapt the tokens behind one layer.

        Args:
            layer: counted from 1; one that is not adapted passes x through.
            x: (n, T, d).
        Returns:
            (n, T, d).
        """
        if f"layer_{layer}" not in self.tokens:
            return x
        tokens = self.tokens[f"layer_{layer}"]
        attention = (x @ tokens.T / math.sqrt(x.shape[-1])).softmax(dim=-1)
        change: Tensor
        if self.mlp is None:
            change = attention @ tokens
        else:
            first, second = self.mlp
            change = self.scale * second(attention @ first(tokens) + x)
        return x + change if self.residual else change
