"""Stand-ins for teaching, called by real worker processes: they count steps and keep their progress in a file."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app.store.jobs import TeachRequest
from app.store.versions import Version, describe
from app.store.workspace import Workspace
from models.errors import DataError
from models.head_files import save_head
from models.registry import DEFAULT_PRESET
from models.weights import WeightsLocation


@dataclass(frozen=True)
class FakeProgress:
    doing: str
    share: float
    step: int | None = None
    losses: dict[str, float] | None = None
    held_out: float | None = None


def write_head(path: Path, preset: str = DEFAULT_PRESET, *, seed: int = 0, **description: Any) -> str:
    """A head file with a small tensor and, where one is given, the description of a version; returns its digest."""
    config: dict[str, Any] = {"method": "VisualAD", "backbone": "dinov2-small", "image_size": 392}
    if description:
        given = {"preset": preset, "name": "version 1", "parent": "p" * 64, "mode": "quick", "author": "ann"}
        config["version"] = describe(**{**given, **description})
    return save_head(path, {"weight": np.full(4, seed, dtype=np.float32)}, config)


def add_version(workspace: Workspace, folder: Path, *, seed: int = 0, **description: Any) -> Version:
    """A version of the default preset in a workspace."""
    preset = description.get("preset", DEFAULT_PRESET)
    described = {"name": workspace.versions.next_name(preset), **description}
    path = folder / f"head-{seed}.safetensors"
    write_head(path, seed=seed, **described)
    return workspace.versions.add(path)


def steps(
    workspace: Workspace,
    request: TeachRequest,
    where: WeightsLocation,
    device: str,
    *,
    work_folder: Path,
    report: Callable[[Any], None],
    is_cancelled: Callable[[], bool],
    step_s: float = 0.05,
) -> Version | None:
    """`request.steps` steps; each is noted in steps.txt with the attempt, the last one in progress.pt."""
    progress = work_folder / "progress.pt"
    done = json.loads(progress.read_text()) if progress.exists() else 0
    total = request.steps or 3
    for step in range(done + 1, total + 1):
        if is_cancelled():
            return None
        time.sleep(step_s)
        with (work_folder / "steps.txt").open("a") as file:
            file.write(f"{step}\n")
        part = progress.with_suffix(".part")
        part.write_text(json.dumps(step))
        part.replace(progress)
        report(FakeProgress(f"step {step} of {total}", step / total, step, {"image": 1 / step}, 2 / step))
    return add_version(workspace, work_folder, seed=request.seed, metrics={"sentence": "It got better."})


def needless(*_: Any, **__: Any) -> None:
    """Refuses with a sentence."""
    raise DataError("Nothing is labelled yet; correct some pictures first.")


def broken(*_: Any, **__: Any) -> None:
    """Fails with an error that nobody foresaw."""
    raise ZeroDivisionError("by nothing at all")


def deaf(*_: Any, work_folder: Path, **__: Any) -> None:
    """Never ends."""
    (work_folder / "began").touch()
    time.sleep(600)
