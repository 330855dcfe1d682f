from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from app.store.errors import StoreError
from app.store.exchange.exporting import export, export_zip
from app.store.exchange.formats import FORMATS
from app.store.records import NewRevision
from app.store.workspace import Workspace
from tests.app.store.exchange.odd_workspace import blank, contents, fill, picture, take_in


def one_image(folder: Path) -> Workspace:
    workspace = Workspace.open(folder)
    digest = workspace.add_image(picture((4, 4), 1), "a.png", author="test").image.digest
    workspace.save(digest, NewRevision("anomalous", blank((4, 4), (0, 0, 1, 1)), "test"))
    return workspace


def test_a_zip_unpacks_to_what_was_exported(tmp_path: Path) -> None:
    with Workspace.open(tmp_path / "workspace") as workspace, Workspace.open(tmp_path / "again") as again:
        fill(workspace)
        report = export_zip(workspace, "coco", tmp_path / "out.zip")
        with zipfile.ZipFile(tmp_path / "out.zip") as archive:
            archive.extractall(tmp_path / "out")
        take_in(again, FORMATS["coco"], tmp_path / "out")
        expected, found = contents(workspace), contents(again)

    assert found == expected
    assert report.images == 16
    assert "1 pictures carry an EXIF orientation" in report.notes[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "out", "out.zip", "workspace"]


def test_a_folder_that_holds_something_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("mine", encoding="utf-8")

    with one_image(tmp_path / "workspace") as workspace, pytest.raises(StoreError, match="is not empty .it holds mine"):
        export(workspace, "coco", tmp_path / "out")

    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_annotated_is_said_and_nothing_written(name: str, tmp_path: Path) -> None:
    with Workspace.open(tmp_path / "workspace") as workspace:
        workspace.add_image(picture((4, 4), 1), "a.png", author="test")
        with pytest.raises(StoreError, match="No image is annotated yet"):
            export(workspace, name, tmp_path / "out")

    assert not (tmp_path / "out").exists()


def test_a_format_that_does_not_exist_is_refused_with_those_that_do(tmp_path: Path) -> None:
    with one_image(tmp_path / "workspace") as workspace, pytest.raises(StoreError, match="choose one of: mvtec, coco"):
        export(workspace, "voc", tmp_path / "out")


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("app.store.exchange.writing.shutil.copyfile", full)

    with one_image(tmp_path / "workspace") as workspace:
        with pytest.raises(StoreError, match="disk of .* is full"):
            export(workspace, "coco", tmp_path / "out")
        with pytest.raises(StoreError, match=r"disk of [^ ]*[/]out.zip is full"):
            export_zip(workspace, "coco", tmp_path / "out.zip")

    assert [path.name for path in tmp_path.iterdir()] == ["workspace"]


def test_an_image_whose_file_is_lost_is_left_out_and_named(tmp_path: Path) -> None:
    with one_image(tmp_path / "workspace") as workspace:
        lost = workspace.add_image(picture((4, 4), 2), "lost.png", author="test").image.digest
        workspace.save(lost, NewRevision("normal", blank((4, 4)), "test"))
        workspace.image_path(lost).unlink()
        seen: list[tuple[int, int]] = []

        report = export(workspace, "masks", tmp_path / "out", progress=lambda done, total: seen.append((done, total)))

    assert report.images == 1
    assert "lost.png has lost its file" in report.left_out[0]
    assert seen == [(1, 2), (2, 2)]
