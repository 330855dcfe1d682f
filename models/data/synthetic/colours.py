"""Colours and light: from a map of values to a picture.  Colours are (3,) float32 in [0, 1]."""

from __future__ import annotations

import numpy as np

from models.data.synthetic.canvas import FloatMap

LUMINANCE = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def colour(rng: np.random.Generator, level: float) -> FloatMap:
    """A random colour, (3,), around a level of brightness; pale ones are more frequent than vivid ones."""
    chroma = rng.uniform(-1, 1, 3) * 0.35 * rng.random() ** 2
    return np.asarray(np.clip(level + chroma - chroma.mean(), 0.0, 1.0), dtype=np.float32)


def colourise(rng: np.random.Generator, value: FloatMap, contrast: tuple[float, float] = (0.15, 0.8)) -> FloatMap:
    """Turn a map of values into a picture by a ramp between two or three random colours.

    Args:
        value: (S, S) in [0, 1].
        contrast: the range of the brightness difference between the ramp's ends.
    Returns:
        (S, S, 3) in [0, 1].
    """
    gap = rng.uniform(*contrast)
    low = rng.uniform(0.04, 0.96 - gap)
    ends = [low, low + gap] if rng.random() < 0.75 else [low + gap, low]
    stops = [colour(rng, ends[0]), colour(rng, ends[1])]
    if rng.random() < 0.3:
        stops.insert(1, colour(rng, float(np.mean(ends))))
    positions = np.linspace(0, 1, len(stops))
    table = np.stack([np.interp(np.linspace(0, 1, 256), positions, [s[c] for s in stops]) for c in range(3)], axis=1)
    picture: FloatMap = table.astype(np.float32)[(np.clip(value, 0, 1) * 255).astype(np.uint8)]
    return picture


def relief(height: FloatMap, angle: float, strength: float) -> FloatMap:
    """Brightness factor of a surface lit from one side.

    Args:
        height: (S, S), in pixels.
    Returns:
        (S, S), around 1.
    """
    dy, dx = np.gradient(height)
    slope = np.cos(angle) * dx + np.sin(angle) * dy
    return np.asarray(np.clip(1.0 + strength * slope, 0.2, 1.8), dtype=np.float32)


def greyed(image: FloatMap) -> FloatMap:
    """The picture (S, S, 3) without colour."""
    return np.repeat(luminance(image)[..., None], 3, axis=2)


def luminance(image: FloatMap) -> FloatMap:
    """Brightness (S, S) of a picture (S, S, 3)."""
    grey: FloatMap = image @ LUMINANCE
    return grey
