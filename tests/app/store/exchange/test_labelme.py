from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.store.exchange.exporting import export
from app.store.exchange.labelme import LabelmeFormat
from app.store.records import DefectClass, NewRevision
from app.store.workspace import Workspace
from tests.app.store.exchange.odd_workspace import blank, marked, picture, read_all


def png_text(mask: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8) * 255).save(file, format="PNG")
    return base64.b64encode(file.getvalue()).decode()


def write(folder: Path, shapes: list[dict[str, object]], **others: object) -> None:
    (folder / "a.png").write_bytes(picture((12, 16), 1))
    content = {"version": "5.2.1", "flags": {}, "shapes": shapes, "imagePath": "a.png", "imageData": None, **others}
    (folder / "a.json").write_text(json.dumps(content), encoding="utf-8")


def shape(kind: str, points: list[list[object]], label: str = "dent", **others: object) -> dict[str, object]:
    return {"label": label, "shape_type": kind, "points": points, "group_id": None, "flags": {}, **others}


def test_masks_polygons_rectangles_and_circles_are_united(tmp_path: Path) -> None:
    corner = np.array([[True, False], [True, True]])
    write(
        tmp_path,
        [
            shape("mask", [[14, 10], [15, 11]], "spot", mask=png_text(corner)),
            shape("polygon", [[0, 0], [3, 0], [3, 2], [0, 2]]),
            shape("rectangle", [[8, 5], [5, 4]]),
            shape("circle", [[13, 2], [14, 2]], "hole"),
        ],
    )
    expected = blank((12, 16), (0, 0, 3, 2), (5, 4, 8, 5), (12, 1, 14, 3))
    expected[10:12, 14:16] = corner

    found, refused = read_all(LabelmeFormat(), tmp_path)

    assert refused == []
    assert np.array_equal(marked(found["a.png"]), expected)
    assert {(each.point_xy, each.name) for each in found["a.png"].classes} == {
        ((14, 10), "spot"), ((0, 0), "dent"), ((5, 4), "dent"), ((12, 1), "hole"),
    }  # fmt: skip


def test_a_picture_inside_the_json_is_taken_from_there(tmp_path: Path) -> None:
    data = picture((12, 16), 1)
    write(tmp_path, [shape("rectangle", [[0, 0], [4, 4]])], imageData=base64.b64encode(data).decode())
    (tmp_path / "a.png").unlink()

    found, refused = read_all(LabelmeFormat(), tmp_path)

    assert refused == []
    assert found["a.png"].data() == data
    assert marked(found["a.png"]).sum() == 16


def test_flags_say_what_shapes_cannot(tmp_path: Path) -> None:
    write(tmp_path, [], flags={"unsure": True, "normal": False})

    found, _ = read_all(LabelmeFormat(), tmp_path)

    assert found["a.png"].label == "unsure"
    assert found["a.png"].mask is None


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (shape("line", [[0, 0], [4, 4]]), "has no area"),
        (shape("circle", [[0, 0]]), "has 1 points"),
        (shape("mask", [[15, 11], [16, 12]], mask=png_text(np.ones((2, 2)))), "reaches beyond"),
        (shape("mask", [[0, 0], [1, 1]], mask="%%%"), "no base64"),
        (shape("polygon", [[0, 0], ["x", 1], [2, 2]]), "no list of numbers"),
    ],
)
def test_a_shape_that_is_no_area_is_refused_and_the_picture_taken(
    bad: dict[str, object], reason: str, tmp_path: Path
) -> None:
    write(tmp_path, [bad])

    found, refused = read_all(LabelmeFormat(), tmp_path)

    assert found["a.png"].label is None
    assert [reason in refusal.why for refusal in refused] == [True]


def test_a_path_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "secret.png").write_bytes(picture((4, 4), 1))
    write(tmp_path / "in", [], imagePath="..\\secret.png")
    (tmp_path / "in/a.png").unlink()

    found, refused = read_all(LabelmeFormat(), tmp_path / "in")

    assert found == {}
    assert "no path inside the folder" in refused[0].why


def test_an_exported_shape_is_the_box_of_its_region_as_labelme_counts(tmp_path: Path) -> None:
    with Workspace.open(tmp_path / "workspace") as workspace:
        digest = workspace.add_image(picture((12, 16), 1), "a.png", author="test").image.digest
        mask = blank((12, 16), (3, 2, 7, 5))
        workspace.save(digest, NewRevision("anomalous", mask, "test", (DefectClass((3, 2), "dent"),)))
        export(workspace, "labelme", tmp_path / "out")

    content = json.loads((tmp_path / "out/images/a.json").read_text(encoding="utf-8"))

    assert content["flags"] == {"normal": False, "anomalous": True, "unsure": False}
    assert (content["imagePath"], content["imageHeight"], content["imageWidth"]) == ("a.png", 12, 16)
    assert [(each["label"], each["points"]) for each in content["shapes"]] == [("dent", [[3, 2], [6, 4]])]
    with Image.open(io.BytesIO(base64.b64decode(content["shapes"][0]["mask"]))) as alone:
        assert np.array_equal(np.asarray(alone), np.ones((3, 4), dtype=bool))
