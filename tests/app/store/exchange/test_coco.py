from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO

from app.store.exchange.coco import CocoFormat
from app.store.exchange.exporting import export
from app.store.workspace import Workspace
from models.errors import DataError
from tests.app.store.exchange.odd_workspace import blank, fill, marked, picture, read_all


def write(folder: Path, annotations: list[dict[str, object]], file_name: str = "a.png") -> None:
    (folder / "images").mkdir(exist_ok=True)
    (folder / "images/a.png").write_bytes(picture((6, 8), 1))
    images = [{"id": 7, "file_name": file_name, "width": 8, "height": 6}]
    content = {"images": images, "annotations": annotations, "categories": [{"id": 3, "name": "scratch"}]}
    (folder / "instances.json").write_text(json.dumps(content), encoding="utf-8")


def annotation(segmentation: object, crowd: int = 0) -> dict[str, object]:
    return {"id": 1, "image_id": 7, "category_id": 3, "segmentation": segmentation, "iscrowd": crowd}


def test_polygons_and_both_kinds_of_run_lengths_are_united(tmp_path: Path) -> None:
    # The compressed text is what pycocotools 2.0 writes for the 6 x 8 mask whose last column is marked.
    last_column, first_pixel = {"size": [6, 8], "counts": "Z16"}, {"size": [6, 8], "counts": [0, 1, 47]}
    write(tmp_path, [annotation([[2, 1, 5, 1, 5, 3, 2, 3]]), annotation(first_pixel, 1), annotation(last_column, 1)])

    found, refused = read_all(CocoFormat(), tmp_path)

    assert refused == []
    assert found["a.png"].label == "anomalous"
    assert np.array_equal(marked(found["a.png"]), blank((6, 8), (2, 1, 5, 3), (0, 0, 1, 1), (7, 0, 8, 6)))
    assert {each.name for each in found["a.png"].classes} == {"scratch"}
    assert len(found["a.png"].classes) == 3


def test_an_image_without_annotations_is_not_called_normal(tmp_path: Path) -> None:
    write(tmp_path, [])

    found, _ = read_all(CocoFormat(), tmp_path)

    assert found["a.png"].label is None


@pytest.mark.parametrize(
    ("segmentation", "reason"),
    [
        ({"size": [6, 9], "counts": [54]}, "has the size"),
        ({"size": [6, 8], "counts": [40]}, "do not add up"),
        ({"size": [6, 8], "counts": [-1, 49]}, "do not add up"),
        ({"size": [6, 8], "counts": "Z1P"}, "are damaged"),
        ({"size": [100000, 100000], "counts": [48]}, "is not read"),
        ([[1, 1, 2, 2]], "has 2 points"),
        ([["x", 1]], "no list of numbers"),
        ([], "no segmentation"),
    ],
)
def test_a_damaged_annotation_is_refused_and_its_picture_taken(
    segmentation: object, reason: str, tmp_path: Path
) -> None:
    write(tmp_path, [annotation(segmentation)])

    found, refused = read_all(CocoFormat(), tmp_path)

    assert found["a.png"].label is None
    assert [reason in refusal.why for refusal in refused] == [True]


@pytest.mark.parametrize("name", ["../a.png", "/etc/passwd", "images/../../a.png", "C:\\a.png", ""])
def test_a_name_that_leads_out_of_the_folder_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "a.png").write_bytes(picture((6, 8), 2))
    write(tmp_path / "in", [annotation([[2, 1, 5, 1, 5, 3]])], name)

    found, refused = read_all(CocoFormat(), tmp_path / "in")

    assert found == {}
    assert ["no path inside the folder" in refusal.why for refusal in refused] == [True]


def test_broken_json_is_refused_in_a_sentence(tmp_path: Path) -> None:
    write(tmp_path, [])
    (tmp_path / "instances.json").write_text('{"categories": [], "images": [', encoding="utf-8")

    found, refused = read_all(CocoFormat(), tmp_path)

    assert found == {}
    assert "instances.json is no readable JSON" in refused[0].why


def test_a_folder_without_instances_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no JSON with COCO's images"):
        read_all(CocoFormat(), tmp_path)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools' own
def test_pycocotools_reads_the_export_as_it_was(tmp_path: Path) -> None:
    with Workspace.open(tmp_path / "workspace") as workspace:
        fill(workspace)
        export(workspace, "coco", tmp_path / "out")
        expected = {image.name: workspace.mask(revision.mask_digest or "")
                    for image, revision in workspace.annotated() if revision.area_px}  # fmt: skip
    coco = COCO(str(tmp_path / "out/annotations/instances.json"))

    compared = 0
    for number, image in coco.imgs.items():
        if (mask := expected.get(image["file_name"])) is not None:
            parts = [coco.annToMask(each) for each in coco.imgToAnns[number]]
            assert np.array_equal(np.any(parts, axis=0), mask)
            assert sum(each["area"] for each in coco.imgToAnns[number]) == mask.sum()
            compared += 1
    assert compared >= 9
