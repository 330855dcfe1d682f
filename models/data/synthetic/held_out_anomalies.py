"""Anomalies that no training picture shows: they measure what carries over to unseen kinds."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from models.data.synthetic.anomalies_lines import brightened, darkened
from models.data.synthetic.canvas import Paint, Scene, coverage, log_uniform
from models.data.synthetic.colours import colour
from models.data.synthetic.noise import displaced, fractal_noise, smooth_noise
from models.data.synthetic.strokes import Stroke, curve, draw, jagged, polygon, site, softened, tapered


def star_fracture(rng: np.random.Generator, scene: Scene) -> Paint:
    """Cracks that run out from the point of an impact."""
    size_px = scene.image.shape[0]
    centre, width = site(rng, scene.foreground), log_uniform(rng, max(0.7, 0.003 * size_px), 0.01 * size_px + 0.5)
    length = size_px * log_uniform(rng, 0.05, 0.35)
    strokes = []
    for angle in np.linspace(0, 2 * np.pi, int(rng.integers(3, 9)), endpoint=False):
        path = jagged(rng, centre, angle + rng.normal(0, 0.3), length * rng.uniform(0.4, 1.2), size_px * 0.02)
        strokes.append(tapered(rng, path, width))
    alpha = draw(strokes, size_px) * np.float32(rng.uniform(0.6, 1))
    tone = darkened(rng, scene.image, (0.0, 0.5)) if rng.random() < 0.7 else brightened(rng, scene.image, (0.4, 0.9))
    return Paint(tone, alpha)


def shard(rng: np.random.Generator, scene: Scene) -> Paint:
    """A fragment cut off by one jagged line from border to border of a corner, gone dark."""
    size_px = scene.image.shape[0]
    rows, columns = np.meshgrid(np.arange(size_px), np.arange(size_px), indexing="ij")
    angle, reach = rng.uniform(0, 2 * np.pi), size_px * log_uniform(rng, 0.1, 0.4)
    side = np.cos(angle) * (columns - size_px / 2) + np.sin(angle) * (rows - size_px / 2)
    side = side + size_px * rng.uniform(0.005, 0.03) * fractal_noise(rng, size_px, 8, octaves=5, persistence=0.7)
    edge = float(side.max()) - reach * 0.7
    alpha = coverage((edge - side).astype(np.float32), 1.5)
    return Paint(darkened(rng, scene.image, (0.1, 0.7)), alpha)


def crease(rng: np.random.Generator, scene: Scene) -> Paint:
    """A line that is bright on one side and dark on the other."""
    size_px = scene.image.shape[0]
    path = curve(rng, site(rng, scene.foreground), size_px * log_uniform(rng, 0.15, 0.8), rng.uniform(0, 0.6))
    width = log_uniform(rng, 1.5, 0.02 * size_px + 1)
    ridge = softened(draw([Stroke(path, np.full(len(path), width))], size_px), width * 0.7)
    slope = np.gradient(ridge, axis=0) + np.gradient(ridge, axis=1)
    light = slope / max(float(np.abs(slope).max()), 1e-6) * rng.uniform(0.2, 0.6)
    image = np.clip(scene.image * (1 + light)[..., None] + 0.3 * light[..., None], 0, 1)
    return Paint(image.astype(np.float32), (np.abs(light) > 0.02).astype(np.float32))


def corrosion(rng: np.random.Generator, scene: Scene) -> Paint:
    """Pits and rust of many sizes within an area."""
    size_px = scene.image.shape[0]
    x, y = site(rng, scene.foreground)
    line = np.arange(size_px, dtype=np.float32)
    radius = size_px * log_uniform(rng, 0.04, 0.25)
    near = np.exp(-(((line - x)[None, :] ** 2 + (line - y)[:, None] ** 2) / (2 * radius**2)))
    field = fractal_noise(rng, size_px, 30, octaves=4, persistence=0.8) + 3.2 * near - 2.8
    alpha = coverage(-field.astype(np.float32), 0.6) * np.float32(rng.uniform(0.5, 1)) * (near > 0.05)
    rust = np.array([0.45, 0.25, 0.12], dtype=np.float32) * np.float32(rng.uniform(0.3, 1.3))
    return Paint(0.3 * scene.image + 0.7 * np.clip(rust, 0, 1), alpha)


def tide_mark(rng: np.random.Generator, scene: Scene) -> Paint:
    """The dried rim of a liquid, with a faint tint within."""
    size_px = scene.image.shape[0]
    x, y = site(rng, scene.foreground)
    line = np.arange(size_px, dtype=np.float32)
    radius = size_px * log_uniform(rng, 0.04, 0.2)
    distance = np.hypot((line - x)[None, :], (line - y)[:, None]) / radius - 1
    distance = distance + 0.2 * smooth_noise(rng, size_px, size_px / radius)
    rim = np.exp(-((distance * radius / (0.008 * size_px + 0.8)) ** 2)) * rng.uniform(0.5, 1)
    alpha = np.maximum(rim, coverage(distance.astype(np.float32), 0.05) * rng.uniform(0, 0.3))
    tint = colour(rng, rng.choice([0.1, 0.3, 0.95]))
    return Paint(np.broadcast_to(tint, scene.image.shape).astype(np.float32), alpha.astype(np.float32))


def warp(rng: np.random.Generator, scene: Scene) -> Paint:
    """An area in which the structure is pinched, bulged or twirled."""
    size_px = scene.image.shape[0]
    x, y = site(rng, scene.foreground)
    rows, columns = np.meshgrid(np.arange(size_px) - y, np.arange(size_px) - x, indexing="ij")
    radius = size_px * log_uniform(rng, 0.06, 0.22)
    near = np.clip(1 - np.hypot(rows, columns) / radius, 0, 1).astype(np.float32) ** 2
    twirl, pinch = rng.uniform(-2.5, 2.5), rng.uniform(-0.7, 0.7)
    turn = near * twirl
    dy = (np.cos(turn) - 1 + pinch * near) * rows + np.sin(turn) * columns
    dx = (np.cos(turn) - 1 + pinch * near) * columns - np.sin(turn) * rows
    image = displaced(scene.image, dy.astype(np.float32), dx.astype(np.float32))
    return Paint(image.astype(np.float32), (near > 0).astype(np.float32))


def ghost_print(rng: np.random.Generator, scene: Scene) -> Paint:
    """A second, shifted impression of the picture in one area."""
    size_px = scene.image.shape[0]
    shift = (rng.uniform(0.02, 0.12, 2) * size_px * rng.choice([-1, 1], 2)).astype(int)
    twice = 0.5 * scene.image + 0.5 * np.roll(scene.image, (int(shift[0]), int(shift[1])), axis=(0, 1))
    area = polygon(rng, size_px, site(rng, scene.foreground), size_px * log_uniform(rng, 0.06, 0.25))
    return Paint(twice.astype(np.float32), area)


def thread_loop(rng: np.random.Generator, scene: Scene) -> Paint:
    """A thread that curls back over itself."""
    size_px = scene.image.shape[0]
    t = np.linspace(0, rng.uniform(3, 9), 80)
    reach = size_px * log_uniform(rng, 0.02, 0.1)
    path = np.stack([np.cos(t) + t * rng.uniform(-0.4, 0.4), np.sin(t * rng.uniform(0.8, 1.2)) + t * 0.2], axis=1)
    path = path * reach + site(rng, scene.foreground)
    width = log_uniform(rng, max(0.8, 0.003 * size_px), 0.012 * size_px + 0.5)
    alpha = draw([Stroke(path, np.full(len(path), width))], size_px)
    tone = colour(rng, rng.choice([0.05, 0.95, rng.random()]))
    return Paint(np.broadcast_to(tone, scene.image.shape).astype(np.float32), alpha)


def melt(rng: np.random.Generator, scene: Scene) -> Paint:
    """A strip in which the surface has run in one direction."""
    size_px = scene.image.shape[0]
    length = max(5, int(size_px * rng.uniform(0.05, 0.15)))
    image = ndimage.uniform_filter1d(scene.image, length, axis=int(rng.integers(2)), mode="nearest")
    path = curve(rng, site(rng, scene.foreground), size_px * log_uniform(rng, 0.15, 0.6), 1.0)
    width = size_px * log_uniform(rng, 0.03, 0.12)
    return Paint(image.astype(np.float32), softened(draw([Stroke(path, np.full(len(path), width))], size_px), 1.0))
