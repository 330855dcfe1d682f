"""What every picture of the synthetic world is painted with.  Arrays are (S, S) or (S, S, 3) float32 in [0, 1]."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatMap = NDArray[np.float32]  # (S, S), or (S, S, 3) for a picture
BoolMap = NDArray[np.bool_]
LabelMap = NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A normal picture with what an anomaly has to know about it."""

    image: FloatMap  # (S, S, 3)
    foreground: BoolMap  # (S, S); where an anomaly belongs
    backdrop: FloatMap | None = None  # (S, S, 3); what would be seen without the parts
    parts: LabelMap | None = None  # (S, S); 0 = no part, 1.. = one removable part each
    is_orderly: bool = True  # whether a part that is turned, moved or absent breaks the order of the others
    is_grey: bool = False  # whether all that is added must be grey too


@dataclass(frozen=True, slots=True, eq=False)
class Paint:
    """One anomaly before it is laid over its scene."""

    image: FloatMap  # (S, S, 3)
    alpha: FloatMap  # (S, S); 0 = the scene stays as it is


NormalBuilder = Callable[[np.random.Generator, int], Scene]
AnomalyBuilder = Callable[[np.random.Generator, Scene], Paint]


def whole(image: FloatMap) -> Scene:
    """A scene that is surface everywhere."""
    return Scene(image=image, foreground=np.ones(image.shape[:2], dtype=np.bool_))


def axes(size_px: int) -> tuple[FloatMap, FloatMap]:
    """Row and column coordinates of the pixel centres, in picture widths.

    Returns:
        y and x, each (S, S), in (0, 1).
    """
    line = ((np.arange(size_px) + 0.5) / size_px).astype(np.float32)
    y, x = np.meshgrid(line, line, indexing="ij")
    return y, x


def turned_axes(size_px: int, angle: float) -> tuple[FloatMap, FloatMap]:
    """Coordinates along and across a direction, in picture widths, zero in the middle.

    Args:
        angle: radians, counted from the column axis.
    Returns:
        along and across, each (S, S).
    """
    y, x = axes(size_px)
    x, y = x - 0.5, y - 0.5
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return cos * x + sin * y, cos * y - sin * x


def coverage(distance: FloatMap, softness: float) -> FloatMap:
    """How much of each pixel lies inside a shape, from the signed distance to its border (negative inside).

    Args:
        softness: width of the border, in the unit of `distance`.
    """
    inside: FloatMap = np.clip(0.5 - distance / max(softness, 1e-6), 0.0, 1.0)
    return inside


def blend(below: FloatMap, above: FloatMap, alpha: FloatMap) -> FloatMap:
    """Lay a picture (S, S, 3), or one colour (3,), over another with opacity (S, S)."""
    return below + (above - below) * alpha[..., None]


def pick_angle(rng: np.random.Generator) -> float:
    """A direction in radians: along the picture's sides more often than chance would have it."""
    if rng.random() < 0.6:
        return float(rng.integers(2) * np.pi / 2)
    return float(rng.uniform(0, np.pi))


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number whose logarithm is uniform, so that small sizes are as frequent as large ones.

    Where a small picture leaves no room between `low` and `high`, the answer is `low`.
    """
    return float(np.exp(rng.uniform(np.log(low), np.log(max(low, high)))))
