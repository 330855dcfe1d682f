"""The world: one seed, one picture with its mask.  Every choice comes from a stream of its own.

Whether a picture is anomalous never touches the streams of its surface and its camera, so benign variation cannot
tell the label.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.data.synthetic import photographs
from models.data.synthetic.canvas import BoolMap, FloatMap, NormalBuilder, Scene
from models.data.synthetic.compose import PLAIN_SPOT, add_anomaly, add_plain_spot
from models.data.synthetic.families import NORMALS, ON_PART, PHOTOGRAPH, WEIGHTS, Split, fitting_anomalies
from models.data.synthetic.variation import camera, placed, surface, to_picture

SMALLEST_PX = 32
PHOTOGRAPH_SHARE = 0.35
FAMILY_TRIES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Which pictures may come up."""

    split: Split
    photographs: tuple[Path, ...] = ()  # pictures to cut normals from; only "train" uses them
    anomalous_share: float = 0.5  # in [0, 1]

    def __post_init__(self) -> None:
        if self.split not in NORMALS:
            raise ValueError(f"split must be one of {', '.join(NORMALS)}, got {self.split!r}")
        if not 0 <= self.anomalous_share <= 1:
            raise ValueError(f"anomalous_share must be within [0, 1], got {self.anomalous_share}")
        if self.split == "held_out" and self.photographs:
            raise ValueError("photographs belong to the train split; the held_out split takes none")


@dataclass(frozen=True, slots=True, eq=False)
class SyntheticSample:
    """A picture of the world with the truth about it."""

    image: NDArray[np.uint8]  # (S, S, 3)
    mask: BoolMap  # (S, S); True = anomalous; all False if and only if anomaly_family is None
    normal_family: str
    anomaly_family: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Stages:
    """A picture at each step of its making, before it is photographed and placed."""

    normal: Scene
    finished: FloatMap  # (S, S, 3); with the anomaly, if there is one
    mask: BoolMap  # (S, S); the pixels in which `finished` differs from `normal`
    normal_family: str
    anomaly_family: str | None


def _streams(seed: int, world: World, count: int) -> list[np.random.Generator]:
    if seed < 0:
        raise ValueError(f"seed must be 0 or more, got {seed}")
    root = np.random.SeedSequence([seed, list(NORMALS).index(world.split)])
    return [np.random.default_rng(child) for child in root.spawn(count)]


def _pick(rng: np.random.Generator, names: Mapping[str, object]) -> str:
    weights = np.array([WEIGHTS.get(name, 1.0) for name in names])
    return list(names)[int(rng.choice(len(weights), p=weights / weights.sum()))]


def _normal_builder(rng: np.random.Generator, world: World) -> tuple[str, NormalBuilder]:
    if world.photographs and rng.random() < PHOTOGRAPH_SHARE:
        return PHOTOGRAPH, partial(photographs.photograph, world.photographs)
    name = _pick(rng, NORMALS[world.split])
    return name, NORMALS[world.split][name]


def stages(seed: int, world: World, size_px: int) -> Stages:
    """Make a picture up to the point where it is photographed; see `sample`."""
    if size_px < SMALLEST_PX:
        raise ValueError(f"size_px must be {SMALLEST_PX} or more, got {size_px}")
    label, normal, wear, anomaly, _ = _streams(seed, world, 5)
    normal_family, build = _normal_builder(normal, world)
    scene = surface(wear, build(normal, size_px))
    if label.random() >= world.anomalous_share:
        return Stages(scene, scene.image, np.zeros(scene.image.shape[:2], dtype=np.bool_), normal_family, None)
    builders = fitting_anomalies(world.split, normal_family, scene)
    for _ in range(FAMILY_TRIES):
        name = _pick(anomaly, builders)
        added = add_anomaly(anomaly, builders[name], scene, on_part=name in ON_PART)
        if added is not None:
            return Stages(scene, added.image, added.mask, normal_family, name)
    added = add_plain_spot(anomaly, scene)
    return Stages(scene, added.image, added.mask, normal_family, PLAIN_SPOT)


def sample(seed: int, world: World, size_px: int) -> SyntheticSample:
    """Make one picture with its mask; the same arguments always give the same picture.

    Args:
        seed: 0 or more; each seed is another picture.
        world: which pictures may come up.
        size_px: side of the square picture, 32 or more.
    Raises:
        ValueError: `seed` or `size_px` is too small.
    """
    made = stages(seed, world, size_px)
    lens = _streams(seed, world, 5)[-1]
    image, mask = placed(lens, camera(lens, made.finished), made.mask)
    return SyntheticSample(np.asarray(to_picture(image)), mask, made.normal_family, made.anomaly_family)
