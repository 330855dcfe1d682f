"""A zip that nobody trusts: good entries come out, the others are refused one by one, and nothing lands elsewhere."""

from __future__ import annotations

import errno
import io
import stat
import zipfile
from pathlib import Path

import pytest

from models.errors import DataError
from tests.app.store.intake.unpacking import GOOD, unpack_all
from tests.app.store.intake.zips import (
    CENTRAL,
    LOCAL,
    change,
    set_flags,
    unix_entry,
    write_zip,
)


def test_files_come_out_whole_in_their_folders(tmp_path: Path) -> None:
    big = bytes(range(256)) * 9000  # more than one chunk
    archive = write_zip(tmp_path / "set.zip", ("a.png", b"one"), ("deep/er/./b.png", big), ("empty/", b""))

    result = unpack_all(archive)

    assert result.files == {"a.png": b"one", "deep/er/b.png": big}
    assert result.refused == {}


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("../evil.png", "climbs out"),
        ("a/../../evil.png", "climbs out"),
        ("..", "climbs out"),
        ("/etc/evil.png", "absolute"),
        ("C:/evil.png", "names a drive"),
        ("c:evil.png", "names a drive"),
        ("..\\evil.png", "backslashes"),
        ("a\\b.png", "backslashes"),
        ("nul", "device on Windows"),
        ("folder/COM1.png", "device on Windows"),
        ("line\nbreak.png", "control characters"),
        (f"{'a' * 300}.png", "too long"),
        ("/".join(["folder"] * 200), "too long"),
    ],
)
def test_a_path_that_would_leave_its_place_is_refused(tmp_path: Path, name: str, sentence: str) -> None:
    archive = write_zip(tmp_path / "set.zip", (name, b"evil"), GOOD)

    result = unpack_all(archive)

    assert result.files == {"good.png": b"good"}
    assert [sentence in why and why.endswith(".") for why in result.refused.values()] == [True]


def test_a_name_that_hides_its_ending_behind_a_zero_byte_is_refused(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "set.zip", ("a.png#.exe", b"evil"), GOOD)
    for signature, offset in ((LOCAL, 30 + 5), (CENTRAL, 46 + 5)):
        change(archive, signature, offset, b"\0")

    result = unpack_all(archive)

    assert result.files == {"good.png": b"good"}
    assert "control characters" in result.refused["set.zip: a.png?.exe"]


def test_names_that_only_resemble_bad_ones_come_out(tmp_path: Path) -> None:
    names = ["..a.png/b.png", "a..b.png", "console.png", "com10.png", "nullable/x.png", "it's 12:30.png"]
    archive = write_zip(tmp_path / "set.zip", *((name, b"x") for name in names))

    result = unpack_all(archive)

    # The first begins with a dot, and is passed over as hidden.
    assert set(result.files) == set(names[1:])
    assert result.unpacked.skipped == 1


@pytest.mark.parametrize(
    ("mode", "sentence"),
    [
        (stat.S_IFLNK | 0o777, "is a link"),
        (stat.S_IFIFO | 0o644, "neither a file nor"),
        (stat.S_IFCHR, "neither a file"),
    ],
)
def test_a_link_or_device_is_refused(tmp_path: Path, mode: int, sentence: str) -> None:
    archive = write_zip(tmp_path / "set.zip", (unix_entry("link.png", mode), b"/etc/passwd"), GOOD)

    result = unpack_all(archive)

    assert result.files == {"good.png": b"good"}
    assert sentence in result.refused["set.zip: link.png"]


def test_a_file_that_states_its_unix_mode_comes_out(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "set.zip", (unix_entry("a.png", stat.S_IFREG | 0o644), b"one"))

    assert unpack_all(archive).files == {"a.png": b"one"}


