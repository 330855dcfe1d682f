"""Paths and blobs: the outlines of anomalies.  Points are (x, y) in pixels; opacities are (S, S) in [0, 1]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from models.data.synthetic.canvas import BoolMap, FloatMap, coverage, log_uniform
from models.data.synthetic.noise import fractal_noise, smooth_noise

Points = NDArray[np.float64]  # (N, 2)
FINER = 2  # lines are drawn this many times larger, for smooth edges and widths below two pixels


@dataclass(frozen=True, slots=True, eq=False)
class Stroke:
    """A line through points, with one width in pixels for each of its pieces."""

    points: Points
    widths_px: NDArray[np.float64]  # (N - 1,)


def draw(strokes: Sequence[Stroke], size_px: int) -> FloatMap:
    """Opacity of lines; a width below one pixel is drawn as a pale line."""
    picture = Image.new("L", (size_px * FINER, size_px * FINER), 0)
    canvas = ImageDraw.Draw(picture)
    for stroke in strokes:
        points = [(float(x) * FINER, float(y) * FINER) for x, y in stroke.points]
        for start, end, wide in zip(points, points[1:], stroke.widths_px, strict=False):
            width = max(1, round(wide * FINER))
            canvas.line([start, end], fill=255, width=width)
            if width > 3:
                radius = width / 2 - 0.5
                canvas.ellipse((end[0] - radius, end[1] - radius, end[0] + radius, end[1] + radius), fill=255)
    return np.asarray(picture.reduce(FINER), dtype=np.float32) / np.float32(255)


def site(rng: np.random.Generator, foreground: BoolMap) -> tuple[float, float]:
    """A random pixel (x, y) of the foreground; any pixel when a few tries find none."""
    size_px = foreground.shape[0]
    x, y = rng.integers(size_px, size=2)
    for _ in range(40):
        if foreground[y, x]:
            break
        x, y = rng.integers(size_px, size=2)
    return float(x), float(y)


def curve(rng: np.random.Generator, start: tuple[float, float], length_px: float, bend: float) -> Points:
    """A smooth path.

    Args:
        bend: how far the direction turns on the way, in radians; 0 = straight.
    """
    count = max(4, int(length_px / 4))
    turns = np.linspace(0, rng.uniform(-bend, bend), count) + np.cumsum(rng.normal(0, 0.03 * bend, count))
    angle = rng.uniform(0, 2 * np.pi) + turns
    steps = np.stack([np.cos(angle), np.sin(angle)], axis=1) * (length_px / count)
    path: Points = np.cumsum(steps, axis=0)
    return np.asarray(path - path[len(path) // 2] + start)


def jagged(
    rng: np.random.Generator, start: tuple[float, float], angle: float, length_px: float, step_px: float
) -> Points:
    """A broken path that keeps its direction on the whole."""
    count = max(3, int(length_px / step_px))
    wander = np.cumsum(rng.normal(0, 0.12, count))
    angles = angle + wander + rng.normal(0, rng.uniform(0.2, 0.7), count)
    lengths = step_px * rng.uniform(0.4, 1.8, count)
    steps = np.stack([np.cos(angles), np.sin(angles)], axis=1) * lengths[:, None]
    return np.concatenate([[start], np.asarray(start) + np.cumsum(steps, axis=0)])


def tapered(rng: np.random.Generator, points: Points, width_px: float) -> Stroke:
    """Give a path a width that varies a little and thins out to its end."""
    pieces = len(points) - 1
    widths = width_px * np.linspace(1.0, 0.4, pieces) * rng.uniform(0.7, 1.3, pieces)
    return Stroke(points, widths)


def blob(rng: np.random.Generator, size_px: int, centre: tuple[float, float], radius_px: float) -> FloatMap:
    """A round-ish or ragged area with a border from sharp to soft."""
    line = np.arange(size_px, dtype=np.float32)
    dx, dy = (line - centre[0])[None, :], (line - centre[1])[:, None]
    angle, stretch = rng.uniform(0, np.pi), rng.uniform(1, 3) ** 0.5
    u = (np.cos(angle) * dx + np.sin(angle) * dy) / np.float32(radius_px * stretch)
    v = (np.cos(angle) * dy - np.sin(angle) * dx) * np.float32(stretch / radius_px)
    ragged = rng.uniform(0.02, 0.35)
    distance = np.hypot(u, v) - 1 + ragged * fractal_noise(rng, size_px, size_px / radius_px * 0.8, octaves=3)
    return coverage(distance.astype(np.float32), max(1.5 / radius_px, rng.choice([0.05, 0.3, 0.8])))


def polygon(rng: np.random.Generator, size_px: int, centre: tuple[float, float], radius_px: float) -> FloatMap:
    """An area with three to eight straight sides."""
    count = int(rng.integers(3, 9))
    angles = np.sort(rng.uniform(0, 2 * np.pi, count))
    radii = radius_px * rng.uniform(0.5, 1.3, count)
    corners = np.stack([np.cos(angles) * radii + centre[0], np.sin(angles) * radii + centre[1]], axis=1) * FINER
    picture = Image.new("L", (size_px * FINER, size_px * FINER), 0)
    ImageDraw.Draw(picture).polygon([(float(x), float(y)) for x, y in corners], fill=255)
    return np.asarray(picture.reduce(FINER), dtype=np.float32) / np.float32(255)


def cloud(rng: np.random.Generator, size_px: int, share: float) -> FloatMap:
    """Scattered patches of thresholded noise, limited to a part of the picture, that cover about `share` of it."""
    field = smooth_noise(rng, size_px, log_uniform(rng, 2, 24)) + 0.3 * smooth_noise(rng, size_px, 30)
    line = np.linspace(-1, 1, size_px, dtype=np.float32)
    cy, cx = rng.uniform(-0.8, 0.8, 2)
    field = field - 2.0 * ((line - cy)[:, None] ** 2 + (line - cx)[None, :] ** 2)
    level = float(np.quantile(field[::2, ::2], 1 - share))
    return coverage((level - field).astype(np.float32), rng.choice([0.1, 0.3, 0.8]))


def softened(alpha: FloatMap, sigma_px: float) -> FloatMap:
    """Blur an opacity, keeping its peak at the height it had."""
    if sigma_px <= 0.2:
        return alpha
    blurred: FloatMap = ndimage.gaussian_filter(alpha, sigma_px, mode="nearest")
    raised: FloatMap = np.clip(blurred * (float(alpha.max()) / max(float(blurred.max()), 1e-6)), 0, 1)
    return raised
