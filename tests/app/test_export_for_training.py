"""What people corrected, exported as MVTec folders, is what training and evaluation read straight back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from app.store.exchange.exporting import export
from app.store.records import DefectClass, Label, NewRevision
from app.store.workspace import Workspace
from models.data.datasets import read_dataset, read_mask
from models.training.folder_batches import trainable

SIZE_HW = (12, 20)
LABELS: tuple[Label, ...] = ("normal", "anomalous", "unsure", "anomalous")


def picture(path: Path, grey: int) -> bytes:
    Image.new("L", SIZE_HW[::-1], grey).save(path)
    return path.read_bytes()


def test_an_export_is_a_data_set(tmp_path: Path) -> None:
    mask = np.zeros(SIZE_HW, np.bool_)
    mask[2:5, 3:9] = True
    mask[8, 19] = True
    with Workspace.open(tmp_path / "workspace") as workspace:
        for index, label in enumerate(LABELS):
            data = picture(tmp_path / f"{index}.png", 50 * index)
            digest = workspace.add_image(data, f"{label}{index}.png", author="Ada").image.digest
            marked = mask if index == 1 else None
            classes = (DefectClass((4, 3), "crack"),) if marked is not None else ()
            workspace.save(digest, NewRevision(label=label, mask=marked, author="Ada", classes=classes))
        export(workspace, "mvtec", tmp_path / "export")

    found = read_dataset(tmp_path / "export")

    rows = sorted((sample.path.stem, sample.split, sample.defect) for sample in found.samples)
    assert rows == [("anomalous1", "test", "crack"), ("anomalous3", "test", "anomalous"), ("normal0", "test", "")]
    (cracked,) = (sample for sample in found.samples if sample.defect == "crack")
    assert np.array_equal(read_mask(cracked, SIZE_HW), mask)
    # The anomalous image that nobody marked would teach that its anomaly is normal.
    assert sorted(sample.path.stem for sample in trainable(found)) == ["anomalous1", "normal0"]
