from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.store.exchange.exporting import export
from app.store.exchange.formats import FORMATS
from app.store.exchange.marks import png_255
from app.store.exchange.masks import MasksFormat
from app.store.records import DefectClass, NewRevision
from app.store.workspace import Workspace
from tests.app.store.exchange.odd_workspace import blank, marked, picture, read_all


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    with Workspace.open(tmp_path / "workspace") as workspace:
        digest = workspace.add_image(picture((6, 6), 1), "a.png", author="test").image.digest
        classes = (DefectClass((0, 0), "dent"),)
        workspace.save(digest, NewRevision("anomalous", blank((6, 6), (0, 0, 2, 2)), "Ada", classes, note="deep"))
        export(workspace, "masks", tmp_path / "out")
    return tmp_path / "out"


def test_what_another_program_changed_counts_as_it_says(exported: Path) -> None:
    (exported / "masks/a.png").write_bytes(png_255(blank((6, 6), (4, 4, 6, 6))))

    found, _ = read_all(MasksFormat(), exported)

    assert marked(found["a.png"])[5, 5]
    assert (found["a.png"].label, found["a.png"].author, found["a.png"].classes) == ("anomalous", "", ())


@pytest.mark.parametrize(
    "content",
    [
        "{", "[]", '{"oddity_export": 99}', '{"oddity_export": 1, "format": "masks", "images": [{"label": "fine"}]}',
        '{"oddity_export": 1, "format": "masks", "images": [1]}',
    ],
)  # fmt: skip
def test_a_broken_ledger_is_named_and_the_rest_is_read(content: str, exported: Path) -> None:
    (exported / "oddity.json").write_text(content, encoding="utf-8")

    found, refused = read_all(MasksFormat(), exported)

    assert [refusal.name for refusal in refused] == ["oddity.json"]
    assert found["a.png"].label == "anomalous"


def test_the_ledger_says_what_was_exported(exported: Path) -> None:
    content = json.loads((exported / "oddity.json").read_text(encoding="utf-8"))

    (image,) = content["images"]
    assert (content["oddity_export"], content["format"]) == (1, "masks")
    assert (image["file"], image["label"], image["author"], image["note"]) == (
        "images/a.png",
        "anomalous",
        "Ada",
        "deep",
    )
    assert image["classes"] == [{"x": 0, "y": 0, "name": "dent"}]
    assert image["saved_at"].endswith("+00:00")


def test_the_table_of_formats_is_what_the_command_line_promises() -> None:
    assert list(FORMATS) == ["mvtec", "coco", "yolo-seg", "labelme", "label-studio", "hf-datasets", "masks"]
