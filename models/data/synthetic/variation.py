"""Benign variation on every picture, normal and anomalous alike, so that it carries no label.

`surface` belongs to the thing and its stage and comes before an anomaly; `camera` is what optics, sensor and file do
to both.  Neither knows whether there is an anomaly.
"""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import numpy as np
from PIL import Image
from scipy import ndimage

from models.data.synthetic.canvas import BoolMap, FloatMap, Scene, axes, blend, coverage, log_uniform
from models.data.synthetic.colours import colour, greyed
from models.data.synthetic.noise import fractal_noise, smooth_noise

GREY_SHARE = 0.42


def _mottling(rng: np.random.Generator, image: FloatMap) -> FloatMap:
    """Soft brighter and darker areas, from a few large ones to many small ones."""
    size_px = image.shape[0]
    field = fractal_noise(rng, size_px, log_uniform(rng, 1, 24), octaves=int(rng.integers(1, 4)), persistence=0.6)
    return image * (1 + np.float32(rng.uniform(0.02, 0.16)) * np.clip(field, -2.5, 2.5))[..., None]


def _blotches(rng: np.random.Generator, image: FloatMap) -> FloatMap:
    """A few very soft large spots."""
    size_px = image.shape[0]
    y, x = axes(size_px)
    for _ in range(int(rng.integers(1, 5))):
        cy, cx, wide = rng.random(), rng.random(), rng.uniform(0.1, 0.35)
        spot = np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * wide**2))
        image = image * (1 + rng.uniform(-0.25, 0.2) * spot)[..., None].astype(np.float32)
    return image


def _seams(rng: np.random.Generator, image: FloatMap) -> FloatMap:
    """Straight lines from side to side, evenly spaced."""
    size_px = image.shape[0]
    count, phase, half = int(rng.integers(1, 5)), rng.random(), log_uniform(rng, 0.0015, 0.02)
    line = (np.arange(size_px, dtype=np.float32) + 0.5) / size_px
    away = np.abs((line * count + phase) % 1 - 0.5) / count
    ink = coverage((away - half).astype(np.float32), 1.5 / size_px) * np.float32(rng.uniform(0.2, 1))
    alpha = np.broadcast_to(ink[:, None] if rng.random() < 0.5 else ink[None, :], image.shape[:2])
    return blend(image, colour(rng, rng.random()), alpha)


def _frame(rng: np.random.Generator, image: FloatMap) -> FloatMap:
    """A border of one tone, with square, round or cut corners."""
    y, x = axes(image.shape[0])
    dy, dx = np.abs(y - 0.5) * 2, np.abs(x - 0.5) * 2
    inner = 1 - rng.uniform(0.0, 0.12)
    distance = np.maximum(dy, dx) - inner
    kind = rng.integers(3)
    if kind == 1:
        distance = np.maximum(distance, np.hypot(dy, dx) - rng.uniform(1.15, 1.4))
    elif kind == 2:
        distance = np.maximum(distance, dy + dx - rng.uniform(1.6, 1.95))
    tone = colour(rng, rng.choice([0.02, 0.08, 0.9, rng.random()]))
    return blend(image, tone, coverage(-distance.astype(np.float32), rng.choice([0.01, 0.04])))


def _dust(rng: np.random.Generator, image: FloatMap) -> FloatMap:
    """Specks too faint and too many to matter."""
    size_px = image.shape[0]
    specks = (rng.random((size_px, size_px), dtype=np.float32) < rng.uniform(0.0005, 0.004)).astype(np.float32)
    faint = ndimage.uniform_filter(specks, 2) * rng.uniform(-0.15, 0.15)
    return np.asarray(image + faint[..., None], dtype=np.float32)


def _gleam(rng: np.random.Generator, image: FloatMap) -> FloatMap:
    """A soft reflection in a broad streak."""
    y, x = axes(image.shape[0])
    angle, wide = rng.uniform(0, np.pi), rng.uniform(0.08, 0.35)
    across = np.cos(angle) * (x - rng.random()) + np.sin(angle) * (y - rng.random())
    return np.asarray(image + rng.uniform(0.03, 0.2) * np.exp(-((across / wide) ** 2))[..., None], dtype=np.float32)


def surface(rng: np.random.Generator, scene: Scene) -> Scene:
    """Vary a normal scene: mottling, blotches, seams, a frame, dust, no colour; each by its own chance."""
    is_grey = bool(rng.random() < GREY_SHARE)
    image = scene.image
    for change, chance in (
        (_mottling, 0.5),
        (_blotches, 0.3),
        (_seams, 0.15),
        (_dust, 0.2),
        (_gleam, 0.12),
        (_frame, 0.2),
    ):
        if rng.random() < chance:
            image = change(rng, image)
    image = np.clip(image, 0, 1).astype(np.float32)
    return replace(scene, image=greyed(image) if is_grey else image, is_grey=is_grey)


def _tone(rng: np.random.Generator, image: FloatMap) -> FloatMap:
    """White balance, gamma, contrast and brightness."""
    if rng.random() < 0.25:
        image = image * rng.uniform(0.85, 1.15, 3).astype(np.float32)
    if rng.random() < 0.4:
        image = np.clip(image, 0, 1) ** np.float32(rng.uniform(0.65, 1.5))
    if rng.random() < 0.5:
        contrast, middle = np.float32(rng.uniform(0.7, 1.25)), np.float32(rng.uniform(0.35, 0.65))
        image = (image - middle) * contrast + middle
    return image


