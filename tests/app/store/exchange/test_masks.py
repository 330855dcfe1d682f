from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.store.exchange.exporting import export
from app.store.exchange.masks import MasksFormat
from app.store.records import DefectClass, NewRevision
from app.store.workspace import Workspace
from models.errors import DataError
from tests.app.store.exchange.odd_workspace import blank, marked, picture, read_all


def put_mask(path: Path, mask: np.ndarray, kind: str) -> None:
    file = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8) * 255).save(file, format=kind)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(file.getvalue())


@pytest.mark.parametrize(("mask_name", "kind"), [("a.png", "PNG"), ("a_mask.png", "PNG"), ("a.bmp", "BMP")])
def test_plain_pairs_are_read_whatever_the_lossless_format(mask_name: str, kind: str, tmp_path: Path) -> None:
    mask = blank((5, 8), (2, 1, 6, 4))
    (tmp_path / "Images").mkdir()
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / "Images" / name).write_bytes(picture((5, 8), 1, "JPEG"))
    put_mask(tmp_path / "masks" / mask_name, mask, kind)

    found, refused = read_all(MasksFormat(), tmp_path)

    assert refused == []
    assert np.array_equal(marked(found["a.jpg"]), mask)
    assert (found["a.jpg"].label, found["b.jpg"].label) == ("anomalous", None)


def test_the_table_says_what_masks_cannot(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        put_mask(tmp_path / "images" / name, blank((4, 4)), "PNG")
    put_mask(tmp_path / "masks/a.png", blank((4, 4), (0, 0, 1, 1)), "PNG")
    (tmp_path / "labels.csv").write_text("image,label\nimages/a.png,unsure\nimages/b.png,anomalous\n", encoding="utf-8")

    found, _ = read_all(MasksFormat(), tmp_path)

    assert (found["a.png"].label, found["b.png"].label) == ("unsure", "anomalous")
    assert marked(found["a.png"]).sum() == 1
    assert found["b.png"].mask is None


def test_a_folder_without_masks_is_refused(tmp_path: Path) -> None:
    put_mask(tmp_path / "images/a.png", blank((4, 4)), "PNG")

    with pytest.raises(DataError, match="has no folder 'masks'"):
        read_all(MasksFormat(), tmp_path)


def test_a_class_is_no_formula_for_a_spreadsheet(tmp_path: Path) -> None:
    with Workspace.open(tmp_path / "workspace") as workspace:
        digest = workspace.add_image(picture((4, 4), 1), "a.png", author="test").image.digest
        classes = (DefectClass((0, 0), "=1+1"),)
        workspace.save(digest, NewRevision("anomalous", blank((4, 4), (0, 0, 1, 1)), "test", classes))
        export(workspace, "masks", tmp_path / "out")

    assert "\r\nimages/a.png,masks/a.png,anomalous,'=1+1\r\n" in (tmp_path / "out/labels.csv").read_bytes().decode()
