"""Normal pictures cut from photographs: those that scikit-image ships, and any that the training run was given."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from models.data.synthetic.canvas import FloatMap, Scene, whole

SHIPPED_TRAIN = (
    "coffee.png", "chelsea.png", "camera.png", "motorcycle_left.png", "hubble_deep_field.jpg", "ihc.png", "page.png",
    "rocket.jpg", "retina.jpg", "clock_motion.png", "text.png",
)  # fmt: skip
SHIPPED_HELD_OUT = ("gravel.png", "brick.png", "grass.png", "moon.png", "coins.png")
LARGEST_KEPT_PX = 1024


def _opaque(picture: Image.Image) -> Image.Image:
    """RGB without transparency; what is see-through shows mid grey."""
    if "A" in picture.getbands() or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        below = Image.new("RGBA", picture.size, (128, 128, 128, 255))
        picture = Image.alpha_composite(below, picture)
    return picture.convert("RGB")


def _kept(picture: Image.Image) -> Image.Image:
    picture = _opaque(picture)
    picture.thumbnail((LARGEST_KEPT_PX, LARGEST_KEPT_PX))
    return picture


@lru_cache(maxsize=32)
def _shipped(name: str) -> Image.Image:
    data = resources.files("skimage").joinpath("data", name).read_bytes()
    return _kept(Image.open(BytesIO(data)))


@lru_cache(maxsize=192)  # about 200 MB of pictures of 512 px; decoding one takes longer than all else
def _from_disk(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        picture.draft("RGB", (LARGEST_KEPT_PX, LARGEST_KEPT_PX))
        return _kept(picture)


def _crop(rng: np.random.Generator, picture: Image.Image, size_px: int) -> FloatMap:
    """A square cut of any scale that the picture's resolution allows, turned and mirrored at random."""
    shortest = min(picture.size)
    side = rng.uniform(min(0.3 * shortest, max(size_px * 0.6, 0.2 * shortest)), shortest)
    left, top = rng.uniform(0, picture.width - side), rng.uniform(0, picture.height - side)
    box = (left, top, left + side, top + side)
    cut = picture.resize((size_px, size_px), Image.Resampling.BICUBIC, box=box)
    image = np.asarray(cut, dtype=np.float32) / np.float32(255)
    if rng.random() < 0.5:
        image = image[:, ::-1]
    return np.ascontiguousarray(np.rot90(image, int(rng.integers(4))))


def shipped_train(rng: np.random.Generator, size_px: int) -> Scene:
    """A cut of one of scikit-image's pictures for training."""
    return whole(_crop(rng, _shipped(str(rng.choice(SHIPPED_TRAIN))), size_px))


def shipped_held_out(rng: np.random.Generator, size_px: int) -> Scene:
    """A cut of one of scikit-image's pictures that training never sees."""
    return whole(_crop(rng, _shipped(str(rng.choice(SHIPPED_HELD_OUT))), size_px))


def photograph(paths: Sequence[Path], rng: np.random.Generator, size_px: int) -> Scene:
    """A cut of one of the given photographs."""
    return whole(_crop(rng, _from_disk(paths[int(rng.integers(len(paths)))]), size_px))
