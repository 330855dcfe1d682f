"""Describe a picture by its patch tokens: what reference banks and mutual scoring are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.errors import DataError
from models.presets import NEAREST_PATCH_PRESET
from models.registry import get_backbone_spec, get_preset

if TYPE_CHECKING:
    from torch import Tensor

    from models.backbones import Backbone
    from models.loading import LoadedModel
    from models.registry import BackboneSpec
    from models.weights import Report, WeightsLocation


@dataclass(frozen=True, slots=True, eq=False)
class PatchDescriber:
    """A frozen backbone that says what each patch of a picture looks like; immutable, so it can be shared."""

    backbone: Backbone
    spec: BackboneSpec
    image_size: int  # side of the square input, pixels
    layers: tuple[int, ...]  # the L layers, counted from 1
    source: str  # where the weights are from, in words

    @property
    def grid_hw(self) -> tuple[int, int]:
        """Patches of a picture, high and wide."""
        side = self.image_size // self.backbone.patch_px
        return side, side

    def prepared(self, rgb: NDArray[np.uint8]) -> Tensor:
        """Resize and normalise a picture (H, W, 3): (1, 3, S, S)."""
        from models.preprocessing import to_input

        return to_input(rgb, (self.image_size, self.image_size), self.spec).unsqueeze(0)

    def describe(self, images: Tensor) -> Tensor:
        """Tokens of prepared pictures (B, 3, S, S): (B, L, N, D), unit length, on the CPU."""
        from models.evaluation.nearest_patch import unit_tokens

        device = next(self.backbone.parameters()).device
        return unit_tokens(self.backbone, images.to(device), self.layers).cpu()

    def tokens(self, rgb: NDArray[np.uint8]) -> Tensor:
        """Tokens of one picture (H, W, 3): (L, N, D), unit length."""
        return self.describe(self.prepared(rgb))[0]


def load_describer(
    where: WeightsLocation,
    device: str = "cpu",
    *,
    preset: str = NEAREST_PATCH_PRESET,
    image_size: int | None = None,
    report: Report = lambda _: None,
) -> PatchDescriber:
    """Load the backbone of a preset that needs references.

    Args:
        where: where weights may come from.
        device: torch's name of the device.
        preset: whose backbone and layers.
        image_size: side of the input in pixels; None = the preset's.
        report: told what is being done.
    Raises:
        WeightsError: the backbone's weights are missing or damaged.
        DataError: the size is no multiple of the backbone's patches.
    """
    from models.loading import load_backbone

    entry = get_preset(preset)
    spec = get_backbone_spec(entry.backbone)
    side = image_size or entry.image_size
    if side % spec.patch_px:
        raise DataError(f"The image size {side} does not fit; take a multiple of {spec.patch_px}.")
    backbone, source = load_backbone(entry, where, report=report)
    return PatchDescriber(backbone.to(device).eval(), spec, side, entry.default_layers, source)


def reference_model(preset: str, describer: PatchDescriber) -> LoadedModel:
    """A preset that knows nothing but references, as a model whose maps others work out; no head, no calibration."""
    from models.loading import LoadedModel
    from models.methods.reference_only import ReferenceOnly

    return LoadedModel(
        preset=get_preset(preset),
        layers=describer.layers,
        image_size=describer.image_size,
        checkpoint_digest="",
        backbone_source=describer.source,
        device=str(next(describer.backbone.parameters()).device),
        calibration=None,
        method=ReferenceOnly(describer.backbone, describer.layers),
    )
