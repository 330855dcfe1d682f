"""Normal surfaces put together from others: ruled, joined, glossy, tufted.  Their lines and borders cross all of it."""

from __future__ import annotations

import numpy as np

from models.data.synthetic import mosaics, patterns, textures
from models.data.synthetic.canvas import (
    FloatMap,
    NormalBuilder,
    Scene,
    blend,
    coverage,
    log_uniform,
    turned_axes,
    whole,
)
from models.data.synthetic.colours import colour, luminance
from models.data.synthetic.noise import fractal_noise, smooth_noise, warped_axes

BASES: tuple[NormalBuilder, ...] = (
    mosaics.polycrystal, mosaics.polycrystal, mosaics.camouflage, mosaics.granite, mosaics.marble, textures.plasma,
    textures.concrete, textures.sandpaper, textures.paper, textures.brushed_metal, textures.wood,
)  # fmt: skip


def _base(rng: np.random.Generator, size_px: int) -> FloatMap:
    return BASES[int(rng.integers(len(BASES)))](rng, size_px).image


def _stripe(across: FloatMap, middle: float, half: float, size_px: int) -> FloatMap:
    return coverage(np.abs(across - np.float32(middle)) - np.float32(half), 1.5 / size_px)


def ruled_surface(rng: np.random.Generator, size_px: int) -> Scene:
    """Any grain crossed by straight lines: some wide bars, many fine lines, or a coarse net of both."""
    image = _base(rng, size_px)
    along, across = turned_axes(size_px, rng.integers(2) * np.pi / 2)
    grey = float(luminance(image).mean())
    tone = colour(rng, float(np.clip(grey + rng.choice([-1, 1]) * rng.uniform(0.15, 0.6), 0, 1)))
    if rng.random() < 0.6:
        fine = log_uniform(rng, 6, size_px / 4)
        lines = coverage(np.abs(along * fine % 1 - 0.5) - np.float32(rng.uniform(0.05, 0.2)), 1.5 * fine / size_px)
        image = blend(image, tone, lines * np.float32(rng.uniform(0.1, 0.7)))
    bars, half = int(rng.integers(0, 6)), log_uniform(rng, 0.003, 0.04)
    for number in range(bars):
        stripe = _stripe(across, (number + 0.5) / bars - 0.5, half, size_px)
        if rng.random() < 0.5:
            stripe = np.maximum(
                stripe, np.float32(0.5) * _stripe(across, (number + 0.5) / bars - 0.5, 2 * half, size_px)
            )
        image = blend(image, tone, stripe)
    return whole(np.clip(image, 0, 1).astype(np.float32))


def joined_surfaces(rng: np.random.Generator, size_px: int) -> Scene:
    """Two surfaces that meet along a line from side to side, straight or gently curved, sometimes with a seam."""
    first, second = _base(rng, size_px), _base(rng, size_px)
    along, across = turned_axes(size_px, float(rng.choice([0, np.pi / 2, rng.uniform(0, np.pi)])))
    bend = rng.uniform(-0.3, 0.3) * along**2 if rng.random() < 0.4 else np.float32(0)
    side = (across + bend + np.float32(rng.uniform(-0.35, 0.35))).astype(np.float32)
    if rng.random() < 0.3:
        side = np.abs(side) - np.float32(rng.uniform(0.05, 0.3))
    image = blend(first, second, coverage(side, rng.choice([1.5, 1.5, 6.0]) / size_px))
    if rng.random() < 0.4:
        image = blend(image, colour(rng, rng.random()), _stripe(side, 0, log_uniform(rng, 0.002, 0.015), size_px))
    return whole(np.clip(image, 0, 1).astype(np.float32))


def gloss(rng: np.random.Generator, size_px: int) -> Scene:
    """A plain, almost grainless surface with soft reflections."""
    image = np.ones((size_px, size_px, 3), dtype=np.float32) * colour(rng, rng.uniform(0.1, 0.9))
    for _ in range(int(rng.integers(1, 4))):
        _, across = turned_axes(size_px, rng.uniform(0, np.pi))
        wide = rng.uniform(0.03, 0.3)
        across = across + np.float32(0.05) * smooth_noise(rng, size_px, 2) + np.float32(rng.uniform(-0.5, 0.5))
        image = image + np.float32(rng.uniform(-0.15, 0.35)) * np.exp(-((across / wide) ** 2))[..., None]
    image = image * (1 + rng.uniform(0, 0.03) * fractal_noise(rng, size_px, 30)[..., None])
    return whole(np.clip(image, 0, 1).astype(np.float32))


def tufts(rng: np.random.Generator, size_px: int) -> Scene:
    """Bundles seen from above: round ends of slightly different tone and place, such as bristles or stacked tubes."""
    count = log_uniform(rng, 5, size_px / 7)
    y, x = warped_axes(rng, size_px, 0.12 / count, rows=count / 2)
    v = y * count + 500
    u = x * count + 500 + 0.5 * (np.floor(v) % 2)
    tone = rng.random(997, dtype=np.float32)[(np.floor(u) * 7919 + np.floor(v) * 104729).astype(np.int64) % 997]
    distance = np.hypot(u % 1 - 0.5, v % 1 - 0.5).astype(np.float32)
    ends = coverage(distance - np.float32(rng.uniform(0.3, 0.48)), 2 * count / size_px)
    below, above = patterns.two_levels(rng)
    dome = (1 - rng.uniform(0, 0.6) * distance) * (1 + rng.uniform(0, 0.4) * (tone - 0.5))
    lit = np.clip(colour(rng, above) * dome[..., None], 0, 1)
    return whole(blend(patterns.ground(rng, size_px, below), lit.astype(np.float32), ends).astype(np.float32))


def ribs(rng: np.random.Generator, size_px: int) -> Scene:
    """Round rods or folds side by side, lit from one side, each with the same fine texture."""
    along, across = turned_axes(size_px, rng.integers(2) * np.pi / 2)
    count = log_uniform(rng, 2, size_px / 14)
    phase = across * count + rng.random()
    place = (phase % 1 - 0.5).astype(np.float32)
    light = np.clip(1 - (place - rng.uniform(-0.3, 0.3)) ** 2 * rng.uniform(1.5, 4), 0, 1.3)
    texture = fractal_noise(rng, size_px, log_uniform(rng, 5, 60), octaves=4, persistence=0.8)
    turns = np.sin((along * rng.uniform(20, 90) + place * rng.uniform(-1, 1)) * 2 * np.pi) * rng.choice([0.0, 0.15])
    image = colour(rng, rng.uniform(0.25, 0.95)) * (light * (1 + rng.uniform(0, 0.08) * texture + turns))[..., None]
    return whole(np.clip(image, 0, 1).astype(np.float32))
