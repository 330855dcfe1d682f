"""What every anomaly detection method offers: layer maps at patch resolution.  All that follows is in `scoring`."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class AnomalyMethod(Protocol):
    """A method ready to be used."""

    @property
    def layers(self) -> tuple[int, ...]:
        """The L layers that the maps belong to, counted from 1."""

    def layer_maps(self, images: Tensor) -> Tensor:
        """Map normalised images (B, 3, H, W) to (B, L, gh, gw), float32, higher = more anomalous."""
