"""Zips that would fill the disk or the memory: what they say of themselves is not believed."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import pytest

from app.store.intake.limits import Limits
from models.errors import DataError
from tests.app.store.intake.unpacking import GOOD, unpack_all
from tests.app.store.intake.zips import (
    CENTRAL,
    END,
    change,
    state_sizes,
    write_zip,
)


def test_a_bomb_of_zeros_is_stopped_by_its_ratio(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "set.zip", ("bomb.png", bytes(2_000_000)), GOOD)

    result = unpack_all(archive, Limits(max_ratio=100, ratio_from_bytes=100_000))

    assert result.files == {"good.png": b"good"}
    assert "zip bomb" in result.refused["set.zip: bomb.png"]


def test_a_small_file_may_pack_well(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "set.zip", ("empty_mask.bmp", bytes(2_000_000)))

    assert unpack_all(archive).files == {"empty_mask.bmp": bytes(2_000_000)}


def test_a_file_beyond_the_limit_is_refused_and_the_rest_comes_out(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "set.zip", ("big.png", bytes(1001)), ("fits.png", bytes(1000)))

    result = unpack_all(archive, Limits(max_file_bytes=1000))

    assert result.files == {"fits.png": bytes(1000)}
    assert "more than 1000 bytes" in result.refused["set.zip: big.png"]


def test_an_archive_that_is_too_large_as_a_whole_is_refused(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "set.zip", ("a.png", bytes(600)), ("b.png", bytes(401)))

    with pytest.raises(DataError, match="set.zip unpacks to more than 1000 bytes"):
        unpack_all(archive, Limits(max_total_bytes=1000))


def test_an_archive_of_too_many_files_is_refused_before_one_is_written(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "set.zip", *((f"{number}.png", b"x") for number in range(4)))

    with pytest.raises(DataError, match="set.zip holds 4 files, and at most 3 are taken"):
        unpack_all(archive, Limits(max_files=3))
    assert list((tmp_path / "parent" / "out").iterdir()) == []


@pytest.mark.parametrize("stated", [3, 50_000_000], ids=["less than there is", "more than there is"])
def test_a_header_that_lies_about_the_size_gets_its_entry_refused(tmp_path: Path, stated: int) -> None:
    archive = write_zip(tmp_path / "set.zip", ("liar.png", bytes(5_000_000)), GOOD)
    state_sizes(archive, unpacked=stated)

    result = unpack_all(archive)

    assert result.files == {"good.png": b"good"}
    assert "damaged" in result.refused["set.zip: liar.png"]


def test_entries_that_lie_over_each_other_are_refused(tmp_path: Path) -> None:
    """As in Fifield's bomb, the first entry's data hold the second entry whole."""
    archive = write_zip(tmp_path / "set.zip", ("outer.png", b"0" * 50), GOOD, method=zipfile.ZIP_STORED)
    change(archive, CENTRAL, 20, struct.pack("<II", 60, 60))

    result = unpack_all(archive)

    assert result.files == {"good.png": b"good"}
    assert "lies over another" in result.refused["set.zip: outer.png"]


def test_a_list_of_entries_without_end_is_not_read(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "set.zip", *((f"{number:03}" + "x" * 190, b"") for number in range(200)))
    padding = 5_000_000  # the list is said to begin earlier: 5 MB of it
    archive.write_bytes(bytes(padding) + archive.read_bytes())
    size = 200 * (46 + 193) + padding
    change(archive, END, 12, struct.pack("<I", size))

    with pytest.raises(DataError, match=r"at most 4194304 are read"):
        unpack_all(archive, Limits(max_files=1000))
