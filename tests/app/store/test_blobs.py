"""Files named by their digest: whole or not there, one for the same bytes, checked when read."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.store.blobs import BlobFolder
from app.store.errors import StoreError
from tests.app.store.making import fail_writes, files_below

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # SHA-256 of "abc", FIPS 180-2


def test_bytes_are_found_under_their_digest(tmp_path: Path) -> None:
    blobs = BlobFolder(tmp_path / "masks", ".png")

    digest = blobs.put(b"abc")

    assert digest == ABC
    assert files_below(tmp_path) == {f"masks/ba/{ABC}.png"}
    assert blobs.read(ABC) == b"abc"
    assert blobs.has(ABC)


def test_the_same_bytes_twice_are_one_file_that_is_left_alone(tmp_path: Path) -> None:
    blobs = BlobFolder(tmp_path / "masks")
    blobs.put(b"abc")
    number = blobs.path(ABC).stat().st_ino

    blobs.put(b"abc")

    assert files_below(tmp_path) == {f"masks/ba/{ABC}"}
    assert blobs.path(ABC).stat().st_ino == number


def test_a_damaged_file_is_told_when_read_and_mended_when_put(tmp_path: Path) -> None:
    blobs = BlobFolder(tmp_path / "masks", kind="mask file")
    blobs.put(b"abc")
    blobs.path(ABC).write_bytes(b"abd")

    with pytest.raises(StoreError, match=rf"The mask file .*{ABC} is damaged"):
        blobs.read(ABC)
    blobs.put(b"abc")
    assert blobs.read(ABC) == b"abc"


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=rf"The file .*{ABC} is missing; run `workspace check`"):
        BlobFolder(tmp_path).read(ABC)


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, "The disk of .* is full, so nothing was saved; make room"),
        (errno.EDQUOT, "The disk of .* is full, so nothing was saved; make room"),
        (errno.EROFS, "may not be written by this user"),
        (errno.EIO, r"cannot be written \(Input/output error\); check the disk"),
    ],
)
def test_a_write_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, sentence: str
) -> None:
    blobs = BlobFolder(tmp_path / "masks")
    fail_writes(monkeypatch, number)

    with pytest.raises(StoreError, match=sentence):
        blobs.put(b"abc")
    assert files_below(tmp_path) == set()


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "masks").write_text("mine")

    with pytest.raises(StoreError, match="is a file or lies below one, and a folder is needed"):
        BlobFolder(tmp_path / "masks").put(b"abc")
    assert (tmp_path / "masks").read_text() == "mine"


def test_the_bytes_are_on_the_disk_before_the_name_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(handle: int) -> None:
        steps.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        fsync(handle)

    def noted_replace(self: Path, target: Path) -> Path:
        steps.append("rename")
        return replace(self, target)

    (tmp_path / "masks" / "ba").mkdir(parents=True)
    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    BlobFolder(tmp_path / "masks").put(b"abc")

    assert steps == ["file", "rename", "folder"]


def test_many_threads_may_put_the_same_bytes(tmp_path: Path) -> None:
    blobs = BlobFolder(tmp_path / "masks")

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(blobs.put, [b"abc"] * 40))

    assert found == {hashlib.sha256(b"abc").hexdigest()}
    assert files_below(tmp_path) == {f"masks/ba/{ABC}"}


@pytest.mark.parametrize("text", ["", "../../etc/passwd", ABC.upper(), ABC + "\n", ABC[:-1]])
def test_only_a_digest_becomes_a_path(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match="not a SHA-256 in hexadecimal"):
        BlobFolder(tmp_path).path(text)
