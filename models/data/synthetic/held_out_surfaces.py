"""Normal surfaces that no training picture shows: they measure what carries over to unseen kinds."""

from __future__ import annotations

import numpy as np

from models.data.synthetic.canvas import Scene, axes, blend, coverage, log_uniform, pick_angle, turned_axes, whole
from models.data.synthetic.colours import colour, colourise, relief
from models.data.synthetic.mosaics import cell_values
from models.data.synthetic.noise import cells, fractal_noise, smooth_noise, unit_range, warped_axes


def terrazzo(rng: np.random.Generator, size_px: int) -> Scene:
    """Stone chips of many tones in a plain binder."""
    count = log_uniform(rng, 8, size_px / 10)
    y, x = warped_axes(rng, size_px, 0.1 / count, rows=count * 2)
    chips = cells(rng, y * count, x * count, jitter=1.0)
    chip = coverage(rng.uniform(0.15, 0.4) - chips.border, 2 * count / size_px)
    stones = colourise(rng, cell_values(rng, chips.index, chips.count))
    return whole(blend(np.broadcast_to(colour(rng, rng.uniform(0.1, 0.9)), stones.shape), stones, chip))


def striated_crystal(rng: np.random.Generator, size_px: int) -> Scene:
    """Long grains, each with stripes in its own direction and a tone of its own."""
    count = log_uniform(rng, 3, 14)
    y, x = warped_axes(rng, size_px, 0.15 / count, rows=count * 3)
    grains = cells(rng, y * count, x * count * rng.uniform(0.3, 0.6), jitter=1.0)
    angle = rng.uniform(0, np.pi, grains.count).astype(np.float32)[grains.index]
    stripes = np.sin((np.cos(angle) * x + np.sin(angle) * y) * np.float32(log_uniform(rng, 60, 300)))
    value = cell_values(rng, grains.index, grains.count) + rng.uniform(0, 0.25) * stripes
    value = value + 0.05 * fractal_noise(rng, size_px, 30, octaves=3, persistence=0.9)
    return whole(colourise(rng, unit_range(value.astype(np.float32)), contrast=(0.1, 0.6)))


def honeycomb(rng: np.random.Generator, size_px: int) -> Scene:
    """Six-sided cells between thin walls."""
    along, across = turned_axes(size_px, pick_angle(rng))
    count = log_uniform(rng, 5, size_px / 14)
    directions = [np.cos(a) * along + np.sin(a) * across for a in (0, np.pi / 3, 2 * np.pi / 3)]
    waves = [np.cos(2 * np.pi * count * direction) for direction in directions]
    value = np.clip((waves[0] + waves[1] + waves[2]) * rng.uniform(0.5, 1.5), -1, 1)
    value = value + 0.1 * fractal_noise(rng, size_px, 20, octaves=3)
    return whole(colourise(rng, unit_range(value.astype(np.float32))))


def corrugated(rng: np.random.Generator, size_px: int) -> Scene:
    """Wavy ribs that catch the light."""
    along, across = turned_axes(size_px, pick_angle(rng))
    sway = rng.uniform(0, 0.04) * np.sin(2 * np.pi * across * rng.uniform(1, 4)) + 0.01 * smooth_noise(rng, size_px, 3)
    height = np.sin(2 * np.pi * (along + sway) * log_uniform(rng, 4, size_px / 12))
    value = unit_range((height + 0.1 * fractal_noise(rng, size_px, 10, octaves=5)).astype(np.float32))
    factor = relief(value, rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 2))
    return whole(np.clip(colourise(rng, value) * factor[..., None], 0, 1))


def basket_weave(rng: np.random.Generator, size_px: int) -> Scene:
    """Bundles of strands that change direction from square to square."""
    along, across = turned_axes(size_px, pick_angle(rng))
    count, strands = log_uniform(rng, 4, size_px / 20), int(rng.integers(2, 6))
    u, v = along * count + 500, across * count + 500
    flat = (np.floor(u) + np.floor(v)) % 2 < 1
    height = np.abs(np.where(flat, np.sin(np.pi * v * strands), np.sin(np.pi * u * strands)))
    height = height * np.sqrt(np.abs(np.where(flat, np.sin(np.pi * u), np.sin(np.pi * v))))
    height = height + 0.05 * smooth_noise(rng, size_px, size_px / 2)
    return whole(colourise(rng, unit_range(height.astype(np.float32))))


def agate(rng: np.random.Generator, size_px: int) -> Scene:
    """Bands that follow each other around cores."""
    field = fractal_noise(rng, size_px, log_uniform(rng, 1.5, 5), octaves=3, persistence=0.35)
    bands = np.sin(field * rng.uniform(3, 14)) + 0.4 * np.sin(field * rng.uniform(15, 40))
    value = bands + 0.15 * fractal_noise(rng, size_px, 40, octaves=2)
    return whole(colourise(rng, unit_range(value.astype(np.float32))))


def cork(rng: np.random.Generator, size_px: int) -> Scene:
    """Pressed granules with dark lenses between them."""
    count = log_uniform(rng, 8, size_px / 8)
    y, x = warped_axes(rng, size_px, 0.35 / count, rows=count)
    granules = cells(rng, y * count, x * count)
    value = 0.6 + 0.4 * cell_values(rng, granules.index, granules.count)
    lenses = smooth_noise(rng, size_px, count * 1.5, count * 0.7)
    value = value - np.clip(lenses - 1.2, 0, 1) * 0.8 + 0.12 * fractal_noise(rng, size_px, count * 2, persistence=0.9)
    return whole(colourise(rng, unit_range(value.astype(np.float32)), contrast=(0.15, 0.5)))


def turned_face(rng: np.random.Generator, size_px: int) -> Scene:
    """Rings that a lathe leaves, around a centre in or near the picture."""
    y, x = axes(size_px)
    cy, cx = rng.uniform(-0.2, 1.2, 2)
    radius, angle = np.hypot(y - cy, x - cx), np.arctan2(y - cy, x - cx)
    rings = np.interp(radius, np.linspace(0, 2, size_px), rng.standard_normal(size_px))
    gleam = np.cos(2 * (angle - rng.uniform(0, np.pi))) ** 2
    value = rings * rng.uniform(0.2, 0.6) + gleam * rng.uniform(0.3, 1.2)
    return whole(colourise(rng, unit_range(value.astype(np.float32)), contrast=(0.15, 0.7)))
