"""Normal pictures of parts on a plain ground: one large part, a row, a grid, or a loose lot of equal ones."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from models.data.synthetic import mosaics, patterns, textures
from models.data.synthetic.canvas import FloatMap, NormalBuilder, Scene, blend, coverage
from models.data.synthetic.colours import colour, luminance
from models.data.synthetic.noise import fractal_noise, smooth_noise
from models.data.synthetic.shapes import Outline

PAINTED_BY_NOISE, DETAILED, LOOSE = 0.5, 0.35, 0.3  # chances
MATERIALS: tuple[NormalBuilder, ...] = (
    textures.brushed_metal, textures.paper, textures.concrete, textures.wood, textures.plasma, mosaics.granite,
    mosaics.polycrystal, textures.sandpaper, patterns.panel, patterns.grating, textures.woven_fabric,
)  # fmt: skip


def _material(rng: np.random.Generator, size_px: int, level: float) -> FloatMap:
    """What a part is made of, (P, P, 3), brought to a level of brightness so that it stands out from its ground."""
    if rng.random() < PAINTED_BY_NOISE:
        grain = fractal_noise(rng, size_px, 3, octaves=6, persistence=rng.uniform(0.4, 1.0))
        image = colour(rng, level) * (1 + rng.uniform(0, 0.1) * grain[..., None])
    else:
        image = MATERIALS[rng.integers(len(MATERIALS))](rng, size_px).image
        image = image + (level - float(luminance(image).mean())) * 0.7
    return np.clip(image, 0.02, 0.98).astype(np.float32)


def _local_axes(size_px: int, angle: float, reach: float) -> tuple[FloatMap, FloatMap]:
    line = ((np.arange(size_px) + 0.5) / size_px * 2 - 1).astype(np.float32) * np.float32(reach)
    y, x = np.meshgrid(line, line, indexing="ij")
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return cos * y - sin * x, sin * y + cos * x


def _part(
    rng: np.random.Generator, outline: Outline, size_px: int, level: float, angle: float
) -> tuple[FloatMap, FloatMap]:
    """Draw one part: its picture (P, P, 3) and its opacity (P, P)."""
    y, x = _local_axes(size_px, angle, reach=1.08 + 0.3 * abs(np.sin(2 * angle)))
    distance = outline(rng, y, x)
    image = _material(rng, size_px, level)
    for _ in range(rng.integers(0, 3)):
        depth = rng.uniform(0.03, 0.35)
        image = image * (1 + rng.uniform(-0.25, 0.25) * coverage(distance + np.float32(depth), 0.02))[..., None]
    if rng.random() < DETAILED:
        image = _detail(rng, y, x, image)
    light = rng.uniform(0, 2 * np.pi)
    bevel = np.clip(1 + distance / rng.uniform(0.05, 0.4), 0, 1)
    slope = np.gradient(distance, axis=0) * np.sin(light) + np.gradient(distance, axis=1) * np.cos(light)
    image = image * (1 + rng.uniform(0, 0.5) * bevel * slope * size_px / 3)[..., None]
    return np.clip(image, 0, 1).astype(np.float32), coverage(distance, 3.0 / size_px)


def _detail(rng: np.random.Generator, y: FloatMap, x: FloatMap, image: FloatMap) -> FloatMap:
    """Something drawn on a part: a slot, a cross, a ring of dots or a printed label."""
    kind, size = int(rng.integers(4)), rng.uniform(0.3, 0.6)
    slot = np.maximum(np.abs(y) - 0.18 * size, np.abs(x) - size)
    if kind == 1:
        slot = np.minimum(slot, np.maximum(np.abs(x) - 0.18 * size, np.abs(y) - size))
    elif kind == 2:
        count = int(rng.integers(3, 9))
        turn = (np.arctan2(y, x) * count / (2 * np.pi)) % 1 - 0.5
        slot = np.hypot(np.hypot(x, y) - size, turn * 2 * np.pi * size / count) - 0.12 * size
    elif kind == 3:
        bars = np.sin(x * rng.uniform(15, 50)) * np.sin(x * rng.uniform(15, 50))
        slot = np.maximum(np.maximum(np.abs(y) - 0.5 * size, np.abs(x) - size), 0.2 * bars)
    ink = coverage(slot.astype(np.float32), 0.04) * np.float32(rng.uniform(0.3, 1))
    return blend(image, colour(rng, rng.random()), ink)


def _places(rng: np.random.Generator, size_px: int, *, is_loose: bool) -> tuple[list[tuple[int, int]], int]:
    """Top-left corners of equal square places, and their size in pixels."""
    kind = rng.random()
    if kind < 0.45:
        side = int(size_px * rng.uniform(0.55, 0.98))
        low = size_px - side
        return [(int(rng.integers(low + 1)), int(rng.integers(low + 1)))], side
    rows, columns = (1, int(rng.integers(2, 6))) if kind < 0.65 else (int(rng.integers(2, 6)), int(rng.integers(2, 6)))
    if rng.random() < 0.5:
        rows, columns = columns, rows
    pitch = size_px // max(rows, columns)
    side = int(pitch * (rng.uniform(0.55, 0.75) if is_loose else rng.uniform(0.75, 0.98)))
    top, left = (size_px - rows * pitch) // 2, (size_px - columns * pitch) // 2
    slack = pitch - side
    inset = rng.integers(slack + 1, size=(rows, columns, 2)) if is_loose else np.full((rows, columns, 2), slack // 2)
    corners = [
        (top + r * pitch + int(inset[r, c, 0]), left + c * pitch + int(inset[r, c, 1]))
        for r in range(rows)
        for c in range(columns)
    ]
    return corners, side


def _lay(scene: Scene, number: int, corner: tuple[int, int], image: FloatMap, alpha: FloatMap) -> None:
    """Draw a part into the scene's picture, labels and foreground, in place."""
    side = alpha.shape[0]
    window = (slice(corner[0], corner[0] + side), slice(corner[1], corner[1] + side))
    scene.image[window] += (image - scene.image[window]) * alpha[..., None]
    scene.foreground[window] |= alpha > 0.5
    assert scene.parts is not None
    scene.parts[window][alpha > 0.02] = number


