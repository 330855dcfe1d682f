"""A method that knows nothing by itself: its maps are distances to references, which whoever has them works out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from torch import Tensor

from models.backbones import Backbone
from models.errors import DataError
from models.presets import NEEDS_REFERENCES


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceOnly:
    """Stands for the nearest patch where a method is asked for; implements AnomalyMethod."""

    backbone: Backbone
    layers: tuple[int, ...]  # counted from 1
    branches: tuple[str, ...] = ("map",)
    name: str = "Nearest patch"

    def maps(self, images: Tensor) -> NoReturn:
        """Refuse.

        Raises:
            DataError: always, saying what is missing.
        """
        raise DataError(NEEDS_REFERENCES.format(method=self.name))
