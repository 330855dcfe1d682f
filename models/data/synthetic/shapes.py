"""Outlines of parts as signed distances.  Coordinates run over [-1, 1]; a distance is negative inside the part."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from models.data.synthetic.canvas import FloatMap

Outline = Callable[[np.random.Generator, FloatMap, FloatMap], FloatMap]


def _box(x: FloatMap, y: FloatMap, wide: float, high: float, corner: float) -> FloatMap:
    dx, dy = np.abs(x) - (wide - corner), np.abs(y) - (high - corner)
    outside = np.hypot(np.maximum(dx, 0), np.maximum(dy, 0))
    distance: FloatMap = (outside + np.minimum(np.maximum(dx, dy), 0) - corner).astype(np.float32)
    return distance


def rounded_box(rng: np.random.Generator, y: FloatMap, x: FloatMap) -> FloatMap:
    """A box of any proportion with rounded corners."""
    high = rng.uniform(0.4, 0.92)
    return _box(x, y, 0.92, high, rng.uniform(0.02, 0.9) * high)


def disc(rng: np.random.Generator, y: FloatMap, x: FloatMap) -> FloatMap:
    """A round plate, sometimes slightly oval."""
    return np.asarray(np.hypot(x, y * rng.uniform(1, 1.2)) - 0.9, dtype=np.float32)


def ring(rng: np.random.Generator, y: FloatMap, x: FloatMap) -> FloatMap:
    """A washer or tube end."""
    inner = rng.uniform(0.3, 0.75)
    middle, half = (0.92 + inner) / 2, (0.92 - inner) / 2
    return np.asarray(np.abs(np.hypot(x, y) - middle) - half, dtype=np.float32)


def nut(rng: np.random.Generator, y: FloatMap, x: FloatMap) -> FloatMap:
    """A hexagon with a round hole."""
    sides = [np.abs(np.cos(a) * x + np.sin(a) * y) for a in (0, np.pi / 3, 2 * np.pi / 3)]
    hexagon = np.maximum(np.maximum(sides[0], sides[1]), sides[2]) - np.float32(0.8)
    return np.asarray(np.maximum(hexagon, np.float32(rng.uniform(0.25, 0.5)) - np.hypot(x, y)), dtype=np.float32)


def gear(rng: np.random.Generator, y: FloatMap, x: FloatMap) -> FloatMap:
    """A toothed wheel with a bore."""
    teeth = np.clip(np.sin(np.arctan2(y, x) * rng.integers(8, 25)) * 3, -1, 1)
    rim = np.hypot(x, y) - (np.float32(0.82) + np.float32(0.08) * teeth)
    return np.asarray(np.maximum(rim, np.float32(rng.uniform(0.1, 0.45)) - np.hypot(x, y)), dtype=np.float32)


def capsule(rng: np.random.Generator, y: FloatMap, x: FloatMap) -> FloatMap:
    """A long part with round ends."""
    high = rng.uniform(0.2, 0.45)
    return _box(x, y, 0.92, high, high)


def bottle(rng: np.random.Generator, y: FloatMap, x: FloatMap) -> FloatMap:
    """A body with a neck, lying or standing."""
    high = rng.uniform(0.35, 0.6)
    body = _box(x + np.float32(0.2), y, 0.7, high, 0.6 * high)
    neck = _box(x - np.float32(0.6), y, 0.33, high * rng.uniform(0.3, 0.6), 0.04)
    return np.minimum(body, neck)


def bolt(rng: np.random.Generator, y: FloatMap, x: FloatMap) -> FloatMap:
    """A head and a threaded shank."""
    head = _box(x + np.float32(0.7), y, 0.2, rng.uniform(0.4, 0.6), 0.05)
    thread = np.float32(0.03) * np.sin(x * np.float32(rng.uniform(30, 60)))
    return np.minimum(head, _box(x - np.float32(0.2), y + thread, 0.72, rng.uniform(0.15, 0.3), 0.03))


def bracket(rng: np.random.Generator, y: FloatMap, x: FloatMap) -> FloatMap:
    """Two arms at a right angle."""
    thick = rng.uniform(0.15, 0.3)
    foot = _box(x, y - np.float32(0.9 - thick), 0.9, thick, 0.05)
    return np.minimum(foot, _box(x + np.float32(0.9 - thick), y, thick, 0.9, 0.05))


def chamfered_square(rng: np.random.Generator, y: FloatMap, x: FloatMap) -> FloatMap:
    """A square whose corners are cut off straight or round."""
    cut = rng.uniform(1.2, 1.75)
    corner = (np.abs(x) + np.abs(y)) - cut if rng.random() < 0.5 else np.hypot(x, y) - cut * 0.75
    return np.maximum(np.maximum(np.abs(x), np.abs(y)) - np.float32(0.94), corner).astype(np.float32)


def star_knob(rng: np.random.Generator, y: FloatMap, x: FloatMap) -> FloatMap:
    """A wheel with round lobes and a hub."""
    lobes = np.cos(np.arctan2(y, x) * rng.integers(3, 8)) * rng.uniform(0.08, 0.2)
    return (np.hypot(x, y) - np.float32(0.7) - lobes).astype(np.float32)


def button(rng: np.random.Generator, y: FloatMap, x: FloatMap) -> FloatMap:
    """A disc with two or four small holes."""
    outside = np.hypot(x, y) - np.float32(0.9)
    away, radius = rng.uniform(0.2, 0.4), rng.uniform(0.08, 0.14)
    for k in range(int(rng.choice([2, 4]))):
        hole = np.hypot(x - away * np.cos(k * np.pi / 2), y - away * np.sin(k * np.pi / 2))
        outside = np.maximum(outside, radius - hole)
    return outside.astype(np.float32)


def key(rng: np.random.Generator, y: FloatMap, x: FloatMap) -> FloatMap:
    """A bow with a hole, a blade and notches."""
    bow = np.abs(np.hypot(x + np.float32(0.55), y) - np.float32(0.26)) - np.float32(0.12)
    blade = _box(x - np.float32(0.3), y, 0.62, 0.1, 0.02)
    teeth = [_box(x - np.float32(a), y - np.float32(0.2), 0.05, 0.14, 0.01) for a in rng.uniform(0.3, 0.88, 4)]
    return np.asarray(np.minimum.reduce([bow, blade, *teeth]), dtype=np.float32)


def blade(rng: np.random.Generator, y: FloatMap, x: FloatMap) -> FloatMap:
    """A long leaf that tapers to both ends."""
    half = rng.uniform(0.15, 0.35)
    return (np.abs(y) + half * (np.abs(x) / 0.92) ** 3 - half).astype(np.float32)
