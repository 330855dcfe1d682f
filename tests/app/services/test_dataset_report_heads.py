"""A folder's report says what its head has seen, and whose numbers the papers print."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from PIL import Image

from app.services.dataset_report import FolderRequest, evaluate_folder, published_rows
from app.services.reports import Engine, Report
from models.config import InspectionConfig
from models.data.datasets import DataSet, Sample
from models.evaluation.published import VISA_CLASSES
from models.head_files import save_head
from models.reading import PictureMaps
from models.registry import DEFAULT_PRESET, PRESETS


def measured(folder: Path, trained_on: str, head: Path | None) -> Report:
    model = SimpleNamespace(
        layers=(2,), image_size=56, checkpoint_digest="", backbone_source="", trained_on=trained_on, branches=("map",),
        picture_maps=lambda rgb: PictureMaps(np.zeros((1, 1, 4, 4), np.float32)), preset=PRESETS[DEFAULT_PRESET],
    )  # fmt: skip
    engine = Engine(model=lambda _: cast(Any, model), backbone=lambda _: cast(Any, None))
    settings = InspectionConfig(layers=(2,), blur_sigma=0.0)
    return evaluate_folder(FolderRequest(folder=folder, settings=settings, head_path=head), engine)


def test_the_classes_in_the_heads_file_are_compared_with_those_of_the_folder(tmp_path: Path) -> None:
    picture = tmp_path / "renamed" / "nut" / "test" / "good" / "0.png"
    picture.parent.mkdir(parents=True)
    Image.new("L", (40, 40)).save(picture)
    training = {"data": "mvtec:mine", "classes": ["bolt", "nut"]}
    head = tmp_path / "head.safetensors"
    save_head(head, {"token": np.zeros(2, np.float32)}, {"training": training})

    (warning,) = measured(tmp_path / "renamed", "mvtec:mine", head).warnings

    assert "has seen classes of the same names (nut)" in warning
    assert measured(tmp_path / "renamed", "mvtec:mine", None).warnings == ()


def test_the_papers_row_names_its_backbone_beside_the_smaller_one() -> None:
    found = DataSet("visa", tuple(Sample(Path("0.png"), name, "test", False) for name in VISA_CLASSES))

    methods = [row.method for row in published_rows(found, "visualad-dinov2-small")]

    assert (methods[0], len(methods)) == ("published: VisualAD DINOv2 ViT-L/14", 6)
