"""Small pictures, masks and annotations for the store's tests."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.store.records import Mask, NewProposal, NewRevision
from app.store.workspace import Workspace

SIZE_HW = (4, 6)


def picture(number: int = 0, size_hw: tuple[int, int] = SIZE_HW) -> bytes:
    """A PNG of one colour, another for each number."""
    colour = (number % 256, number // 256 % 256, number // 65536)
    file = io.BytesIO()
    Image.new("RGB", (size_hw[1], size_hw[0]), colour).save(file, format="PNG")
    return file.getvalue()


def mask_of(*points_xy: tuple[int, int], size_hw: tuple[int, int] = SIZE_HW) -> Mask:
    """A mask in which exactly these pixels are marked."""
    mask = np.zeros(size_hw, dtype=np.bool_)
    for x, y in points_xy:
        mask[y, x] = True
    return mask


def add(workspace: Workspace, number: int = 0, name: str = "") -> str:
    """Add a picture; returns its digest."""
    return workspace.add_image(picture(number), name or f"{number}.png", author="ann").image.digest


def anomalous(*points_xy: tuple[int, int], author: str = "ann", based_on: int = 0, save_id: str = "") -> NewRevision:
    """An annotation with these pixels."""
    return NewRevision("anomalous", mask_of(*points_xy), author, based_on=based_on, save_id=save_id)


def proposal(
    *points_xy: tuple[int, int], image_score: float = 0.75, threshold: float | None = 0.5, preset: str = "tiny"
) -> NewProposal:
    """A proposal with these pixels."""
    return NewProposal(
        preset=preset,
        checkpoint="tiny.safetensors",
        settings='{"top_k": 0.01}',
        image_score=image_score,
        threshold=threshold,
        suspicious=0.25,
        verdict="anomalous",
        mask=mask_of(*points_xy),
    )


def files_below(folder: Path) -> set[str]:
    """The paths of all files, as they stand below a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def fail_writes(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let every file fail when its bytes are to reach the disk, with this error number; folders go on working."""
    fsync = os.fsync

    def fail_for_files(handle: int) -> None:
        if stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(number, os.strerror(number))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", fail_for_files)
