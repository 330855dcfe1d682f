"""The ELPV solar cells as the installed package `elpv-dataset` carries them.  For evaluation only, never for training.

Only what its authors were sure of is used: cells with defect probability 0 against cells with probability 1;
monocrystalline and polycrystalline cells are two groups.  The package's files are read; its code never runs.
Source: Deitsch et al., Automatic Classification of Defective Photovoltaic Module Cells in Electroluminescence Images,
Solar Energy 2019, arXiv:1807.02894; Apache-2.0 (code), CC BY-NC-SA 4.0 (pictures).
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from models.errors import DataError

CELL_TYPES: Final = ("mono", "poly")
_HOW_TO_GET: Final = "run `pip install elpv-dataset`"


@dataclass(frozen=True, slots=True, kw_only=True)
class ElpvCell:
    """One solar cell with a sure label."""

    path: Path
    anomalous: bool  # defect probability 1; else 0
    cell_type: str  # one of CELL_TYPES


def find_elpv() -> Path:
    """Find the data folder of the installed package; nothing of the package is imported.

    Returns:
        The folder that holds labels.csv and images/.
    Raises:
        DataError: the package is not installed.
    """
    spec = find_spec("elpv_dataset")
    if spec is None or not spec.submodule_search_locations:
        raise DataError(f"The solar cells (elpv-dataset) are not installed; {_HOW_TO_GET}.")
    return Path(next(iter(spec.submodule_search_locations))) / "data"


def read_cells(folder: Path, cell_types: tuple[str, ...] = CELL_TYPES) -> list[ElpvCell]:
    """List the cells with a sure label, in the file's order; no picture is opened.

    Args:
        folder: holds labels.csv with lines "PATH PROBABILITY TYPE", paths relative to the folder.
        cell_types: which groups to keep.
    Returns:
        The cells whose probability is exactly 0 or 1.
    Raises:
        DataError: a cell type does not exist, or labels.csv is missing or not what it should be.
    """
    unknown = [name for name in cell_types if name not in CELL_TYPES]
    if unknown or not cell_types:
        raise DataError(
            f"There are no solar cells of type {', '.join(unknown)!r}; choose from: {', '.join(CELL_TYPES)}."
        )
    labels = folder / "labels.csv"
    try:
        lines = labels.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{labels} cannot be read; {_HOW_TO_GET} again.") from error
    rows = [_parse(line, labels) for line in lines if line.strip()]
    return [
        ElpvCell(path=folder / name, anomalous=probability == 1.0, cell_type=cell_type)
        for name, probability, cell_type in rows
        if probability in (0.0, 1.0) and cell_type in cell_types
    ]


def limited(cells: list[ElpvCell], limit: int | None) -> list[ElpvCell]:
    """Keep at most so many cells of each type and label, evenly spread over the list; for quick looks.

    Args:
        cells: in any order, which is kept.
        limit: how many normal and how many anomalous cells of each type, at least 1; None keeps all.
    """
    if limit is None:
        return cells
    members: dict[tuple[str, bool], list[int]] = {}
    for index, cell in enumerate(cells):
        members.setdefault((cell.cell_type, cell.anomalous), []).append(index)
    kept = {
        group[step * len(group) // min(limit, len(group))]
        for group in members.values()
        for step in range(min(limit, len(group)))
    }
    return [cell for index, cell in enumerate(cells) if index in kept]


def _parse(line: str, labels: Path) -> tuple[str, float, str]:
    try:
        name, probability, cell_type = line.split()
        return name, float(probability), cell_type
    except ValueError as error:
        raise DataError(f"{labels} has a line that is not PATH PROBABILITY TYPE ({line[:60]!r}).") from error
