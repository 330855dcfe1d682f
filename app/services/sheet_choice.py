"""Which test pictures a figure shows: a few of each class are kept while all of them go by."""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from typing import Final

from app.services.inspection import FloatMaps
from app.services.tiled import shrunk
from models.data.datasets import Sample

PANEL_PX: Final = 160  # side of a panel of the figure; maps are kept at this size


@dataclass(frozen=True, slots=True, eq=False)
class SeenPicture:
    """A test picture that will be drawn, with what the measured model said of it."""

    sample: Sample
    anomaly_map: FloatMaps  # (PANEL_PX, PANEL_PX)
    score: float
    order: float  # lower goes first among those of its kind


@dataclass(slots=True)
class SheetChoice:
    """Keeps at most twice `columns` pictures of each class, whatever goes by.

    By default the first anomalous pictures are drawn, by name, and then the first normal ones where there are columns
    left.  With `worst` the errors go first: the normal picture of the highest score, the anomalous one of the lowest,
    the second of each, and so on.  They are the nearest to an error where there is none.
    """

    columns: int = 8
    worst: bool = False
    _kept: dict[str, tuple[list[SeenPicture], list[SeenPicture]]] = field(default_factory=dict)
    _count: int = 0

    def add(self, sample: Sample, anomaly_map: FloatMaps, score: float) -> None:
        """Let a picture go by; by name within a class.

        Args:
            sample: which.
            anomaly_map: (H, W), at any size.
            score: of the picture.
        """
        self._count += 1
        error = -score if sample.is_anomalous else score
        order = -error if self.worst else float(self._count)
        kept = self._kept.setdefault(sample.class_name, ([], []))[int(sample.is_anomalous)]
        if len(kept) == self.columns and order >= kept[-1].order:
            return
        small = shrunk(anomaly_map, (PANEL_PX, PANEL_PX))
        insort(kept, SeenPicture(sample, small, score, order), key=lambda seen: seen.order)
        del kept[self.columns :]

    def chosen(self) -> dict[str, tuple[SeenPicture, ...]]:
        """The pictures of each class in the order of their columns."""
        return {name: self._columns(*kinds) for name, kinds in self._kept.items()}

    def _columns(self, normal: list[SeenPicture], anomalous: list[SeenPicture]) -> tuple[SeenPicture, ...]:
        if not self.worst:
            return tuple([*anomalous, *normal][: self.columns])
        pairs = chain.from_iterable(zip_longest(normal, anomalous))
        return tuple(seen for seen in pairs if seen is not None)[: self.columns]
