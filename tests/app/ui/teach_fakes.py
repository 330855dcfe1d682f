"""A teacher that learns nothing but reports as the real one does, and versions that were made without training."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from app.store.jobs import TeachRequest
from app.store.records import Label, NewRevision
from app.store.versions import TaughtRevision, Version, describe
from app.store.workspace import Workspace
from models.head_files import save_head
from models.registry import DEFAULT_PRESET, PRESETS
from models.weights import WeightsLocation

FAKE_TEACH: Final = "tests.app.ui.teach_fakes:teach"
SHIPPED_DIGEST: Final = "5" * 64
STEPS: Final = 6
STEP_S: Final = 0.3


def corrected(workspace: Workspace, labels: Sequence[Label | None]) -> list[str]:
    """Put a picture into the workspace for each label, marked where anomalous; None leaves it uncorrected."""
    digests = []
    for place, label in enumerate(labels):
        rgb = np.full((60, 80, 3), 255, dtype=np.uint8)
        mask = np.zeros((60, 80), dtype=np.bool_)
        mask[10 + place : 30 + place, 20:40] = True
        rgb[mask] = 10 * place
        file = io.BytesIO()
        Image.fromarray(rgb).save(file, format="PNG")
        digests.append(workspace.add_image(file.getvalue(), f"part {place}.png", author="Ann").image.digest)
        if label is not None:
            marks = {"anomalous": mask, "normal": np.zeros_like(mask)}.get(label)
            workspace.save(digests[-1], NewRevision(label=label, mask=marks, author="Ann"))
    return digests


@dataclass(frozen=True, slots=True)
class Said:
    """What is reported."""

    doing: str
    share: float
    step: int | None = None
    losses: dict[str, float] | None = None
    held_out: float | None = None


def measures(pixel_ap: float, image_auroc: float | None = 0.9) -> dict[str, Any]:
    """Numbers of one head on some pictures."""
    return {
        "image_auroc": image_auroc, "image_ap": 0.8, "pixel_auroc": 0.95, "pixel_ap": pixel_ap, "iou": None,
        "loss": 0.5, "normal": 2, "anomalous": 1,
    }  # fmt: skip


def metrics(better: bool = True) -> dict[str, Any]:
    """What a version says of its before and after."""
    return {
        "held_out": {
            "how": "held out", "pictures": 3, "before": measures(0.4), "after": measures(0.625 if better else 0.3),
        },
        "synthetic": {"before": measures(0.7), "after": measures(0.695)},
        "better": better,
        "sentence": "It got better: pixel AP 0.400 before, 0.625 after." if better else "It did not get better.",
        "seconds": {"all": 12.3},
        "stopped_at": 4,
    }  # fmt: skip


def add_version(
    workspace: Workspace,
    folder: Path,
    *,
    preset: str = DEFAULT_PRESET,
    parent: str = SHIPPED_DIGEST,
    better: bool = True,
    author: str = "Ann",
    taught: Mapping[str, Any] | None = None,
) -> Version:
    """Put a version without weights on the shelf, taught with the newest corrections."""
    shelf = workspace.versions
    revisions = [
        TaughtRevision(
            image_digest=image.digest, number=revision.number, label=str(revision.label), held_out=place % 2 == 1
        )
        for place, (image, revision) in enumerate(workspace.annotated())
        if revision.label != "unsure"
    ]
    name = shelf.next_name(preset)
    config = {
        "backbone": PRESETS[preset].backbone,
        "method": PRESETS[preset].method,
        "version": describe(
            preset=preset,
            name=name,
            parent=parent,
            mode="quick",
            author=author,
            revisions=revisions,
            metrics=dict(metrics(better) if taught is None else taught),
        ),
    }
    path = folder / f"{name}.safetensors"
    save_head(path, {"weight": np.full(1, len(shelf.list()), dtype=np.float32)}, config)
    return shelf.add(path)


def teach(
    workspace: Workspace,
    request: TeachRequest,
    where: WeightsLocation,
    device: str,
    *,
    work_folder: Path,
    report: Callable[[Said], None],
    is_cancelled: Callable[[], bool],
) -> Version | None:
    """Take a few steps, and leave a version that learned nothing."""
    steps = request.steps or STEPS
    for step in range(steps):
        if is_cancelled():
            return None
        report(Said("trains", step / steps, step, {"pixels": 2.0 / (step + 1)}, 1.0 if step % 2 else None))
        time.sleep(STEP_S)
    active = workspace.versions.active(request.preset)
    return add_version(workspace, work_folder, preset=request.preset, parent=active or SHIPPED_DIGEST)
