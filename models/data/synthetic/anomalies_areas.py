"""Anomalies that change an area's light, colour or sharpness: stains, holes, spots, dents, dead regions, scuffs."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from models.data.synthetic.anomalies_lines import brightened, darkened
from models.data.synthetic.canvas import FloatMap, Paint, Scene, coverage, log_uniform, pick_angle
from models.data.synthetic.colours import colour, relief
from models.data.synthetic.noise import fractal_noise, smooth_noise
from models.data.synthetic.strokes import Stroke, blob, cloud, curve, draw, polygon, site, softened


def _radius(rng: np.random.Generator, size_px: int, largest: float = 0.22) -> float:
    return log_uniform(rng, max(2.0, 0.012 * size_px), largest * size_px)


def _flat(scene: Scene, tone: FloatMap) -> FloatMap:
    return np.broadcast_to(tone, scene.image.shape).astype(np.float32)


def stain(rng: np.random.Generator, scene: Scene) -> Paint:
    """A tinted area through which the surface still shows."""
    size_px = scene.image.shape[0]
    alpha = blob(rng, size_px, site(rng, scene.foreground), _radius(rng, size_px))
    tint = colour(rng, rng.uniform(0.2, 1.0))
    image = scene.image * tint if rng.random() < 0.6 else 0.5 * scene.image + 0.5 * tint
    strength = rng.uniform(0.35, 1) * (1 + 0.2 * smooth_noise(rng, size_px, 8))
    return Paint(image.astype(np.float32), np.clip(alpha * strength, 0, 1).astype(np.float32))


def hole(rng: np.random.Generator, scene: Scene) -> Paint:
    """A dark opening with a lit rim."""
    size_px = scene.image.shape[0]
    radius = _radius(rng, size_px, 0.12)
    alpha = (blob if rng.random() < 0.7 else polygon)(rng, size_px, site(rng, scene.foreground), radius)
    inside = scene.backdrop if scene.backdrop is not None and rng.random() < 0.5 else None
    tone = colour(rng, rng.choice([0.02, 0.05, 0.15]))
    image = (inside if inside is not None else _flat(scene, tone)) * (0.9 + 0.1 * alpha[..., None])
    return Paint(np.asarray(image, dtype=np.float32), np.clip(alpha * 1.5, 0, 1))


def spots(rng: np.random.Generator, scene: Scene) -> Paint:
    """A loose group of small dots, dark, bright or coloured."""
    size_px = scene.image.shape[0]
    x, y = site(rng, scene.foreground)
    spread = size_px * log_uniform(rng, 0.01, 0.2)
    alpha = np.zeros((size_px, size_px), dtype=np.float32)
    strokes = []
    for _ in range(int(rng.integers(1, 15))):
        point = np.array([x, y]) + rng.normal(0, spread, 2)
        wide = log_uniform(rng, max(2.0, 0.01 * size_px), max(3.0, 0.035 * size_px))
        strokes.append(Stroke(np.stack([point, point + 0.5]), np.array([wide])))
    alpha = softened(draw(strokes, size_px), rng.choice([0.3, 0.8, 1.5])) * np.float32(rng.uniform(0.5, 1))
    return Paint(_flat(scene, colour(rng, rng.choice([0.05, 0.95, rng.random()]))), alpha)


def dent(rng: np.random.Generator, scene: Scene) -> Paint:
    """A hollow or bump seen only by its light and shadow."""
    size_px = scene.image.shape[0]
    radius = _radius(rng, size_px, 0.15)
    hollow = softened(blob(rng, size_px, site(rng, scene.foreground), radius), radius * rng.uniform(0.15, 0.4))
    factor = relief(hollow * np.float32(radius), rng.uniform(0, 2 * np.pi), rng.choice([-1, 1]) * rng.uniform(0.5, 1.5))
    image = np.clip(scene.image * factor[..., None] + 0.15 * (factor - 1)[..., None], 0, 1)
    return Paint(image.astype(np.float32), (np.abs(factor - 1) > 0.02).astype(np.float32))


def _straight_region(rng: np.random.Generator, scene: Scene) -> FloatMap:
    """A box in any direction, with straight or ragged borders; it may fade out towards one side."""
    size_px = scene.image.shape[0]
    angle, (x, y) = pick_angle(rng) + rng.normal(0, 0.1), site(rng, scene.foreground)
    line = np.arange(size_px, dtype=np.float32)
    u = np.cos(angle) * (line - x)[None, :] + np.sin(angle) * (line - y)[:, None]
    v = np.cos(angle) * (line - y)[:, None] - np.sin(angle) * (line - x)[None, :]
    u = u + size_px * rng.choice([0.0, 0.01, 0.02]) * fractal_noise(rng, size_px, 10)
    half_u, half_v = size_px * log_uniform(rng, 0.015, 0.25), size_px * log_uniform(rng, 0.05, 0.5)
    outside = np.maximum(np.abs(u) - half_u, np.abs(v) - half_v).astype(np.float32)
    alpha = coverage(outside, rng.choice([1.5, 6.0]))
    if rng.random() < 0.25:
        alpha = alpha * np.clip(0.5 + 0.5 * u / half_u, 0, 1).astype(np.float32)
    return alpha


def dark_region(rng: np.random.Generator, scene: Scene) -> Paint:
    """A part that gives (almost) no light, with straight, ragged or soft borders, small or large."""
    size_px, kind = scene.image.shape[0], rng.random()
    if kind < 0.45:
        alpha = _straight_region(rng, scene)
    else:
        outline = polygon if kind < 0.75 else blob
        alpha = outline(rng, size_px, site(rng, scene.foreground), _radius(rng, size_px, 0.3))
    return Paint(darkened(rng, scene.image, (0.05, 0.75)), alpha)


def scuff(rng: np.random.Generator, scene: Scene) -> Paint:
    """A rubbed area of many short fine lines."""
    size_px = scene.image.shape[0]
    x, y = site(rng, scene.foreground)
    spread, angle = size_px * log_uniform(rng, 0.02, 0.12), rng.uniform(0, np.pi)
    strokes = []
    for _ in range(int(rng.integers(8, 50))):
        path = curve(rng, (0, 0), spread * rng.uniform(0.5, 2), 0.0)
        turn = angle + rng.normal(0, 0.2)
        long = np.hypot(*(path[-1] - path[0])) / 2
        end = np.array([np.cos(turn), np.sin(turn)]) * long
        middle = np.array([x, y]) + rng.normal(0, spread * 0.6, 2)
        strokes.append(
            Stroke(np.stack([middle - end, middle + end]), np.array([rng.uniform(0.5, 0.006 * size_px + 0.8)]))
        )
    alpha = np.maximum(draw(strokes, size_px) * np.float32(rng.uniform(0.4, 1)), 0)
    tone = brightened(rng, scene.image, (0.3, 0.8)) if rng.random() < 0.6 else darkened(rng, scene.image, (0.2, 0.7))
    return Paint(tone, alpha)


def local_blur(rng: np.random.Generator, scene: Scene) -> Paint:
    """An area in which the structure is smeared."""
    size_px = scene.image.shape[0]
    sigma = size_px * rng.uniform(0.012, 0.04)
    sigmas = (sigma, sigma, 0) if rng.random() < 0.6 else (sigma * 2, 0.5, 0)
    image = ndimage.gaussian_filter(scene.image, sigmas, mode="nearest")
    return Paint(image, blob(rng, size_px, site(rng, scene.foreground), _radius(rng, size_px)))


def colour_shift(rng: np.random.Generator, scene: Scene) -> Paint:
    """An area of another hue, brightness or contrast."""
    size_px = scene.image.shape[0]
    gain = 1 + rng.uniform(-0.5, 0.5, 3) if rng.random() < 0.6 else np.full(3, rng.choice([0.6, 0.75, 1.3, 1.6]))
    image = scene.image[..., rng.permutation(3)] if rng.random() < 0.3 else scene.image
    alpha = (blob if rng.random() < 0.6 else polygon)(rng, size_px, site(rng, scene.foreground), _radius(rng, size_px))
    return Paint(np.clip(image * gain, 0, 1).astype(np.float32), alpha)


def droplets(rng: np.random.Generator, scene: Scene) -> Paint:
    """Drops of liquid: a bright glint, a dark rim, the surface enlarged beneath."""
    size_px = scene.image.shape[0]
    x, y = site(rng, scene.foreground)
    image, alpha = scene.image, np.zeros((size_px, size_px), dtype=np.float32)
    rows, columns = np.meshgrid(np.arange(size_px), np.arange(size_px), indexing="ij")
    for _ in range(int(rng.integers(1, 7))):
        radius = log_uniform(rng, max(2.5, 0.015 * size_px), 0.07 * size_px)
        cx, cy = np.array([x, y]) + rng.normal(0, size_px * 0.08, 2)
        distance = np.hypot(columns - cx, rows - cy).astype(np.float32) / np.float32(radius)
        body = coverage(distance - 1, 1.5 / radius)
        glint = coverage(np.hypot(columns - cx + radius * 0.35, rows - cy + radius * 0.35) / radius - 0.25, 0.2)
        light = 1 - 0.6 * np.clip(distance, 0, 1) ** 4 + 0.15 * (rows - cy) / radius
        drop = np.clip(image * light[..., None].astype(np.float32) + 0.8 * glint[..., None].astype(np.float32), 0, 1)
        image = image + (drop - image) * body[..., None]
        alpha = np.maximum(alpha, body)
    return Paint(image, (alpha > 0).astype(np.float32))


def burnt_edge(rng: np.random.Generator, scene: Scene) -> Paint:
    """Charring that eats into the surface from its border."""
    size_px = scene.image.shape[0]
    depth = ndimage.distance_transform_edt(np.pad(scene.foreground, 1))[1:-1, 1:-1].astype(np.float32)
    line = np.arange(size_px, dtype=np.float32)
    rim_y, rim_x = np.nonzero((depth > 0) & (depth <= 2))
    if len(rim_y) == 0:
        return stain(rng, scene)
    k = int(rng.integers(len(rim_y)))
    reach = size_px * rng.uniform(0.06, 0.25)
    away = np.hypot((line - rim_x[k])[None, :], (line - rim_y[k])[:, None])
    ragged = fractal_noise(rng, size_px, 12, octaves=4, persistence=0.7)
    field = depth / (reach * 0.5) + (away / reach) ** 2 + 0.25 * ragged
    char = coverage((field - 1).astype(np.float32), 0.5)
    brown = scene.image * np.array([0.5, 0.32, 0.2], dtype=np.float32)
    image = brown + (0.06 - brown) * coverage((field - 0.6).astype(np.float32), 0.3)[..., None]
    return Paint(image.astype(np.float32), char * scene.foreground)


def mottled_stain(rng: np.random.Generator, scene: Scene) -> Paint:
    """Scattered patches of discolouration, from faint to strong."""
    size_px = scene.image.shape[0]
    alpha = cloud(rng, size_px, log_uniform(rng, 0.004, 0.15)) * scene.foreground
    tone = colour(rng, rng.random())
    return Paint(_flat(scene, tone), (alpha * rng.uniform(0.2, 0.9)).astype(np.float32))
