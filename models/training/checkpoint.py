"""Checkpoints of a training run, and the head that comes out of it."""

from __future__ import annotations

import hashlib
import io
import pickle
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.calibration import LabelledMaps, ThresholdRule
from models.errors import WeightsError
from models.head_calibration import THRESHOLD_RULE, calibration_arrays, described_rule
from models.head_files import replace_file, save_head
from models.training.loop import Trainer


def save_progress(path: Path, trainer: Trainer, run: Mapping[str, object]) -> None:
    """Write a run's state whole, so that a killed run can go on; `run` is what must not change in between."""
    buffer = io.BytesIO()
    torch.save({"run": dict(run), "versions": versions(), "state": trainer.state()}, buffer)
    replace_file(path, buffer.getvalue())


def load_progress(path: Path, trainer: Trainer, run: Mapping[str, object]) -> None:
    """Take a run up where `save_progress` left it.

    Raises:
        WeightsError: the file is damaged, or belongs to a run with other settings.
    """
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        same = saved["run"] == dict(run)
    except (RuntimeError, KeyError, TypeError, OSError, EOFError, pickle.UnpicklingError) as error:
        raise WeightsError(f"{path} is damaged or no training state; delete it to begin anew.") from error
    if not same:
        raise WeightsError(f"{path} belongs to a run with other settings; use those, or delete it to begin anew.")
    trainer.restore(saved["state"])


def export_head(
    path: Path,
    head: Mapping[str, Tensor],
    config: Mapping[str, Any],
    normal_maps: Tensor | None,
    *,
    global_scores: Tensor | None = None,
    labelled: LabelledMaps | None = None,
    rule: ThresholdRule | None = None,
) -> str:
    """Write a trained head in half precision; returns the file's SHA-256.

    Args:
        path: the safetensors file, replaced whole.
        head: the state dict of a VisualADHead or of a DAClipHead.
        config: what it is and how it came about; at least backbone, layers and image_size.
        normal_maps: (n, L, gh, gw), or (n, R, L, gh, gw) of R branches, of held-out normal pictures for thresholds.
        global_scores: (n,), theirs, of methods that give one.
        labelled: maps of labelled pictures, for rules that ask for them.
        rule: how thresholds are chosen; None: as `config` says, or by the normal pictures.
    """
    tensors = {name: _half(value) for name, value in head.items()}
    tensors |= calibration_arrays(normal_maps, global_scores, labelled)
    described = {} if rule is None else {THRESHOLD_RULE: described_rule(rule)}
    return save_head(path, tensors, {**config, **described})


def versions() -> dict[str, str]:
    """What a run is computed with."""
    return {name: metadata.version(name) for name in ("torch", "timm", "numpy")} | {"python": platform.python_version()}


def tensors_digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of weights by name, type, shape and value, whatever file they came in; hex."""
    digest = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        array = value.detach().cpu().contiguous().numpy()
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _half(value: Tensor) -> npt.NDArray[np.float16]:
    array: npt.NDArray[np.float16] = value.detach().cpu().to(torch.float16).contiguous().numpy()
    return array
