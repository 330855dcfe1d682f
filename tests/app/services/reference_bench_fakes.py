"""Tiny random models and cells on disk for the references' bench."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from app.services.patch_tokens import PatchDescriber
from models.backbones.vit import build_tiny_backbone
from models.calibration import Calibration
from models.evaluation.elpv import ElpvCell
from models.loading import LoadedModel
from models.methods.visualad import VisualAD, VisualADConfig
from models.registry import DEFAULT_PRESET, get_backbone_spec, get_preset

SIDE_PX = 56


def tiny_describer() -> PatchDescriber:
    """Two layers of a random backbone; always the same."""
    return PatchDescriber(build_tiny_backbone(), get_backbone_spec("dinov2-small"), SIDE_PX, (2, 3), "random")


def tiny_model() -> LoadedModel:
    """A random VisualAD with a calibration of random maps; always the same."""
    torch.manual_seed(0)
    method = VisualAD(build_tiny_backbone(), VisualADConfig(layers=(2, 4))).eval()
    normal = torch.randn(8, 2, 4, 4, generator=torch.Generator().manual_seed(1))
    return LoadedModel(
        preset=get_preset(DEFAULT_PRESET),
        layers=(2, 4),
        image_size=SIDE_PX,
        checkpoint_digest="ab" * 32,
        backbone_source="random",
        device="cpu",
        calibration=Calibration(normal, (2, 4), SIDE_PX),
        method=method,
    )


def saved_cells(folder: Path, normal: int = 8, anomalous: int = 4, square: int = 0) -> list[ElpvCell]:
    """Noise of one kind, and noise with a square of one grey."""
    cells = []
    for index in range(normal + anomalous):
        rng = np.random.default_rng(index)
        rgb = rng.integers(140, 160, (60, 60, 3), dtype=np.uint8)
        if index >= normal:
            rgb[10:40, 10:40] = square
        path = folder / f"{index}.png"
        Image.fromarray(rgb).save(path)
        cells.append(ElpvCell(path=path, anomalous=index >= normal, cell_type="mono"))
    return cells
