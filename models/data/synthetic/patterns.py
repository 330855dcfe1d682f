"""Normal surfaces with drawn structure: grids, gratings, stripes, dots, checkers, chains, text, conductor tracks."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from models.data.synthetic.canvas import FloatMap, Scene, blend, coverage, log_uniform, pick_angle, turned_axes, whole
from models.data.synthetic.colours import colour, colourise
from models.data.synthetic.noise import fractal_noise, smooth_noise, unit_range


def ground(rng: np.random.Generator, size_px: int, level: float) -> FloatMap:
    """A quiet surface (S, S, 3) around a level of brightness, to draw on."""
    texture = fractal_noise(rng, size_px, log_uniform(rng, 2, size_px / 4), octaves=4, persistence=rng.uniform(0.4, 1))
    base = colour(rng, level) * (1 + rng.uniform(0, 0.12) * texture[..., None])
    return np.clip(base, 0, 1).astype(np.float32)


def two_levels(rng: np.random.Generator) -> tuple[float, float]:
    """Brightness of ground and figure, far enough apart to be told from each other."""
    first = rng.uniform(0.05, 0.95)
    gap = rng.uniform(0.15, 0.7)
    second = first + gap if first + gap < 1 and (first - gap < 0 or rng.random() < 0.5) else first - gap
    return float(first), float(np.clip(second, 0, 1))


def _inked(rng: np.random.Generator, size_px: int, ink: FloatMap) -> Scene:
    below, above = two_levels(rng)
    image = blend(ground(rng, size_px, below), ground(rng, size_px, above), ink)
    return whole(image.astype(np.float32))


def _bars(phase: FloatMap, duty: float, period_px: float) -> FloatMap:
    """Coverage of bars that repeat with period 1 in `phase` and are `duty` wide."""
    return coverage(np.abs(phase % 1 - 0.5) - np.float32(duty / 2), 1.5 / period_px)


def grid(rng: np.random.Generator, size_px: int) -> Scene:
    """Thin lines crossing each other, a mesh or a wire net."""
    along, across = turned_axes(size_px, pick_angle(rng))
    count = log_uniform(rng, 4, size_px / 8)
    bend = 0.03 * smooth_noise(rng, size_px, 4) * rng.random()
    duty = rng.uniform(0.06, 0.35)
    first = _bars(along * count + bend, duty, size_px / count)
    second = _bars(across * count * rng.choice([1.0, 1.0, 0.5]) + bend, duty, size_px / count)
    return _inked(rng, size_px, np.maximum(first, second))


def grating(rng: np.random.Generator, size_px: int) -> Scene:
    """Parallel bars, thick or thin, sharp or rounded."""
    along, _ = turned_axes(size_px, pick_angle(rng))
    count = log_uniform(rng, 2, size_px / 6)
    phase = along * count + rng.random()
    if rng.random() < 0.5:
        return _inked(rng, size_px, _bars(phase, rng.uniform(0.2, 0.8), size_px / count))
    value = np.abs(np.sin(np.pi * phase)) + 0.1 * smooth_noise(rng, size_px, size_px / 3) * rng.random()
    return whole(colourise(rng, unit_range(value.astype(np.float32))))


def printed_stripes(rng: np.random.Generator, size_px: int) -> Scene:
    """Stripes of several colours and widths, repeated."""
    along, _ = turned_axes(size_px, pick_angle(rng))
    table = np.stack([colour(rng, rng.uniform(0.05, 0.95)) for _ in range(rng.integers(3, 7))])
    widths = rng.integers(1, 12, len(table))
    lane = np.repeat(np.arange(len(table)), widths)
    position = (along * log_uniform(rng, 1.5, 8) + 50) % 1
    image = table[lane[(position * len(lane)).astype(np.int32) % len(lane)]]
    image = image * (1 + 0.06 * fractal_noise(rng, size_px, 20)[..., None])
    return whole(np.clip(image, 0, 1).astype(np.float32))


def dot_array(rng: np.random.Generator, size_px: int) -> Scene:
    """Equal dots or rings in rows."""
    along, across = turned_axes(size_px, pick_angle(rng))
    count = log_uniform(rng, 3, size_px / 8)
    v = across * count + 500
    u = along * count + 500 + (0.5 * (np.floor(v) % 2) if rng.random() < 0.4 else 0)
    distance = np.hypot(u % 1 - 0.5, v % 1 - 0.5)
    radius = rng.uniform(0.12, 0.42)
    if rng.random() < 0.3:
        distance = np.abs(distance - radius) + radius * rng.uniform(0.6, 0.8)
    return _inked(rng, size_px, coverage((distance - radius).astype(np.float32), 1.5 * count / size_px))


def checker(rng: np.random.Generator, size_px: int) -> Scene:
    """Squares of two tones in turn."""
    along, across = turned_axes(size_px, pick_angle(rng))
    count = log_uniform(rng, 2, size_px / 8)
    product = np.sin(np.pi * along * count) * np.sin(np.pi * across * count)
    return _inked(rng, size_px, np.clip(product * size_px / count / 3 + 0.5, 0, 1).astype(np.float32))


def chain(rng: np.random.Generator, size_px: int) -> Scene:
    """Rows of linked ovals."""
    along, across = turned_axes(size_px, pick_angle(rng))
    count = log_uniform(rng, 3, size_px / 14)
    u, v = along * count * 0.7 + 500, across * count + 500
    wide, thick = rng.uniform(0.5, 0.62), rng.uniform(0.06, 0.12)
    ink = np.zeros((size_px, size_px), dtype=np.float32)
    for shift in (0.0, 0.5):
        ring = np.hypot(((u + shift) % 1 - 0.5) / wide * 0.62, (v % 1 - 0.5) * 1.2)
        ink = np.maximum(ink, coverage(np.abs(ring - 0.32).astype(np.float32) - thick, 1.5 * count / size_px))
    return _inked(rng, size_px, ink)


def text_marks(rng: np.random.Generator, size_px: int) -> Scene:
    """Lines of marks that look like words from afar."""
    picture = Image.new("L", (size_px, size_px), 0)
    draw = ImageDraw.Draw(picture)
    height = log_uniform(rng, 6, size_px / 6)
    stroke, y = max(1, round(height / rng.uniform(5, 10))), rng.uniform(0, height)
    while y < size_px - height:
        x = rng.uniform(0, height)
        while x < size_px - height:
            wide = height * rng.uniform(0.3, 0.7)
            corners = rng.random((rng.integers(2, 5), 2)) * [wide, height * 0.8] + [x, y]
            draw.line([(float(a), float(b)) for a, b in corners], fill=255, width=stroke)
            x += wide * 1.3 + (height if rng.random() < 0.15 else 0)
        y += height * 1.4
    ink: FloatMap = np.asarray(picture, dtype=np.float32) / np.float32(255)
    return _inked(rng, size_px, np.ascontiguousarray(ink.T) if rng.random() < 0.2 else ink)


def circuit_traces(rng: np.random.Generator, size_px: int) -> Scene:
    """Conductor tracks with bends at 45 degrees, pads and drilled holes."""
    picture = Image.new("L", (size_px, size_px), 0)
    draw = ImageDraw.Draw(picture)
    pitch = log_uniform(rng, max(6, size_px / 40), size_px / 10)
    wide = max(1, round(pitch * rng.uniform(0.2, 0.5)))
    for lane in np.arange(-size_px, 2 * size_px, pitch):
        x, y = float(lane), -pitch
        points = [(x, y)]
        while y < size_px + pitch:
            y += pitch * float(rng.integers(2, 8))
            points.append((x, y))
            if rng.random() < 0.25:
                break
        draw.line(points, fill=255, width=wide)
        if rng.random() < 0.6:
            radius, (px, py) = pitch * 0.42, points[-1]
            draw.ellipse((px - radius, py - radius, px + radius, py + radius), fill=255)
            draw.ellipse((px - radius / 3, py - radius / 3, px + radius / 3, py + radius / 3), fill=0)
    if rng.random() < 0.5:
        picture = picture.transform((size_px, size_px), Image.Transform.AFFINE, (1, rng.choice([-1, 1]), 0, 0, 1, 0))
    ink: FloatMap = np.asarray(picture, dtype=np.float32) / np.float32(255)
    return _inked(rng, size_px, np.ascontiguousarray(ink.T) if rng.random() < 0.5 else ink)


def panel(rng: np.random.Generator, size_px: int) -> Scene:
    """A surface crossed from side to side by a few bars and, across these, many fine lines."""
    along, across = turned_axes(size_px, rng.integers(2) * np.pi / 2)
    image = colourise(rng, unit_range(fractal_noise(rng, size_px, log_uniform(rng, 2, 40), octaves=6, persistence=0.7)))
    bars, fine = rng.integers(1, 6), log_uniform(rng, 8, size_px / 4)
    ink = _bars(along * fine, rng.uniform(0.1, 0.4), size_px / fine) * rng.uniform(0, 0.5)
    image = blend(image, colour(rng, rng.random()), ink.astype(np.float32))
    thick = _bars(across * bars + rng.random(), rng.uniform(0.02, 0.2), size_px / bars)
    return whole(blend(image, colour(rng, rng.random()), thick).astype(np.float32))
