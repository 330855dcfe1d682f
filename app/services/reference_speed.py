"""Time what references cost beside the backbone's own passes: both alternate, as in `bench`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image

from app.services.bench import Duration, Spread, alternating, spread
from app.services.patch_tokens import PatchDescriber
from app.services.references import ReferenceBuilder
from app.services.reports import Track, untracked
from models.data.pictures import Picture
from models.evaluation.synthetic import held_out_samples

SPEED_PX: Final = 518
_REFERENCES: Final = 8
_BANK_PATCHES: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedReport:
    """Ratios of times, pair by pair."""

    image_size: int
    threads: int
    repeats: int
    references: int
    bank_patches: int
    bank_ratio: Spread  # building a bank, to as many passes through every block; 1.05 = 5 % more
    bank_cpu_ratio: Spread  # the same in this process's processor time
    bank_to_layer_ratio: Spread  # building, to passes that end at the last layer in use
    distance_share: Spread  # one picture's distances to the bank, to one pass through every block
    distance_cpu_share: Spread


def time_references(describer: PatchDescriber, repeats: int, track: Track = untracked) -> SpeedReport:
    """Build a bank again and again, and compare one picture with a large one.

    Args:
        describer: the backbone at the size to be timed.
        repeats: how many pairs of each.
        track: shows progress.
    """
    import torch
    import torch.nn.functional as F

    from models.methods.nearest_patch import bank_maps, build_bank

    pictures = [_picture(index, describer.image_size) for index in range(_REFERENCES)]
    generator = torch.Generator().manual_seed(0)
    layers, width = len(describer.layers), describer.backbone.width
    rows = F.normalize(torch.randn(layers, _BANK_PATCHES, width, generator=generator), dim=-1)
    bank = build_bank([rows], describer.layers, None)
    tokens = describer.tokens(pictures[0].rgb)

    def passes(count: int, *, last: bool) -> None:
        for picture in pictures[:count]:
            images = describer.prepared(picture.rgb)
            with torch.inference_mode():
                describer.backbone(images, (describer.backbone.depth,) if last else describer.layers)

    def build() -> None:
        ReferenceBuilder(lambda: describer).build(pictures)

    def timed(name: str, first: Callable[[], object], second: Callable[[], object]) -> list[tuple[Duration, Duration]]:
        return list(track(alternating(first, second, repeats=repeats), desc=name, total=repeats))

    whole = timed("bank", lambda: passes(_REFERENCES, last=True), build)
    to_layer = timed("bank, to its last layer", lambda: passes(_REFERENCES, last=False), build)
    distance = timed("distance", lambda: passes(1, last=True), lambda: bank_maps(tokens, bank))
    return SpeedReport(
        image_size=describer.image_size,
        threads=torch.get_num_threads(),
        repeats=repeats,
        references=_REFERENCES,
        bank_patches=_BANK_PATCHES,
        bank_ratio=_wall(whole),
        bank_cpu_ratio=_cpu(whole),
        bank_to_layer_ratio=_wall(to_layer),
        distance_share=_wall(distance),
        distance_cpu_share=_cpu(distance),
    )


def _wall(pairs: list[tuple[Duration, Duration]]) -> Spread:
    return spread([second.wall_s / first.wall_s for first, second in pairs])


def _cpu(pairs: list[tuple[Duration, Duration]]) -> Spread:
    return spread([second.cpu_s / first.cpu_s for first, second in pairs])


def _picture(seed: int, side_px: int) -> Picture:
    sample = next(held_out_samples(1, seed=seed, size_px=128))
    rgb = np.asarray(Image.fromarray(sample.image).resize((side_px, side_px), Image.Resampling.BICUBIC))
    return Picture(rgb=rgb, name=f"reference {seed}", digest=hashlib.sha256(rgb.tobytes()).hexdigest(), note="")