def test_an_archive_inside_is_refused_by_its_name_and_by_its_content(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as nested:
        nested.writestr("x.png", b"x")
    archive = write_zip(
        tmp_path / "set.zip",
        ("inner.zip", inner.getvalue()),
        ("picture.png", inner.getvalue()),
        ("a.tar.gz", b""),
        GOOD,
    )

    result = unpack_all(archive)

    assert result.files == {"good.png": b"good"}
    assert set(result.refused) == {"set.zip: inner.zip", "set.zip: picture.png", "set.zip: a.tar.gz"}
    assert all("archive inside an archive" in why for why in result.refused.values())


def test_an_encrypted_entry_is_refused(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "set.zip", ("secret.png", b"secret"), GOOD)
    set_flags(archive, 0x1)

    result = unpack_all(archive)

    assert result.files == {"good.png": b"good"}
    assert "without a password" in result.refused["set.zip: secret.png"]


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_method_that_unpacks_without_bound_in_one_call_is_refused(tmp_path: Path, method: int) -> None:
    archive = write_zip(tmp_path / "set.zip", ("a.png", bytes(1000)), method=method)

    assert "ordinary zip" in unpack_all(archive).refused["set.zip: a.png"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("second", ["a/one.png", "a/ONE.png", "A/./one.png", "a/one.png.", "a/one.png "])
def test_a_name_that_comes_twice_is_taken_once(tmp_path: Path, second: str) -> None:
    archive = write_zip(tmp_path / "set.zip", ("a/one.png", b"first"), (second, b"second"), GOOD)

    result = unpack_all(archive)

    assert result.files == {"a/one.png": b"first", "good.png": b"good"}
    assert "came before it" in result.refused[f"set.zip: {second}"]


@pytest.mark.parametrize(("first", "second"), [("a", "a/b.png"), ("a/b.png", "A")])
def test_a_name_of_a_file_and_a_folder_is_refused(tmp_path: Path, first: str, second: str) -> None:
    archive = write_zip(tmp_path / "set.zip", (first, b"first"), (second, b"second"))

    result = unpack_all(archive)

    assert result.files == {first: b"first"}
    assert "file and of a folder" in result.refused[f"set.zip: {second}"]


def test_hidden_files_and_those_of_a_system_are_passed_over_and_counted(tmp_path: Path) -> None:
    names = [".DS_Store", "__MACOSX/._good.png", "a/Thumbs.db", "desktop.ini", ".git/config"]
    archive = write_zip(tmp_path / "set.zip", *((name, b"x") for name in names), GOOD)

    result = unpack_all(archive)

    assert (result.files, result.refused, result.unpacked.skipped) == ({"good.png": b"good"}, {}, 5)


def test_an_entry_with_a_flipped_byte_is_refused_and_the_rest_comes_out(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "set.zip", ("bad.png", b"0123456789"), GOOD, method=zipfile.ZIP_STORED)
    change(archive, LOCAL, 30 + len("bad.png"), b"X")

    result = unpack_all(archive)

    assert result.files == {"good.png": b"good"}
    assert "damaged (Bad CRC-32" in result.refused["set.zip: bad.png"]


@pytest.mark.parametrize("damage", ["cut", "text", "empty"])
def test_a_file_that_is_no_zip_is_one_sentence(tmp_path: Path, damage: str) -> None:
    archive = write_zip(tmp_path / "set.zip", GOOD)
    archive.write_bytes({"cut": archive.read_bytes()[:-10], "text": b"hello", "empty": b""}[damage])

    with pytest.raises(DataError, match=r"^set.zip is no zip archive or a damaged one \(.*\); copy it again\.$"):
        unpack_all(archive)


def test_an_entry_without_a_name_is_refused(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "set.zip", ("a", b"x"), GOOD)
    change(archive, LOCAL, 30, b"/")
    change(archive, CENTRAL, 46, b"/")

    assert unpack_all(archive).files == {"good.png": b"good"}


def test_a_full_disk_is_not_taken_for_a_damaged_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = write_zip(tmp_path / "set.zip", GOOD)
    real_open = Path.open

    def full(path: Path, mode: str = "r", buffering: int = -1) -> object:
        if mode == "xb":
            raise OSError(errno.ENOSPC, "No space left on device")
        return real_open(path, mode, buffering)

    monkeypatch.setattr(Path, "open", full)

    with pytest.raises(OSError, match="No space left"):
        unpack_all(archive)
