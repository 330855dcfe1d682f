"""Normal surfaces made of cells: crystals, granite, marble, camouflage, bricks, tiles.  Their borders are no cracks."""

from __future__ import annotations

import numpy as np

from models.data.synthetic.canvas import FloatMap, LabelMap, Scene, log_uniform, pick_angle, turned_axes, whole
from models.data.synthetic.colours import colourise
from models.data.synthetic.noise import cells, fractal_noise, smooth_noise, unit_range, warped_axes


def cell_values(rng: np.random.Generator, index: LabelMap, count: int) -> FloatMap:
    """One random value in [0, 1] for each cell: spread evenly, in a few steps, or mostly alike."""
    values = rng.random(count, dtype=np.float32)
    kind = rng.integers(4)
    if kind == 0:
        values = (np.round(values * 4) / 4).astype(np.float32)
    elif kind == 1:
        values = 0.6 + 0.4 * values
        values[rng.random(count) < 0.2] *= 0.5
    picked: FloatMap = values.astype(np.float32)[index]
    return picked


def _tilts(rng: np.random.Generator, index: LabelMap, count: int, y: FloatMap, x: FloatMap) -> FloatMap:
    """A linear gradient of its own direction within each cell."""
    angle = rng.uniform(0, 2 * np.pi, count).astype(np.float32)
    return (np.cos(angle)[index] * (x % 1) + np.sin(angle)[index] * (y % 1)).astype(np.float32)


def polycrystal(rng: np.random.Generator, size_px: int) -> Scene:
    """Grains of random brightness, fine to coarse, ragged or straight, with gradients and strong grain of their own."""
    count = log_uniform(rng, 3, size_px / 8)
    raggedness = rng.choice([0.0, 0.1, 0.3]) / count
    y, x = warped_axes(rng, size_px, raggedness, rows=count * rng.uniform(1, 4))
    y, x = y * count, x * count * log_uniform(rng, 0.4, 2.5)
    grains = cells(rng, y, x, jitter=rng.uniform(0.7, 1.0))
    value = cell_values(rng, grains.index, grains.count)
    if rng.random() < 0.5:
        finer = cells(rng, y * 2.7, x * 2.7)
        value = 0.6 * value + 0.4 * cell_values(rng, finer.index, finer.count)
    value = value + rng.uniform(0, 0.4) * _tilts(rng, grains.index, grains.count, y, x)
    if rng.random() < 0.6:
        line = np.clip(1 - grains.border / rng.uniform(0.04, 0.15), 0, 1)
        value = value + line * rng.uniform(-0.7, 0.35)
    value = value + rng.uniform(0, 0.15) * fractal_noise(rng, size_px, count * 2, octaves=5, persistence=0.8)
    return whole(colourise(rng, unit_range(value.astype(np.float32)), contrast=(0.08, 0.7)))


def granite(rng: np.random.Generator, size_px: int) -> Scene:
    """Fine speckles of several minerals."""
    count = log_uniform(rng, 25, size_px / 2.5)
    y, x = warped_axes(rng, size_px, 0.4 / count, rows=count)
    grains = cells(rng, y * count, x * count, jitter=1.0)
    value = cell_values(rng, grains.index, grains.count)
    value = value + 0.25 * smooth_noise(rng, size_px, count / 3) * rng.random()
    return whole(colourise(rng, unit_range(value), contrast=(0.15, 0.8)))


def marble(rng: np.random.Generator, size_px: int) -> Scene:
    """Long soft veins, wide ones and hair-fine ones, over clouds."""
    along, across = turned_axes(size_px, rng.uniform(0, np.pi))
    field = across * rng.uniform(2, 6) + rng.uniform(0.1, 0.7) * fractal_noise(rng, size_px, 3, octaves=6)
    field = field + 0.3 * along
    veins = np.abs(np.sin(np.pi * field)) ** rng.uniform(0.2, 1.0)
    value = veins + rng.uniform(0, 0.3) * fractal_noise(rng, size_px, 5)
    return whole(colourise(rng, unit_range(value.astype(np.float32)), contrast=(0.1, 0.6)))


def camouflage(rng: np.random.Generator, size_px: int) -> Scene:
    """Irregular patches in three to six flat tones, sharp or soft at their borders."""
    ragged = rng.uniform(0.3, 0.7)
    field = unit_range(fractal_noise(rng, size_px, log_uniform(rng, 3, 25), octaves=5, persistence=ragged))
    steps = rng.integers(2, 6)
    level = field * steps
    sharp = rng.uniform(1, 12)
    value = np.floor(level) + np.clip((level % 1 - 0.5) * sharp + 0.5, 0, 1)
    order = rng.permutation(steps + 2).astype(np.float32)
    value = np.interp(value, np.arange(steps + 2), order).astype(np.float32)
    value = value + 0.1 * smooth_noise(rng, size_px, size_px / 2) * rng.random()
    return whole(colourise(rng, unit_range(value), contrast=(0.1, 0.7)))


def _laid(rng: np.random.Generator, size_px: int, rows: float, aspect: float, offset: float) -> Scene:
    """Blocks in courses with joints between them."""
    along, across = turned_axes(size_px, pick_angle(rng))
    wobble = rng.uniform(0, 0.04) / rows
    v = (across + wobble * smooth_noise(rng, size_px, rows * 3)) * rows + 500 + rng.random()
    u = (along + wobble * smooth_noise(rng, size_px, rows * 3)) * rows / aspect + 500 + np.floor(v) * offset
    block = (np.floor(u) * 7919 + np.floor(v) * 104729).astype(np.int64) % 997
    tone = rng.random(997, dtype=np.float32)[block] * rng.uniform(0, 0.4)
    gap = np.minimum(np.minimum(u % 1, 1 - u % 1) * aspect, np.minimum(v % 1, 1 - v % 1))
    joint = np.clip((gap - rng.uniform(0.02, 0.08)) * size_px / rows / 1.5, 0, 1)
    rough = rng.uniform(0.02, 0.2) * fractal_noise(rng, size_px, rows * 2, octaves=5, persistence=0.8)
    value = (0.6 + tone + rough) * joint + (1 - joint) * rng.uniform(0, 0.6)
    return whole(colourise(rng, np.clip(value, 0, 1).astype(np.float32), contrast=(0.2, 0.7)))


def bricks(rng: np.random.Generator, size_px: int) -> Scene:
    """Bricks in courses, each shifted against the one below."""
    return _laid(rng, size_px, log_uniform(rng, 4, 20), rng.uniform(1.6, 4), rng.choice([0.5, 0.33]))


def tiles(rng: np.random.Generator, size_px: int) -> Scene:
    """Square tiles with straight joints."""
    return _laid(rng, size_px, log_uniform(rng, 2, 16), rng.uniform(0.8, 1.3), 0.0)
