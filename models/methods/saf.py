"""Self-alignment function (SAF): brings one layer's patch tokens into the space where they meet the two tokens.

Source: VisualAD, arXiv:2603.07952, eq. 20 to 24 and Table 8, which compares the five forms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Literal, get_args

from torch import Tensor, nn

SafVariant = Literal["none", "linear", "mlp", "mlp_residual", "adapter", "leaky_relu"]

SAF_VARIANTS: Final[tuple[SafVariant, ...]] = get_args(SafVariant)
_BOTTLENECK: Final = 4  # the paper names a bottleneck and no width: a quarter is what adapters customarily have


class SelfAlignment(nn.Module):
    """One layer's alignment, d -> d; the default is the MLP without a residual of eq. 21.

    Args:
        width: d.
        variant: "linear" (eq. 20), "mlp" (21), "mlp_residual" (22), "adapter" (23: an MLP through d / 4), "leaky_relu"
            (24: the MLP with slope 0.01 in place of GELU), or "none", which leaves patch tokens as they are.
        dropout: after every linear layer.
    Raises:
        ValueError: there is no such variant.
    """

    def __init__(self, width: int, variant: SafVariant = "mlp", dropout: float = 0.1) -> None:
        super().__init__()
        if variant not in _BUILDERS:
            raise ValueError(f"there is no SAF {variant!r}; choose one of {', '.join(_BUILDERS)}")
        self.residual = variant == "mlp_residual"
        self.mlp = nn.Sequential(*_BUILDERS[variant](width, dropout))
        for layer in self.mlp:
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(self, patch_tokens: Tensor) -> Tensor:
        """Align patch tokens: (B, N, d) to (B, N, d)."""
        aligned: Tensor = self.mlp(patch_tokens)
        return patch_tokens + aligned if self.residual else aligned


def _linear(width: int, dropout: float) -> list[nn.Module]:
    return [nn.Linear(width, width), nn.Dropout(dropout)]


def _mlp(width: int, dropout: float, hidden: int, activation: nn.Module) -> list[nn.Module]:
    return [
        nn.Linear(width, hidden), activation, nn.Dropout(dropout), nn.Linear(hidden, width), nn.Dropout(dropout)
    ]  # fmt: skip


_BUILDERS: Final[Mapping[str, Callable[[int, float], list[nn.Module]]]] = MappingProxyType(
    {
        "none": lambda width, dropout: [],
        "linear": _linear,
        "mlp": lambda width, dropout: _mlp(width, dropout, width, nn.GELU()),
        "mlp_residual": lambda width, dropout: _mlp(width, dropout, width, nn.GELU()),
        "adapter": lambda width, dropout: _mlp(width, dropout, width // _BOTTLENECK, nn.GELU()),
        "leaky_relu": lambda width, dropout: _mlp(width, dropout, width, nn.LeakyReLU(0.01)),
    }
)