def _light(rng: np.random.Generator, image: FloatMap) -> FloatMap:
    """A slope of light over the picture, and darker corners."""
    y, x = axes(image.shape[0])
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.35)
    factor = 1 + strength * (np.cos(angle) * (x - 0.5) + np.sin(angle) * (y - 0.5))
    if rng.random() < 0.4:
        factor = factor - rng.uniform(0.1, 0.9) * ((y - 0.5) ** 2 + (x - 0.5) ** 2)
    return np.asarray(image * factor[..., None], dtype=np.float32)


def _sharpness(rng: np.random.Generator, image: FloatMap) -> FloatMap:
    """Blur of motion or optics, or a lower resolution that was scaled up."""
    size_px, kind = image.shape[0], rng.random()
    if kind < 0.15:
        length = max(2, round(size_px * rng.uniform(0.006, 0.02)))
        moved = ndimage.uniform_filter1d(image, length, axis=int(rng.integers(2)), mode="nearest")
        return np.asarray(moved, dtype=np.float32)
    if kind < 0.55:
        sigma = rng.uniform(0.2, 0.9) * size_px / 252
        return np.asarray(ndimage.gaussian_filter(image, (sigma, sigma, 0), mode="nearest"), dtype=np.float32)
    small = int(size_px * rng.uniform(0.45, 0.9))
    picture = to_picture(image).resize((small, small), Image.Resampling.BILINEAR)
    picture = picture.resize((size_px, size_px), Image.Resampling.BICUBIC)
    return np.asarray(picture, dtype=np.float32) / np.float32(255)


def _grain(rng: np.random.Generator, image: FloatMap) -> FloatMap:
    """Noise of the sensor, the same in all channels or not, fine or in small clumps; sometimes uneven lines too."""
    size_px, strength = image.shape[0], np.float32(0.06 * rng.random() ** 2)
    if rng.random() < 0.3:
        noise = smooth_noise(rng, size_px, size_px / rng.uniform(1.2, 2.5))[..., None]
    else:
        noise = rng.standard_normal((size_px, size_px, int(rng.choice([1, 3]))), dtype=np.float32)
    if rng.random() < 0.2:
        shape = (size_px, 1, 1) if rng.random() < 0.5 else (1, size_px, 1)
        image = image + rng.standard_normal(shape, dtype=np.float32) * np.float32(rng.uniform(0.003, 0.025))
    return image + strength * noise


def to_picture(image: FloatMap) -> Image.Image:
    """Round to 8 bits."""
    return Image.fromarray((np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8))


def camera(rng: np.random.Generator, image: FloatMap) -> FloatMap:
    """Photograph a finished scene: light, tone, sharpness, grain, JPEG; sizes and positions stay.

    Returns:
        (S, S, 3) float32 in [0, 1].
    """
    image = _tone(rng, _light(rng, image))
    if rng.random() < 0.5:
        image = _sharpness(rng, image)
    image = _grain(rng, image)
    if rng.random() < 0.35:
        data = BytesIO()
        to_picture(image).save(data, format="JPEG", quality=int(rng.integers(35, 96)))
        image = np.asarray(Image.open(data).convert("RGB"), dtype=np.float32) / np.float32(255)
    return np.clip(image, 0, 1)


def placed(rng: np.random.Generator, image: FloatMap, mask: BoolMap) -> tuple[FloatMap, BoolMap]:
    """Turn, mirror, tilt slightly or letterbox the picture together with its mask."""
    if rng.random() < 0.5:
        image, mask = image[:, ::-1], mask[:, ::-1]
    turns = int(rng.integers(4)) if rng.random() < 0.5 else 0
    image, mask = np.rot90(image, turns), np.rot90(mask, turns)
    if rng.random() < 0.12:
        image, mask = _tilted(image, mask, rng.uniform(-8, 8))
    if rng.random() < 0.06:
        image, mask = _letterboxed(rng, image, mask)
    return np.ascontiguousarray(image), np.ascontiguousarray(mask)


def _tilted(image: FloatMap, mask: BoolMap, angle: float) -> tuple[FloatMap, BoolMap]:
    turned = to_picture(image).rotate(angle, Image.Resampling.BILINEAR, fillcolor=(0, 0, 0))
    area = Image.fromarray(mask).rotate(angle, Image.Resampling.NEAREST)
    return np.asarray(turned, dtype=np.float32) / np.float32(255), np.asarray(area, dtype=np.bool_)


def _letterboxed(rng: np.random.Generator, image: FloatMap, mask: BoolMap) -> tuple[FloatMap, BoolMap]:
    size_px = image.shape[0]
    inner = int(size_px * rng.uniform(0.75, 0.95))
    top = (size_px - inner) // 2
    picture = to_picture(image).resize((size_px, inner), Image.Resampling.BILINEAR)
    area = Image.fromarray(mask).resize((size_px, inner), Image.Resampling.NEAREST)
    framed = np.full_like(image, rng.choice([0.0, 0.0, 0.5, 1.0]))
    framed[top : top + inner] = np.asarray(picture, dtype=np.float32) / np.float32(255)
    framed_mask = np.zeros_like(mask)
    framed_mask[top : top + inner] = np.asarray(area, dtype=np.bool_)
    return framed, framed_mask
