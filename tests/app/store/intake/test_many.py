"""Many pictures and large ones: memory stays what one picture takes, and nothing is lost on the way."""

from __future__ import annotations

import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from app.store.intake.report import IntakeReport
from app.store.intake.take_in import take_in
from app.store.workspace import Workspace
from tests.app.store.intake.zips import mask_png, png


def write_many(path: Path, number: int, size_hw: tuple[int, int]) -> Path:
    """Pictures of noise; picture n has its nth pixel marked."""
    with zipfile.ZipFile(path, "w") as archive:
        for index in range(number):
            archive.writestr(f"images/{index:05}.png", png(*size_hw, index))
            mask = np.zeros(size_hw, dtype=np.bool_)
            mask.flat[index % mask.size] = True
            archive.writestr(f"masks/{index:05}.png", mask_png(mask))
    return path


def test_memory_does_not_grow_with_the_number_of_pictures(tmp_path: Path) -> None:
    archive = write_many(tmp_path / "set.zip", 24, (500, 700))  # 1 MB each
    with Workspace.open(tmp_path / "workspace") as workspace:
        tracemalloc.start()
        try:
            report = take_in(workspace, [archive], author="Ada")
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert report == IntakeReport(24, 0, 24, 0, (), ())
    assert peak < 15_000_000  # all of them are 25 MB


@pytest.mark.slow
def test_five_thousand_pictures_come_in_each_with_its_own_mask(tmp_path: Path) -> None:
    archive = write_many(tmp_path / "set.zip", 5000, (72, 72))
    shown: list[tuple[int, int]] = []

    with Workspace.open(tmp_path / "workspace") as workspace:
        report = take_in(workspace, [archive], author="Ada", progress=lambda done, total: shown.append((done, total)))
        wrong = [
            image.name
            for image, revision in workspace.annotated()
            if revision.mask_digest is None
            or np.flatnonzero(workspace.mask(revision.mask_digest)).tolist() != [int(Path(image.name).stem)]
        ]

    assert report == IntakeReport(5000, 0, 5000, 0, (), ())
    assert wrong == []
    assert shown[0] == (1, 5000)
    assert shown[-1] == (5000, 5000)