def _backdrop(rng: np.random.Generator, size_px: int, level: float) -> FloatMap:
    image = patterns.ground(rng, size_px, level)
    light = 1 + rng.uniform(0, 0.2) * smooth_noise(rng, size_px, 1)
    return np.clip(image * light[..., None], 0, 1).astype(np.float32)


def parts_of(outlines: Sequence[Outline], rng: np.random.Generator, size_px: int) -> Scene:
    """A picture of one or several equal parts with one of the given outlines."""
    below, above = patterns.two_levels(rng)
    backdrop = _backdrop(rng, size_px, below)
    is_loose = bool(rng.random() < LOOSE)
    scene = Scene(
        image=backdrop.copy(),
        foreground=np.zeros((size_px, size_px), dtype=np.bool_),
        backdrop=backdrop,
        parts=np.zeros((size_px, size_px), dtype=np.int32),
        is_orderly=not is_loose,
    )
    outline = outlines[int(rng.integers(len(outlines)))]
    places, side = _places(rng, size_px, is_loose=is_loose)
    part_seed, angle = int(rng.integers(2**31)), float(rng.choice([0, 0, 1, 2, 3]) * np.pi / 2)
    for number, corner in enumerate(places, start=1):
        turn = rng.uniform(0, 2 * np.pi) if is_loose else angle
        if number == 1 or is_loose:
            # Equal parts: the same seed draws the same outline and material again, only turned.
            image, alpha = _part(np.random.default_rng(part_seed), outline, side, above, turn)
        tint = np.float32(rng.uniform(0.95, 1.05))
        _lay(scene, number, corner, np.clip(image * tint, 0, 1), alpha)
    return scene


def builder(*outlines: Outline) -> NormalBuilder:
    """A family of pictures of parts with the given outlines."""
    return partial(parts_of, outlines)
