"""What every anomaly detection method offers: maps at patch resolution.  All that follows is in `scoring`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from torch import Tensor

if TYPE_CHECKING:
    from models.backbones import Backbone
    from models.methods.prompts import PromptSet


@dataclass(frozen=True, slots=True, eq=False)
class MethodMaps:
    """What one forward pass leaves of B pictures; everything that follows is arithmetic on it."""

    branch_maps: Tensor  # (B, R, L, gh, gw) float32, higher = more anomalous; R in the order of the method's branches
    global_scores: Tensor | None = None  # (B,) in [0, 1], anomaly probability of the whole picture; None: there is none


class AnomalyMethod(Protocol):
    """A method ready to be used."""

    @property
    def layers(self) -> tuple[int, ...]:
        """The L layers that the maps belong to, counted from 1."""

    @property
    def branches(self) -> tuple[str, ...]:
        """The R kinds of map that each layer has: ("map",), or ("static", "refined")."""

    @property
    def backbone(self) -> Backbone:
        """The vision transformer that looks; what the method costs is told as a share of its time."""

    def maps(self, images: Tensor) -> MethodMaps:
        """Map normalised images (B, 3, H, W), without gradients."""


@runtime_checkable
class TextMethod(Protocol):
    """A method that compares pictures with words, which can be changed."""

    def with_prompts(self, prompts: PromptSet) -> AnomalyMethod:
        """The same method with other words; towers and trained weights are shared.

        Raises:
            DataError: a text does not fit into the text tower.
        """
