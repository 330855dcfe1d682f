from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from skimage.draw import polygon2mask

from app.store.exchange.exporting import export
from app.store.exchange.yolo_seg import YoloSegFormat
from app.store.workspace import Workspace
from tests.app.store.exchange.odd_workspace import blank, fill, marked, picture, read_all


def write(folder: Path, labels: str | None, names: str = "names: ['crack', 'dent']\n") -> None:
    for name in ("train/images", "train/labels"):
        (folder / name).mkdir(parents=True)
    (folder / "train/images/a.png").write_bytes(picture((10, 20), 1))
    (folder / "data.yaml").write_text(names, encoding="utf-8")
    if labels is not None:
        (folder / "train/labels/a.txt").write_text(labels, encoding="utf-8")


def test_outlines_of_another_program_are_filled_and_named(tmp_path: Path) -> None:
    write(tmp_path, "1 0.1 0.2 0.5 0.2 0.5 0.6 0.1 0.6\n0 0.75 0.5 1 0.5 1 1 0.75 1\n")

    found, refused = read_all(YoloSegFormat(), tmp_path)

    assert refused == []
    assert np.array_equal(marked(found["a.png"]), blank((10, 20), (2, 2, 10, 6), (15, 5, 20, 10)))
    assert {(each.point_xy, each.name) for each in found["a.png"].classes} == {((2, 2), "dent"), ((15, 5), "crack")}


def test_an_empty_text_is_normal_and_a_missing_one_no_annotation(tmp_path: Path) -> None:
    write(tmp_path / "empty", "")
    write(tmp_path / "missing", None)

    empty, _ = read_all(YoloSegFormat(), tmp_path / "empty")
    missing, _ = read_all(YoloSegFormat(), tmp_path / "missing")

    assert empty["a.png"].label == "normal"
    assert missing["a.png"].label is None


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ("0 0.5 0.5 0.2 0.2\n", "has boxes, no outlines"),
        ("0 a b c\n", "no list of numbers"),
        ("0 0.1 0.1 0.2 0.2 nan 0.3\n", "no class and pairs of shares"),
        ("0 0.1 0.1 0.2 0.2 1e300 0.3\n", "no class and pairs of shares"),
        ("0 0.1 0.1\n", "has 1 points"),
    ],
)
def test_a_damaged_text_is_refused_and_its_picture_taken(labels: str, reason: str, tmp_path: Path) -> None:
    write(tmp_path, labels)

    found, refused = read_all(YoloSegFormat(), tmp_path)

    assert found["a.png"].label is None
    assert [reason in refusal.why for refusal in refused] == [True]


def test_yaml_runs_no_code(tmp_path: Path) -> None:
    write(tmp_path, "0 0.1 0.2 0.5 0.2 0.5 0.6\n", "names: !!python/object/apply:os.system ['touch run']\n")

    found, refused = read_all(YoloSegFormat(), tmp_path)

    assert {each.name for each in found["a.png"].classes} == {"class 0"}
    assert "names cannot be read" in refused[0].why


def test_skimage_fills_the_exported_outlines_as_they_were(tmp_path: Path) -> None:
    with Workspace.open(tmp_path / "workspace") as workspace:
        fill(workspace)
        export(workspace, "yolo-seg", tmp_path / "out")
        expected = {image.name.rpartition(".")[0]: workspace.mask(revision.mask_digest or "")
                    for image, revision in workspace.annotated() if revision.area_px}  # fmt: skip

    overlaps = {}
    for name, mask in expected.items():
        if (path := tmp_path / f"out/labels/{name}.txt").exists():
            filled = np.zeros_like(mask)
            for line in path.read_text(encoding="utf-8").splitlines():
                corners = np.array(line.split()[1:], dtype=float).reshape(-1, 2) * mask.shape[::-1]
                # skimage asks for rows and columns of pixels' centres.
                filled |= polygon2mask(mask.shape, corners[:, ::-1] - 0.5)
            overlaps[name] = (filled & mask).sum() / (filled | mask).sum()
    assert len(overlaps) >= 8
    assert min(overlaps.values()) >= 0.98, overlaps


@pytest.mark.parametrize("names", ['{0: !!int ""}', "!!timestamp noon", "!!bool maybe"])
def test_names_of_no_sense_are_refused_and_the_outlines_taken(names: str, tmp_path: Path) -> None:
    write(tmp_path, "0 0.1 0.2 0.5 0.2 0.5 0.6\n", f"names: {names}\n")

    found, refused = read_all(YoloSegFormat(), tmp_path)

    assert {each.name for each in found["a.png"].classes} == {"class 0"}
    assert "names cannot be read" in refused[0].why
