from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from app.store.exchange.base import Refusal
from app.store.exchange.formats import FORMATS
from app.store.exchange.reading import Inside, json_from
from models.errors import DataError
from tests.app.store.exchange.odd_workspace import picture


@pytest.mark.parametrize(
    "name", ["../secret", "a/../../secret", "/etc/passwd", "C:/x", "a\\..\\b", "", "a\0b", "a" * 300]
)
def test_a_name_that_leads_outside_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no path inside the folder"):
        Inside(tmp_path).bytes_of(name)


def test_links_are_not_followed(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "in"
    outside.mkdir()
    folder.mkdir()
    (outside / "secret.png").write_bytes(b"secret")
    (folder / "linked").symlink_to(outside)
    (folder / "secret.png").symlink_to(outside / "secret.png")
    refused: list[Refusal] = []

    found = list(Inside(folder).files(refuse=refused.append))

    assert found == []
    assert {refusal.name for refusal in refused} == {"linked", "secret.png"}
    for name in ("secret.png", "linked/secret.png"):
        with pytest.raises(DataError, match="is reached over a link"):
            Inside(folder).bytes_of(name)


@pytest.mark.parametrize("name", FORMATS)
def test_no_reader_opens_a_linked_picture(name: str, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(picture((4, 4), 1))
    for below in ("in/images", "in/masks", "in/labels", "in/test/good"):
        (tmp_path / below).mkdir(parents=True)
        (tmp_path / below / "a.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "in/annotations.json").write_text('{"images": [{"id": 1, "file_name": "a.png"}], "annotations": []}')
    (tmp_path / "in/tasks.json").write_text('[{"data": {"image": "images/a.png"}}]')
    (tmp_path / "in/a.json").write_text('{"imagePath": "images/a.png", "shapes": []}')
    (tmp_path / "in/a.parquet").symlink_to(tmp_path / "secret.png")
    refused: list[Refusal] = []

    try:
        found = [each.name for each in FORMATS[name].read(tmp_path / "in", refused.append)]
    except DataError:
        found = []

    assert found == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_no_file_to_wait_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")

    with pytest.raises(DataError, match="no ordinary file"):
        Inside(tmp_path).bytes_of("a.png")


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"x" * 11)

    with pytest.raises(DataError, match="has 11 bytes; at most 10"):
        Inside(tmp_path).bytes_of("a.json", most=10)


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"{", "no readable JSON"), (b"\xff\xfe", "no readable JSON"), (b"[" * 100_000, "nested too deeply")],
)
def test_broken_json_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        json_from(data, "a.json")


def test_a_closed_folder_hides_nothing_and_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(picture((4, 4), 1))

    def closed(path: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    for name in ("is_symlink", "is_file", "is_dir", "lstat"):
        monkeypatch.setattr(Path, name, closed)
    inside = Inside(tmp_path)

    assert list(inside.files()) == ["a.png"]
    assert (inside.folders(), inside.has("a.png")) == ([], False)
    with pytest.raises(DataError, match="a.png cannot be read .Permission denied."):
        inside.bytes_of("a.png")
