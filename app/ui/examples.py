"""Pictures to try at once: those in assets/examples, and cells of elpv where that package is installed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from models.errors import DataError
from models.evaluation.elpv import find_elpv

EXAMPLES_DIR: Final = Path(__file__).resolve().parents[2] / "assets" / "examples"
# Read from the installed package, never copied into this project; the labels are what a person sees there.
_ELPV_CELLS: Final = MappingProxyType(
    {"cell0040.png": "solar cell, broken", "cell0018.png": "solar cell, cracked", "cell0009.png": "solar cell, intact"}
)
_SUFFIXES: Final = (".png", ".jpg")


@dataclass(frozen=True, slots=True)
class Example:
    """One picture to try."""

    path: Path
    label: str


def find_examples() -> tuple[Example, ...]:
    """All examples that exist here, solar cells first."""
    shipped = sorted(path for path in EXAMPLES_DIR.glob("*") if path.suffix in _SUFFIXES)
    return (*_elpv_examples(), *(Example(path, path.stem.replace("_", " ")) for path in shipped))


def elpv_folder() -> Path | None:
    """The folder of elpv's pictures, or None where the package is not installed."""
    try:
        return find_elpv() / "images"
    except DataError:
        return None


def _elpv_examples() -> tuple[Example, ...]:
    folder = elpv_folder()
    if folder is None:
        return ()
    return tuple(Example(folder / name, label) for name, label in _ELPV_CELLS.items() if (folder / name).is_file())
