"""What is refused when a workspace is opened: nothing is taken over, begun anew or changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.store.errors import StoreError
from app.store.workspace import Workspace
from tests.app.store.making import add, files_below


def test_a_folder_that_cannot_be_made_or_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")

    with pytest.raises(StoreError, match="file is a file, and a workspace is a folder; choose another place"):
        Workspace.open(tmp_path / "file")
    with pytest.raises(StoreError, match="below is a file or lies below one, and a folder is needed"):
        Workspace.open(tmp_path / "file" / "below")


def test_a_folder_without_a_workspace_is_told_unless_one_may_be_made(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(StoreError, match="There is no workspace in .*; check the path"):
            Workspace.open(folder, create=False)
    assert files_below(tmp_path) == set()
    assert not (tmp_path / "missing").exists()


def test_a_folder_with_someone_elses_images_is_not_taken_over(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "holiday.jpg").write_bytes(b"mine")

    with pytest.raises(StoreError, match="holds other files in images/ and no workspace; choose an empty folder"):
        Workspace.open(tmp_path)
    assert files_below(tmp_path) == {"images/holiday.jpg"}


def test_a_workspace_that_lost_its_database_is_not_begun_anew(tmp_path: Path) -> None:
    with Workspace.open(tmp_path) as workspace:
        add(workspace)
    (tmp_path / "oddity.db").unlink()

    with pytest.raises(StoreError, match="has lost its database oddity.db; restore that file from a backup"):
        Workspace.open(tmp_path)


def test_the_database_of_another_workspace_is_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        Workspace.open(tmp_path / name).close()
    (tmp_path / "a" / "oddity.db").replace(tmp_path / "b" / "oddity.db")

    with pytest.raises(StoreError, match="oddity.db belongs to another workspace"):
        Workspace.open(tmp_path / "b")


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "oddity.db").write_bytes(b"not a database at all" * 100)

    with pytest.raises(StoreError, match="oddity.db is no database of this program"):
        Workspace.open(tmp_path)


def test_a_damaged_marker_is_told(tmp_path: Path) -> None:
    Workspace.open(tmp_path).close()
    (tmp_path / "workspace.json").write_text("{")

    with pytest.raises(StoreError, match="workspace.json is damaged; restore it from a backup"):
        Workspace.open(tmp_path)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql://ann:secret@127.0.0.1:1/work", "database 'work' on 127.0.0.1:1 cannot be used"),
        ("postgresql+psycopg://127.0.0.1:1/work?user=ann&password=secret", "database 'work' on 127.0.0.1:1 cannot be"),
        ("mysql://ann:secret@host/work", "begins with mysql://; give a postgresql:// one"),
        ("ann:secret@host", "The database address cannot be read; write postgresql://user@host/database"),
        ("postgresql://ann:secret@host:port/work", "The database address cannot be read"),
    ],
)
def test_a_postgresql_that_cannot_be_reached_is_told_without_its_password(
    tmp_path: Path, url: str, sentence: str
) -> None:
    with pytest.raises(StoreError, match=sentence) as caught:
        Workspace.open(tmp_path, url)
    assert "secret" not in str(caught.value)
    assert files_below(tmp_path) == set()


def test_a_name_that_no_disk_takes_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="File name too long"):
        Workspace.open(tmp_path / ("a" * 300))
