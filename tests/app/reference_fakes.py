"""A backbone without weights for references: a patch's token points up by how dark the patch is.

White is (1, 0), black is (0, 1), so that the cosine distance of two greys is 1 - cos(90 degrees * their difference).
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from app.services.inspector import Inspector, LoadModel
from app.services.patch_tokens import PatchDescriber
from app.services.references import ReferenceBuilder
from app.ui.engine import Engine
from models.data.pictures import Picture
from models.presets import DEFAULT_PRESET, NEAREST_PATCH_PRESET
from models.registry import PRESETS, BackboneSpec, get_backbone_spec
from models.status import PresetStatus
from tests.app.fakes import FakeModel, nowhere

GRID = 4
SIDE_PX = 56


class FakeBackbone(nn.Module):
    """What is asked of a backbone besides running it."""

    patch_px = 14
    width = 2
    depth = 12

    def __init__(self) -> None:
        super().__init__()
        self.nothing = nn.Parameter(torch.zeros(1))


@dataclass(slots=True, eq=False)
class FakeDescriber:
    """Stands for PatchDescriber; both layers say the same."""

    backbone: FakeBackbone = field(default_factory=FakeBackbone)
    spec: BackboneSpec = field(default_factory=lambda: get_backbone_spec("dinov2-small"))
    image_size: int = SIDE_PX
    layers: tuple[int, ...] = (6, 9)
    source: str = "a fake"
    grid_hw: tuple[int, int] = (GRID, GRID)
    calls: int = 0
    seconds: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def prepared(self, rgb: NDArray[np.uint8]) -> Tensor:
        """As the real one, but averaging."""
        small = Image.fromarray(rgb).resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX)
        values = torch.from_numpy(np.asarray(small).copy()).permute(2, 0, 1).float() / 255
        return ((values - self._column(self.spec.mean)) / self._column(self.spec.std)).unsqueeze(0)

    def describe(self, images: Tensor) -> Tensor:
        """(B, 3, S, S) to (B, 2, 16, 2)."""
        with self.lock:
            self.calls += 1
        time.sleep(self.seconds)
        values = images * self._column(self.spec.std) + self._column(self.spec.mean)
        grey = F.adaptive_avg_pool2d(values.mean(dim=1, keepdim=True), GRID).flatten(1).clamp(0, 1)
        angle = (1 - grey) * (torch.pi / 2)
        tokens = torch.stack([angle.cos(), angle.sin()], dim=-1)
        return torch.stack([tokens, tokens], dim=1)

    def tokens(self, rgb: NDArray[np.uint8]) -> Tensor:
        """(H, W, 3) to (2, 16, 2)."""
        return self.describe(self.prepared(rgb))[0]

    @staticmethod
    def _column(values: tuple[float, ...]) -> Tensor:
        return torch.tensor(values).view(3, 1, 1)


def as_describer(fake: FakeDescriber) -> PatchDescriber:
    """For signatures."""
    return cast(PatchDescriber, fake)


def fake_builder(fake: FakeDescriber) -> ReferenceBuilder:
    """A builder on a fake backbone."""
    return ReferenceBuilder(lambda: as_describer(fake))


def inspector_with_references(model: FakeModel, fake: FakeDescriber) -> Inspector:
    """An inspector whose zero-shot model and whose backbone for references are fakes."""
    return Inspector(nowhere(), load=cast(LoadModel, lambda _: model), describe=lambda: as_describer(fake))


def grey_picture(
    level: int, name: str = "grey.png", size_hw: tuple[int, int] = (56, 56), spot: int | None = None
) -> Picture:
    """All of one grey, 0 to 255; `spot` is the grey of its upper left quarter."""
    rgb = np.full((*size_hw, 3), level, dtype=np.uint8)
    if spot is not None:
        rgb[: size_hw[0] // 2, : size_hw[1] // 2] = spot
    return Picture(rgb=rgb, name=name, digest=f"{name} {level} {spot} {size_hw}", note="")


def compared_engine(model: FakeModel, fake: FakeDescriber) -> Engine:
    """An engine whose model and whose backbone for references are fakes, and whose small presets are ready."""
    engine = Engine(nowhere(), load=cast(LoadModel, lambda _: model), describe=lambda: as_describer(fake))
    ready = (DEFAULT_PRESET, NEAREST_PATCH_PRESET)
    statuses = tuple(
        PresetStatus(
            preset=name,
            ready=name in ready,
            backbone_source="a fake",
            head_source="a fake",
            size_bytes=1_000_000 if name in ready else 0,
            licence="",
            how_to_get="" if name in ready else "It is a fake and cannot be got.",
        )
        for name in PRESETS
    )
    engine.inspector.statuses = lambda: statuses  # type: ignore[method-assign]
    return engine
