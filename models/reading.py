"""How a method's maps are read: how layers are joined and how a picture is scored.  Plain records; no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Joining = Literal["sum", "mean"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What belongs to a method and is no choice of the user's."""

    joining: Joining = "sum"  # how the chosen layers' maps become one
    # Pixels: mean of the highest.  Patches: half the mean of the highest, half the global score.  Global: that alone.
    score: Literal["pixels", "patches", "global"] = "pixels"
    layer_range: tuple[float, float] = (-2.0, 2.0)  # of a single layer's map

    @property
    def gives_probabilities(self) -> bool:
        """Whether maps and scores are probabilities, whose differences count in log-odds."""
        return self.layer_range == (0.0, 1.0)

    def fused_range(self, layer_count: int) -> tuple[float, float]:
        """The range of the fused map of so many layers."""
        factor = layer_count if self.joining == "sum" else 1
        return self.layer_range[0] * factor, self.layer_range[1] * factor


@dataclass(frozen=True, slots=True, eq=False)
class PictureMaps:
    """What one forward pass leaves of one picture, as numbers."""

    branch_maps: npt.NDArray[np.float32]  # (R, L, gh, gw); R in the order of the method's branches
    global_score: float | None = None  # anomaly probability of the whole picture; None: the method gives none

    @property
    def nbytes(self) -> int:
        """What the maps hold."""
        return self.branch_maps.nbytes
