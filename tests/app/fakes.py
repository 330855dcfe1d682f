"""A model without weights: its layer maps follow from the picture by simple rules that tests can work out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.services.inspector import Inspector, LoadModel
from models.calibration import Thresholds
from models.data.pictures import Picture
from models.methods.prompts import PromptSet
from models.reading import PictureMaps
from models.registry import DEFAULT_PRESET, PRESETS, Preset
from models.weights import WeightsLocation

GRID = 37


class FakeCalibration:
    """Thresholds in proportion to the number of layers."""

    def thresholds(
        self, layers: tuple[int, ...], *, top_k: float, blur_sigma: float, alpha: float = 0.0, top_patches: int = 1
    ) -> Thresholds:
        """0.3 suspicious, 0.4 anomalous, 0.05 normal, per layer."""
        count = len(layers)
        return Thresholds(0.3 * count, 0.4 * count, 0.05 * count, 0.98)


@dataclass(slots=True, eq=False)
class FakeModel:
    """Every layer's map is the picture's darkness at 37 x 37, times the layer's place (1, 2, 3, 4) / 4."""

    preset: Preset = PRESETS[DEFAULT_PRESET]
    layers: tuple[int, ...] = (3, 6, 9, 12)
    image_size: int = 518
    checkpoint_digest: str = "c0ffee" * 10 + "abcd"
    backbone_source: str = "a fake"
    device: str = "cpu"
    calibration: FakeCalibration | None = field(default_factory=FakeCalibration)
    seconds: float = 0.0
    calls: int = 0
    trained_on: str | None = "synthetic"

    @property
    def default_layers(self) -> tuple[int, ...]:
        """All of them."""
        return self.layers

    @property
    def branches(self) -> tuple[str, ...]:
        """One map a layer."""
        return ("map",)

    def picture_maps(self, rgb: NDArray[np.uint8], prompts: PromptSet | None = None) -> PictureMaps:
        """`layer_maps` as models give them."""
        return PictureMaps(self.layer_maps(rgb)[None])

    def layer_maps(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(H, W, 3) to (4, 37, 37)."""
        self.calls += 1
        time.sleep(self.seconds)
        grey = Image.fromarray(rgb).convert("L").resize((GRID, GRID), Image.Resampling.BOX)
        darkness = 1.0 - np.asarray(grey, dtype=np.float32) / 255.0
        return np.stack([darkness * (place / 4) for place in (1, 2, 3, 4)]).astype(np.float32)


def fake_inspector(model: FakeModel, load: Callable[[str], FakeModel] | None = None) -> Inspector:
    """An inspector that loads `model` whatever it is asked for."""
    return Inspector(nowhere(), load=loader(model) if load is None else load)  # type: ignore[arg-type]


def loader(model: FakeModel) -> LoadModel:
    """A function that hands out `model` under every name."""
    return lambda name: model  # type: ignore[return-value]


def nowhere() -> WeightsLocation:
    """A place without weights."""
    return WeightsLocation(weights_dir=Path("/nonexistent"))


def spotted_picture(size_hw: tuple[int, int] = (200, 300), digest: str = "a" * 64, name: str = "spot.png") -> Picture:
    """White, with one black square that covers a ninth of it, in the middle."""
    height, width = size_hw
    rgb = np.full((height, width, 3), 255, dtype=np.uint8)
    rgb[height // 3 : 2 * height // 3, width // 3 : 2 * width // 3] = 0
    return Picture(rgb=rgb, name=name, digest=digest, note="")


def white_picture(size_hw: tuple[int, int] = (200, 300)) -> Picture:
    """All white: the fake model finds nothing in it."""
    return Picture(rgb=np.full((*size_hw, 3), 255, dtype=np.uint8), name="white.png", digest="b" * 64, note="")
