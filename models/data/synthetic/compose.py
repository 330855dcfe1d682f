"""Laying an anomaly over a scene so that its mask is exact: outside of it nothing changes, inside it one can see it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from models.data.synthetic.canvas import AnomalyBuilder, BoolMap, FloatMap, Scene, blend
from models.data.synthetic.colours import colour, greyed, luminance
from models.data.synthetic.strokes import blob, site

PLAIN_SPOT = "plain_spot"  # what is painted where no other family can be seen
SMALLEST_SHARE, LARGEST_SHARE = 0.0004, 0.25
JUST_VISIBLE = 0.025  # difference of a pixel, in [0, 1]
TRIES = 3
INSTANCES = (1, 1, 1, 2, 2, 3, 4)


@dataclass(frozen=True, slots=True, eq=False)
class Added:
    """A picture with an anomaly."""

    image: FloatMap  # (S, S, 3)
    mask: BoolMap  # (S, S); exactly where `image` may differ from the normal picture


def change_of(before: FloatMap, after: FloatMap) -> FloatMap:
    """How much each pixel (S, S) changed, in the channel that changed most."""
    change = np.abs(after - before)
    return np.asarray(np.maximum(np.maximum(change[..., 0], change[..., 1]), change[..., 2]), dtype=np.float32)


def _visible(before: FloatMap, after: FloatMap, alpha: FloatMap) -> BoolMap:
    """Pixels that changed enough to be seen, and those between them."""
    change = change_of(before, after)
    change[alpha <= 0.02] = 0
    nearby = ndimage.uniform_filter(change, max(3, before.shape[0] // 60))
    seen = (change > JUST_VISIBLE) & (nearby > JUST_VISIBLE / 4)
    between = (nearby > JUST_VISIBLE) & (alpha > 0.02)
    return np.asarray(seen | between, dtype=np.bool_)


def _texture(grey: FloatMap) -> FloatMap:
    """How far each pixel is from the mean of its neighbours."""
    return np.asarray(np.abs(grey - ndimage.uniform_filter(grey, 5)), dtype=np.float32)


def _stands_out(before: FloatMap, after: FloatMap, mask: BoolMap) -> bool:
    """Whether the change is strong against the surface's own texture, which would hide a faint one."""
    grey = luminance(before)
    texture = _texture(grey)
    change = float(change_of(before, after)[mask].mean())
    hidden_by = float(texture[ndimage.binary_dilation(mask, iterations=3)].mean())
    size_helps = min(1.0, 2.0 / float(np.sqrt(max(int(mask.sum()) / 40, 1))))
    coarse = float(ndimage.uniform_filter(grey, grey.shape[0] // 12)[::4, ::4].std())
    if change > 0.04 + 1.2 * hidden_by * size_helps + 0.2 * coarse:
        return True
    texture_there = float(texture[mask].mean())
    lost_or_new = abs(float(_texture(luminance(after))[mask].mean()) - texture_there)
    return bool(mask.mean() > 0.004 and lost_or_new > 0.015 + 0.35 * texture_there)


def _merged(
    image: FloatMap, scene: Scene, builder: AnomalyBuilder, rng: np.random.Generator, *, on_part: bool
) -> Added:
    paint = builder(rng, replace(scene, image=image))
    alpha = paint.alpha * scene.foreground if on_part else paint.alpha
    after = np.clip(blend(image, paint.image, alpha), 0, 1).astype(np.float32)
    if scene.is_grey:
        after = greyed(after)
    mask = _visible(image, after, alpha)
    return Added(np.where(mask[..., None], after, image), mask)


def add_anomaly(
    rng: np.random.Generator, builder: AnomalyBuilder, scene: Scene, *, on_part: bool = False
) -> Added | None:
    """Paint one to four instances of a family.

    Args:
        on_part: whether it must stay on the scene's foreground, as a crack in a part does and a hair does not.

    Returns:
        The picture and its mask, or None where the family cannot be seen on this scene, or fills too much of it.
    """
    image, total = scene.image, np.zeros(scene.image.shape[:2], dtype=np.bool_)
    for _ in range(int(rng.choice(INSTANCES))):
        for _ in range(TRIES):
            added = _merged(image, scene, builder, rng, on_part=on_part)
            share = float((total | added.mask).mean())
            fits = SMALLEST_SHARE <= share <= LARGEST_SHARE and bool(added.mask.any())
            if fits and _stands_out(image, added.image, added.mask):
                image, total = added.image, total | added.mask
                break
        else:
            break
    return Added(image, total) if total.any() else None


def add_plain_spot(rng: np.random.Generator, scene: Scene) -> Added:
    """Paint one spot of a tone that is far from what is there; this is visible on every scene."""
    size_px = scene.image.shape[0]
    centre = site(rng, scene.foreground)
    alpha = np.clip(blob(rng, size_px, centre, max(2.5, size_px * rng.uniform(0.02, 0.1))) * 2, 0, 1)
    alpha[int(centre[1]), int(centre[0])] = 1
    level = float(luminance(scene.image)[alpha > 0.5].mean())
    tone = colour(rng, 0.05 if level > 0.5 else 0.95)
    after = blend(scene.image, tone, alpha).astype(np.float32)
    if scene.is_grey:
        after = greyed(after)
    mask = _visible(scene.image, after, alpha)
    mask[int(centre[1]), int(centre[0])] = True
    return Added(np.where(mask[..., None], after, scene.image), mask)
