"""Anomalies that are lines: scratches, cracks, fibres, breaks in lines.  Each builder paints one instance."""

from __future__ import annotations

import numpy as np

from models.data.synthetic.canvas import FloatMap, Paint, Scene, log_uniform
from models.data.synthetic.colours import colour, luminance
from models.data.synthetic.strokes import Stroke, curve, draw, jagged, site, softened, tapered


def _width(rng: np.random.Generator, size_px: int, thickest: float) -> float:
    """A line width in pixels, from hair-fine to `thickest` picture widths."""
    return log_uniform(rng, max(0.6, 0.002 * size_px), max(1.2, thickest * size_px))


def darkened(rng: np.random.Generator, image: FloatMap, keep: tuple[float, float]) -> FloatMap:
    """The picture as if in shadow, keeping a share of its light and a little of its colour."""
    tint = colour(rng, 0.5) * 0.06
    return np.asarray(image * np.float32(rng.uniform(*keep)) + tint - 0.02, dtype=np.float32).clip(0, 1)


def brightened(rng: np.random.Generator, image: FloatMap, gain: tuple[float, float]) -> FloatMap:
    """The picture moved towards white by a share."""
    return np.asarray(image + (1 - image) * np.float32(rng.uniform(*gain)), dtype=np.float32)


def scratch(rng: np.random.Generator, scene: Scene) -> Paint:
    """One or a few nearly parallel lines, bright or dark, straight or curved."""
    size_px = scene.image.shape[0]
    path = curve(rng, site(rng, scene.foreground), size_px * log_uniform(rng, 0.08, 0.9), rng.choice([0.0, 0.3, 1.5]))
    width = _width(rng, size_px, 0.018)
    strokes = [Stroke(path, np.full(len(path), width) * rng.uniform(0.8, 1.2, len(path)))]
    for _ in range(int(rng.choice([0, 0, 0, 1, 3]))):
        offset = rng.normal(0, width * 4, 2)
        begin = int(rng.integers(0, max(1, len(path) // 2)))
        strokes.append(Stroke(path[begin:] + offset, np.full(len(path), width * rng.uniform(0.4, 1))))
    alpha = softened(draw(strokes, size_px), rng.choice([0.0, 0.5, 1.0])) * np.float32(rng.uniform(0.5, 1))
    if rng.random() < 0.5:
        return Paint(brightened(rng, scene.image, (0.25, 0.9)), alpha)
    return Paint(darkened(rng, scene.image, (0.1, 0.7)), alpha)


def _crack_strokes(rng: np.random.Generator, scene: Scene, branches: int) -> list[Stroke]:
    size_px = scene.image.shape[0]
    width, step = _width(rng, size_px, 0.012), size_px * rng.uniform(0.01, 0.035)
    angle, length = rng.uniform(0, 2 * np.pi), size_px * log_uniform(rng, 0.1, 0.9)
    middle = site(rng, scene.foreground)
    start = (middle[0] - np.cos(angle) * length / 2, middle[1] - np.sin(angle) * length / 2)
    trunk = jagged(rng, start, angle, length, step)
    strokes = [tapered(rng, trunk, width)]
    for _ in range(branches):
        parent = strokes[int(rng.integers(len(strokes)))].points
        root = parent[int(rng.integers(len(parent)))]
        lean = angle + rng.choice([-1, 1]) * rng.uniform(0.3, 1.3)
        branch = jagged(rng, (root[0], root[1]), lean, length * rng.uniform(0.1, 0.5), step)
        strokes.append(tapered(rng, branch, width * rng.uniform(0.5, 0.9)))
    return strokes


def crack(rng: np.random.Generator, scene: Scene) -> Paint:
    """A thin dark jagged line, most often with branches."""
    strokes = _crack_strokes(rng, scene, int(rng.integers(0, 6)))
    alpha = softened(draw(strokes, scene.image.shape[0]), rng.choice([0.0, 0.4, 0.8]))
    return Paint(darkened(rng, scene.image, (0.0, 0.55)), alpha * np.float32(rng.uniform(0.55, 1)))


def crack_network(rng: np.random.Generator, scene: Scene) -> Paint:
    """Several cracks that grow out of each other over a larger area."""
    strokes = [*_crack_strokes(rng, scene, int(rng.integers(5, 12))), *_crack_strokes(rng, scene, 4)]
    alpha = draw(strokes, scene.image.shape[0])
    return Paint(darkened(rng, scene.image, (0.0, 0.6)), alpha * np.float32(rng.uniform(0.5, 1)))


def fibre(rng: np.random.Generator, scene: Scene) -> Paint:
    """A hair or thread that lies on the surface, with its shadow."""
    size_px = scene.image.shape[0]
    path = curve(rng, site(rng, scene.foreground), size_px * log_uniform(rng, 0.1, 0.8), rng.uniform(1, 6))
    width = _width(rng, size_px, 0.012)
    thread = draw([Stroke(path, np.full(len(path), width))], size_px)
    shadow = np.roll(softened(thread, width), (round(width), round(width)), axis=(0, 1)) * np.float32(0.5)
    level = rng.choice([0.05, 0.9, rng.random()])
    image = scene.image * (1 - 0.5 * shadow * (1 - thread))[..., None]
    image = image + (colour(rng, level) - image) * thread[..., None]
    return Paint(image.astype(np.float32), np.maximum(thread, (shadow > 0.05).astype(np.float32)))


def interrupted_line(rng: np.random.Generator, scene: Scene) -> Paint:
    """A short stretch across the picture's lines in which they are smeared away or missing."""
    size_px = scene.image.shape[0]
    x, y = site(rng, scene.foreground)
    long, wide = size_px * log_uniform(rng, 0.06, 0.4), size_px * log_uniform(rng, 0.015, 0.08)
    if rng.random() < 0.5:
        long, wide = wide, long
    rows = slice(max(0, int(y - wide / 2)), int(y + wide / 2) + 2)
    columns = slice(max(0, int(x - long / 2)), int(x + long / 2) + 2)
    image, alpha = scene.image.copy(), np.zeros((size_px, size_px), dtype=np.float32)
    patch = image[rows, columns]
    grey = luminance(patch)
    # Filling with the patch's own brightest or darkest tone removes whichever of line and ground has the other.
    level = np.quantile(grey, rng.choice([0.1, 0.9]))
    chosen = patch[np.abs(grey - level) <= np.abs(grey - level).min() + 0.03].mean(axis=0)
    image[rows, columns] = chosen * (1 + 0.03 * rng.standard_normal(patch.shape[:2])[..., None])
    alpha[rows, columns] = 1
    return Paint(np.clip(image, 0, 1), softened(alpha, rng.choice([0.0, 0.7])))
