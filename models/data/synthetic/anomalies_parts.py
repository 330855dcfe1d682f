"""Anomalies of composition: missing, shifted and turned parts, and pieces of another picture."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from models.data.synthetic.canvas import FloatMap, NormalBuilder, Paint, Scene, log_uniform
from models.data.synthetic.strokes import blob, cloud, polygon, site, softened


def _patch_area(rng: np.random.Generator, scene: Scene, largest: float = 0.2) -> FloatMap:
    """Opacity of a rectangle, polygon or blob at a site of the foreground."""
    size_px = scene.image.shape[0]
    x, y = site(rng, scene.foreground)
    radius = log_uniform(rng, 0.03 * size_px, largest * size_px)
    kind = rng.integers(3)
    if kind == 0:
        half = radius * np.array([1, rng.uniform(0.15, 1)])[rng.permutation(2)]
        alpha = np.zeros((size_px, size_px), dtype=np.float32)
        rows = slice(max(0, int(y - half[0])), int(y + half[0]) + 2)
        alpha[rows, max(0, int(x - half[1])) : int(x + half[1]) + 2] = 1
        return alpha
    return (polygon if kind == 1 else blob)(rng, size_px, (x, y), radius)


def missing_part(rng: np.random.Generator, scene: Scene) -> Paint:
    """A part that is not there, or a piece broken out of it, so that the ground shows."""
    if scene.parts is None or scene.backdrop is None:
        return shifted_patch(rng, scene)
    count = int(scene.parts.max())
    if scene.is_orderly and count >= 4 and rng.random() < 0.6:
        # Without its first or last part a row would only look shorter.
        return Paint(scene.backdrop, (scene.parts == rng.integers(2, count)).astype(np.float32))
    area = (scene.parts == rng.integers(1, count + 1)).astype(np.float32)
    return Paint(scene.backdrop, area * _patch_area(rng, scene, largest=0.25))


def misplaced_part(rng: np.random.Generator, scene: Scene) -> Paint:
    """One of several parts turned or pushed out of its place."""
    if scene.parts is None or scene.backdrop is None or scene.parts.max() < 2:
        return turned_patch(rng, scene)
    number = int(rng.integers(1, int(scene.parts.max()) + 1))
    box = ndimage.find_objects(scene.parts)[number - 1]
    if box is None:
        return turned_patch(rng, scene)
    part, cover = scene.image[box], (scene.parts[box] == number).astype(np.float32)
    angle = float(rng.choice([rng.uniform(12, 60), 90, 180])) * float(rng.choice([-1, 1]))
    turned = ndimage.rotate(part, angle, axes=(0, 1), reshape=False, order=1, mode="nearest")
    turned_cover = ndimage.rotate(cover, angle, axes=(0, 1), reshape=False, order=1)
    if rng.random() < 0.5:
        push = tuple(int(p) for p in rng.choice([-1, 1], 2) * rng.uniform(0.1, 0.3, 2) * cover.shape)
        turned, turned_cover = (ndimage.shift(turned, (*push, 0), order=0), ndimage.shift(turned_cover, push, order=0))
    image = scene.image.copy()
    ground = scene.backdrop[box]
    image[box] = ground + (turned - ground) * turned_cover[..., None]
    alpha = np.zeros(scene.image.shape[:2], dtype=np.float32)
    alpha[box] = 1
    return Paint(np.clip(image, 0, 1), alpha)


def shifted_patch(rng: np.random.Generator, scene: Scene) -> Paint:
    """A piece of the same picture in another place."""
    size_px = scene.image.shape[0]
    shift = (rng.uniform(0.05, 0.5, 2) * size_px * rng.choice([-1, 1], 2)).astype(int)
    return Paint(np.roll(scene.image, tuple(int(s) for s in shift), axis=(0, 1)), _patch_area(rng, scene, 0.15))


def turned_patch(rng: np.random.Generator, scene: Scene) -> Paint:
    """A piece of the same picture turned or mirrored in place."""
    turned = np.rot90(scene.image, int(rng.integers(1, 4)))
    if rng.random() < 0.5:
        angle = rng.uniform(20, 70)
        turned = ndimage.rotate(scene.image, angle, axes=(0, 1), reshape=False, order=1, mode="reflect")
    return Paint(np.ascontiguousarray(np.clip(turned, 0, 1)), _patch_area(rng, scene, 0.15))


def foreign_texture(donor: NormalBuilder, rng: np.random.Generator, scene: Scene) -> Paint:
    """A sharp-edged piece of another kind of surface."""
    other = donor(rng, scene.image.shape[0]).image
    return Paint(other, softened(_patch_area(rng, scene), rng.choice([0.0, 0.0, 1.0])))


def blended_texture(donor: NormalBuilder, rng: np.random.Generator, scene: Scene) -> Paint:
    """Ragged patches in which another surface shines through, from obvious to faint.

    Source:
        Zavrtanik et al., DRAEM, arXiv:2108.07610.
    """
    size_px = scene.image.shape[0]
    other = donor(rng, size_px).image
    alpha = cloud(rng, size_px, log_uniform(rng, 0.003, 0.2)) * scene.foreground
    return Paint(other, (alpha * rng.uniform(0.2, 1.0)).astype(np.float32))


def torn_edge(donor: NormalBuilder, rng: np.random.Generator, scene: Scene) -> Paint:
    """A torn-off corner or strip, under which another surface lies."""
    size_px = scene.image.shape[0]
    angle, line = rng.uniform(0, 2 * np.pi), np.linspace(-0.7, 0.7, size_px, dtype=np.float32)
    side = np.cos(angle) * line[None, :] + np.sin(angle) * line[:, None]
    level = float(np.quantile(side[::4, ::4], 1 - rng.uniform(0.01, 0.12)))
    return Paint(donor(rng, size_px).image, np.clip((side - level) * size_px, 0, 1).astype(np.float32))
