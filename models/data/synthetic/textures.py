"""Normal surfaces without parts: cloth, metal, wood, stone, leather, foam.  Each builder makes a map of values."""

from __future__ import annotations

import numpy as np

from models.data.synthetic.canvas import FloatMap, Scene, log_uniform, pick_angle, turned_axes, whole
from models.data.synthetic.colours import colourise, relief
from models.data.synthetic.noise import cells, enlarge, fractal_noise, smooth_noise, unit_range, warped_axes


def _directed(rng: np.random.Generator, size_px: int, along: float, across: float) -> FloatMap:
    """Streaks: noise that is coarse along one side of the picture and fine along the other."""
    upright = rng.random() < 0.5
    return smooth_noise(rng, size_px, along if upright else across, across if upright else along)


def _surface(rng: np.random.Generator, height: FloatMap, lit: float = 0.5) -> Scene:
    """Colour a height map in [0, 1]; with chance `lit`, light it from one side."""
    image = colourise(rng, height)
    if rng.random() < lit:
        factor = relief(height, rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 3.0))
        image = np.clip(image * factor[..., None], 0, 1)
    return whole(image)


def woven_fabric(rng: np.random.Generator, size_px: int) -> Scene:
    """Threads that go over and under each other, in plain, twill or satin order."""
    along, across = turned_axes(size_px, pick_angle(rng))
    wobble = np.float32(rng.uniform(0, 0.004))
    count = log_uniform(rng, 14, size_px / 5)
    u = (along + wobble * smooth_noise(rng, size_px, 8)) * count + 1000
    v = (across + wobble * smooth_noise(rng, size_px, 8)) * count * rng.uniform(0.7, 1.4) + 1000
    period, step = [(2, 1), (3, 1), (4, 1), (5, 2)][rng.integers(4)]
    over = (np.floor(u) * step + np.floor(v)) % period < 1
    thread_u, thread_v = np.abs(np.sin(np.pi * u)), np.abs(np.sin(np.pi * v))
    height = np.where(over, thread_u, thread_v * np.float32(rng.uniform(0.4, 1.0)))
    height = height * (1 + 0.15 * smooth_noise(rng, size_px, 4, size_px / 3))
    return _surface(rng, unit_range(height.astype(np.float32)), lit=0.3)


def knit(rng: np.random.Generator, size_px: int) -> Scene:
    """Columns of V-shaped stitches."""
    along, across = turned_axes(size_px, pick_angle(rng))
    count = log_uniform(rng, 8, size_px / 10)
    u = along * count + 0.06 * smooth_noise(rng, size_px, 5) + 1000
    fold = np.abs(2 * (u % 1) - 1)
    v = across * count * rng.uniform(0.8, 1.6) + fold * rng.uniform(0.4, 0.8)
    height = np.abs(np.sin(np.pi * v)) * (0.4 + 0.6 * np.sin(np.pi * (2 * u % 1)))
    return _surface(rng, unit_range(height + 0.08 * smooth_noise(rng, size_px, size_px / 2)), lit=0.3)


def brushed_metal(rng: np.random.Generator, size_px: int) -> Scene:
    """Fine streaks in one direction."""
    streaks = _directed(rng, size_px, rng.uniform(1, 8), size_px / rng.uniform(1, 3))
    value = streaks + 0.6 * _directed(rng, size_px, 3, size_px / 8) * rng.random() + smooth_noise(rng, size_px, 2)
    return whole(colourise(rng, unit_range(value), contrast=(0.08, 0.4)))


def wood(rng: np.random.Generator, size_px: int) -> Scene:
    """Year rings cut lengthwise, with fibres."""
    along, across = turned_axes(size_px, pick_angle(rng))
    bend = 0.06 * smooth_noise(rng, size_px, 2, 2) * rng.random() + 0.01 * smooth_noise(rng, size_px, 6)
    rings = (across + bend + 0.1 * along * rng.uniform(-1, 1)) * log_uniform(rng, 5, 40)
    value = (rings % 1) ** rng.uniform(0.7, 3) * rng.uniform(0.3, 1) + 0.15 * smooth_noise(rng, size_px, size_px / 2)
    value = value + 0.3 * smooth_noise(rng, size_px, 4) * rng.random()
    return whole(colourise(rng, unit_range(value.astype(np.float32)), contrast=(0.12, 0.5)))


def concrete(rng: np.random.Generator, size_px: int) -> Scene:
    """Clouds, grain and small pores."""
    value = fractal_noise(rng, size_px, log_uniform(rng, 2, 12), octaves=6, persistence=rng.uniform(0.5, 0.9))
    pores = smooth_noise(rng, size_px, size_px / rng.uniform(2, 6))
    value = value - np.clip(pores - rng.uniform(1.8, 3), 0, 1.5) * rng.uniform(0, 2)
    return _surface(rng, unit_range(value), lit=0.4)


