"""Pictures for tests of the reference panel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def drawn(folder: Path, name: str, level: int, spot: int | None = None, size_hw: tuple[int, int] = (56, 56)) -> str:
    """The path of a grey picture; `spot` is the grey of its upper left quarter."""
    rgb = np.full((*size_hw, 3), level, dtype=np.uint8)
    if spot is not None:
        rgb[: size_hw[0] // 2, : size_hw[1] // 2] = spot
    Image.fromarray(rgb).save(folder / name)
    return str(folder / name)
