"""What every reader gives: samples, in a fixed order, with paths only; no picture is opened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from models.data.pictures import SUFFIXES
from models.errors import DataError

Split = Literal["train", "test"]

# Asking for each is faster than listing a large folder for every picture in it.
_MASK_SUFFIXES: Final = tuple(
    suffix for lower in (".png", *sorted(SUFFIXES - {".png"})) for suffix in (lower, lower.upper())
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture of a data set."""

    path: Path
    class_name: str  # the kind of object: "bottle", "brain"
    split: Split
    is_anomalous: bool
    defect: str = ""  # the kind of anomaly where the set names it; "" for normal pictures
    mask_path: Path | None = None  # None: normal, or nobody marked the pixels


@dataclass(frozen=True, slots=True)
class DataSet:
    """All samples of a set."""

    name: str  # of the layout and, for general layouts, the folder
    samples: tuple[Sample, ...]

    @property
    def class_names(self) -> tuple[str, ...]:
        """The kinds of objects, in order."""
        return tuple(sorted({sample.class_name for sample in self.samples}))

    @property
    def has_masks(self) -> bool:
        """Whether pixel metrics can be had: every anomalous picture has a mask."""
        anomalous = [sample for sample in self.samples if sample.is_anomalous]
        return bool(anomalous) and all(sample.mask_path is not None for sample in anomalous)

    def of(self, *, split: Split | None = None, class_names: Iterable[str] | None = None) -> DataSet:
        """The part of the set that is asked for.

        Raises:
            DataError: there is no such class.
        """
        wanted = None if class_names is None else set(class_names)
        unknown = sorted((wanted or set()) - set(self.class_names))
        if unknown:
            raise DataError(
                f"{self.name} has no class {', '.join(unknown)}; choose among {', '.join(self.class_names)}."
            )
        kept = (
            sample
            for sample in self.samples
            if (split is None or sample.split == split) and (wanted is None or sample.class_name in wanted)
        )
        return DataSet(self.name, tuple(kept))

    def counts(self) -> dict[tuple[str, Split], Counter[str]]:
        """How many pictures are "normal", "anomalous" and "masked", per class and split."""
        table: dict[tuple[str, Split], Counter[str]] = {}
        for sample in self.samples:
            counter = table.setdefault((sample.class_name, sample.split), Counter())
            counter["anomalous" if sample.is_anomalous else "normal"] += 1
            counter["masked"] += sample.mask_path is not None
        return dict(sorted(table.items()))


def pictures_in(folder: Path) -> list[Path]:
    """The pictures right inside a folder, by file ending and in order; none where there is no such folder."""
    if not folder.is_dir():
        return []
    return sorted(
        path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )


def need(*paths: Path) -> None:
    """Refuse a folder that lacks one of the paths that its layout has.

    Raises:
        DataError: names the first one that is missing.
    """
    for path in paths:
        if not path.exists():
            raise DataError(f"{path} is missing; check that this is the set's own, unpacked folder.")


def find_mask(folder: Path, stems: Iterable[str]) -> Path | None:
    """The first picture in a folder with one of these names, whatever its ending."""
    for stem in stems:
        for suffix in _MASK_SUFFIXES:
            if (folder / f"{stem}{suffix}").is_file():
                return folder / f"{stem}{suffix}"
    return None