def leather(rng: np.random.Generator, size_px: int) -> Scene:
    """Bulges between wrinkles."""
    count = log_uniform(rng, 12, size_px / 6)
    y, x = warped_axes(rng, size_px, 0.25 / count, rows=count)
    border = cells(rng, y * count, x * count * rng.uniform(0.6, 1.6)).border
    height = np.clip(border / rng.uniform(0.3, 0.9), 0, 1) + 0.1 * fractal_noise(rng, size_px, count * 2)
    return _surface(rng, unit_range(height), lit=0.7)


def carpet(rng: np.random.Generator, size_px: int) -> Scene:
    """A pile of tufts at the scale of a few pixels, with soft lanes."""
    tufts = smooth_noise(rng, size_px, size_px / rng.uniform(2, 6))
    lanes = _directed(rng, size_px, 2, rng.uniform(8, 30)) * rng.random()
    return whole(colourise(rng, unit_range(tufts + 0.5 * lanes), contrast=(0.1, 0.6)))


def sandpaper(rng: np.random.Generator, size_px: int) -> Scene:
    """Strong grain of independent pixels or small clumps, brighter and darker."""
    value = rng.standard_normal((size_px, size_px), dtype=np.float32)
    coarse = smooth_noise(rng, size_px, size_px / rng.uniform(1.5, 5))
    value = value * rng.random() + coarse + 0.4 * smooth_noise(rng, size_px, rng.uniform(2, 8)) * rng.random()
    return whole(colourise(rng, unit_range(value), contrast=(0.2, 0.9)))


def perforated_sheet(rng: np.random.Generator, size_px: int) -> Scene:
    """Round or square holes in rows, straight or staggered."""
    along, across = turned_axes(size_px, pick_angle(rng))
    count = log_uniform(rng, 5, size_px / 10)
    v = across * count + 500
    u = along * count + 500 + (0.5 * (np.floor(v) % 2) if rng.random() < 0.5 else 0)
    dx, dy = np.abs(u % 1 - 0.5), np.abs(v % 1 - 0.5)
    distance = np.hypot(dx, dy) if rng.random() < 0.7 else np.maximum(dx, dy)
    sheet = np.clip((distance - rng.uniform(0.15, 0.36)) * size_px / count / 1.5 + 0.5, 0, 1)
    value = sheet * 0.8 + 0.07 * fractal_noise(rng, size_px, 4, octaves=5, persistence=0.8)
    return _surface(rng, np.clip(value + 0.1, 0, 1).astype(np.float32), lit=0.3)


def foam(rng: np.random.Generator, size_px: int) -> Scene:
    """Bubbles of many sizes with bright walls."""
    count = log_uniform(rng, 8, size_px / 8)
    y, x = warped_axes(rng, size_px, 0.3 / count, rows=count / 2)
    pores = cells(rng, y * count, x * count)
    depth = np.asarray(rng.random(pores.count), dtype=np.float32)[pores.index]
    height = np.clip(pores.nearest, 0, 1) * (0.4 + 0.6 * depth) + 0.2 * (pores.border < 0.1)
    return _surface(rng, unit_range(height.astype(np.float32)), lit=0.4)


def paper(rng: np.random.Generator, size_px: int) -> Scene:
    """Almost plain, with faint fibres and clouds."""
    value = fractal_noise(rng, size_px, log_uniform(rng, 3, 40), octaves=5, persistence=rng.uniform(0.6, 1.0))
    return whole(colourise(rng, unit_range(value), contrast=(0.02, 0.15)))


def plasma(rng: np.random.Generator, size_px: int) -> Scene:
    """Clouds from coarse to fine, of any contrast."""
    value = fractal_noise(rng, size_px, log_uniform(rng, 1, 30), octaves=6, persistence=rng.uniform(0.3, 0.9))
    if rng.random() < 0.3:
        value = np.abs(value)
    return _surface(rng, unit_range(value), lit=0.2)


def strokes(rng: np.random.Generator, size_px: int) -> Scene:
    """Short hairs or blades that all lean about the same way."""
    lean = smooth_noise(rng, size_px, 3) * rng.uniform(0, 0.05)
    fine = rng.standard_normal((size_px // 10 + 2, size_px), dtype=np.float32)
    field = enlarge(fine, size_px)
    shift = (lean * size_px + np.arange(size_px)[:, None] * rng.uniform(-0.5, 0.5)).astype(np.int32)
    columns = (np.arange(size_px)[None, :] + shift) % size_px
    value = np.take_along_axis(field, columns, axis=1)
    if rng.random() < 0.5:
        value = np.ascontiguousarray(value.T)
    return whole(colourise(rng, unit_range(value)))
