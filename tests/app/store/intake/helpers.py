"""Masks to import, and what a workspace and a report say afterwards."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from app.store.intake.report import IntakeReport
from app.store.workspace import Workspace

MASK = np.zeros((6, 8), dtype=np.bool_)
MASK[1:3, 2:5] = True
OTHER_MASK = MASK | np.eye(6, 8, dtype=np.bool_)


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def digests(workspace: Workspace) -> dict[str, str]:
    return {image.name: image.digest for image in workspace.images()}


def stored_mask(workspace: Workspace, name: str) -> np.ndarray:
    newest = workspace.newest(digests(workspace)[name])
    assert newest is not None
    assert newest.mask_digest is not None
    return workspace.mask(newest.mask_digest)


def counts(report: IntakeReport) -> tuple[int, int, int, int]:
    return report.added, report.known, report.annotations, report.unchanged


def refused(report: IntakeReport) -> dict[str, str]:
    return {refusal.name: refusal.why for refusal in report.refused}


def no_temporary_files(workspace: Workspace) -> bool:
    return list(workspace.folder.glob("cache/*")) == []
