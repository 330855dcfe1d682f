"""A tiny VisualAD as the shipped head, and workspaces with labelled pictures, for the tests of teaching."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from app.services.teaching_examples import SyntheticCounts
from app.store.records import NewRevision
from app.store.workspace import Workspace
from models import loading
from models.backbones.vit import build_tiny_backbone
from models.methods.visualad import VisualAD, VisualADConfig
from models.training.checkpoint import export_head
from models.weights import WeightsLocation

PRESET = "visualad-dinov2-small"
SIDE = 70
COUNTS = SyntheticCounts(replay=2, normals=3, anomalous=2)


def ship_tiny_head(monkeypatch: pytest.MonkeyPatch, folder: Path) -> WeightsLocation:
    """Let the preset be a tiny random VisualAD with layers 2 and 4 at 70 px."""
    monkeypatch.setattr(loading, "load_backbone", lambda *_, **__: (build_tiny_backbone(image_px=SIDE), "the test"))
    heads = folder / "heads"
    monkeypatch.setattr("models.weights.HEADS_DIR", heads)
    torch.manual_seed(0)
    method = VisualAD(build_tiny_backbone(image_px=SIDE), VisualADConfig(layers=(2, 4))).eval()
    normal_maps = torch.rand(4, 2, 5, 5) * 0.1
    config = {
        "method": "VisualAD",
        "backbone": "dinov2-small",
        "backbone_sha256": "of the test",
        "layers": [2, 4],
        "image_size": SIDE,
        "training": {"data": "synthetic", "note": "of the test"},
    }
    export_head(heads / f"{PRESET}.safetensors", method.head.state_dict(), config, normal_maps)
    return WeightsLocation(weights_dir=folder / "weights")


def picture(number: int, *, spot: bool = False, size: int = 80) -> bytes:
    """A PNG of noise, another for each number, with a black square where asked."""
    pixels = np.random.default_rng(number).integers(100, 200, (size, size, 3), dtype=np.uint8)
    if spot:
        pixels[20:40, 20:40] = 0
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return file.getvalue()


def spot_mask(size: int = 80) -> NDArray[np.bool_]:
    """Where `picture` has its square."""
    mask = np.zeros((size, size), dtype=np.bool_)
    mask[20:40, 20:40] = True
    return mask


def label(workspace: Workspace, number: int, *, anomalous: bool, marked: bool = True) -> str:
    """Add a picture with its label; returns its digest."""
    added = workspace.add_image(picture(number, spot=anomalous), f"{number}.png", author="ann").image
    mask = spot_mask() if anomalous and marked else None
    workspace.save(added.digest, NewRevision("anomalous" if anomalous else "normal", mask, "ann"))
    return added.digest


def labelled_workspace(folder: Path, normal: int, anomalous: int) -> Workspace:
    """A workspace with so many pictures of each label, numbered from 0 and from 100."""
    workspace = Workspace.open(folder)
    for number in range(normal):
        label(workspace, number, anomalous=False)
    for number in range(100, 100 + anomalous):
        label(workspace, number, anomalous=True)
    return workspace
