"""What cannot be read is refused in one sentence that says what is wrong, what was found and what to do."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from models.data.pictures import load_picture, picture_from_bytes
from models.errors import PictureError


def encoded(format_name: str, size_wh: tuple[int, int] = (64, 64)) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (size_wh[1], size_wh[0], 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, format_name)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", r"x is empty \(0 bytes\); copy it again\."),
        (b"hello, I am a text", r"x is not a picture in a known format \(PNG, .*\); save it as PNG or JPEG\."),
        (b"%PDF-1.7 ...", r"x is a PDF document, which is not read here; export the page as PNG\."),
        (b"<?xml version='1.0'?><svg></svg>", r"x is an SVG drawing, not a photograph; export it as PNG\."),
        (b"\0\0\0\x18ftypheic\0\0\0\0", r"x is a HEIC photograph, which is not read here; save it as PNG or JPEG\."),
        (b"PK\x03\x04....", r"x is a ZIP archive, .*; unpack it"),
    ],
)
def test_what_is_no_picture_is_named(data: bytes, sentence: str) -> None:
    with pytest.raises(PictureError, match=f"^{sentence}"):
        picture_from_bytes(data, "x")


@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "TIFF", "GIF", "WEBP", "BMP", "PPM", "JPEG2000", "AVIF"])
def test_half_a_file_is_damaged(format_name: str) -> None:
    data = encoded(format_name)

    with pytest.raises(PictureError, match="^x (is damaged or incomplete|begins as [A-Z0-9]+, but)"):
        picture_from_bytes(data[: len(data) // 2], "x")


@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "TIFF", "GIF", "WEBP", "BMP"])
def test_a_file_that_ends_in_its_header_is_damaged(format_name: str) -> None:
    with pytest.raises(PictureError, match="^x (is damaged or incomplete|begins as [A-Z0-9]+, but)"):
        picture_from_bytes(encoded(format_name)[:20], "x")


def test_a_fault_in_the_middle_of_the_data_is_damage() -> None:
    data = bytearray(encoded("AVIF"))
    start = data.index(b"mdat") + 4
    data[start : start + 40] = bytes(40)

    with pytest.raises(PictureError, match="^x is damaged or incomplete"):
        picture_from_bytes(bytes(data), "x")


def test_a_deep_tiff_that_was_cut_is_damaged(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "cut.tif", np.ones((50, 50), dtype="float64"))
    data = (tmp_path / "cut.tif").read_bytes()

    with pytest.raises(PictureError, match="^cut.tif is damaged or incomplete"):
        picture_from_bytes(data[:5000], "cut.tif")


def test_a_float_tiff_without_any_number_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "nan.tif", np.full((2, 2), np.nan, dtype="float32"))

    with pytest.raises(PictureError, match="holds no finite number, only NaN or infinity"):
        load_picture(tmp_path / "nan.tif")


def test_a_bomb_is_refused_by_its_header_alone() -> None:
    body = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    header = struct.pack(">I", len(body)) + b"IHDR" + body + struct.pack(">I", zlib.crc32(b"IHDR" + body))
    data = b"\x89PNG\r\n\x1a\n" + header + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))

    sentence = "^bomb has 60000 x 60000 = 3,600.0 million pixels and the limit is 100.0 million; scale it down"
    with pytest.raises(PictureError, match=sentence):
        picture_from_bytes(data, "bomb")


def test_the_pixel_limit_can_be_changed() -> None:
    data = encoded("PNG", (100, 80))

    assert picture_from_bytes(data, "x", max_pixels=8000).rgb.shape == (80, 100, 3)
    with pytest.raises(PictureError, match="^x has 100 x 80 = 0.0 million pixels"):
        picture_from_bytes(data, "x", max_pixels=7999)


def test_the_pixel_limit_holds_for_deep_tiffs_too(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "deep.tif", np.zeros((20, 10), dtype="uint16"))

    with pytest.raises(PictureError, match="^deep.tif has 10 x 20 = "):
        load_picture(tmp_path / "deep.tif", max_pixels=199)


def test_the_limit_of_pillow_is_left_alone() -> None:
    before = Image.MAX_IMAGE_PIXELS
    picture_from_bytes(encoded("PNG"), "x")

    assert before == Image.MAX_IMAGE_PIXELS


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"^There is no file .*gone\.png; check the name"):
        load_picture(tmp_path / "gone.png")


def test_a_folder_is_not_a_picture(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="is a folder; give one of the pictures in it"):
        load_picture(tmp_path)


def test_a_pipe_is_not_a_picture(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(PictureError, match="is a device or a pipe"):
        load_picture(tmp_path / "pipe")


def test_a_file_without_permission_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(_: Path) -> bytes:  # the tests may run as root, whom no permission stops
        raise PermissionError(13, "Permission denied")

    (tmp_path / "mine.png").write_bytes(encoded("PNG"))
    monkeypatch.setattr(Path, "read_bytes", forbid)

    with pytest.raises(PictureError, match="mine.png may not be read by this user; change its permissions"):
        load_picture(tmp_path / "mine.png")


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "huge.png").open("wb") as file:
        file.truncate(2_000_000_000)  # sparse: takes no room on the disk

    with pytest.raises(PictureError, match="huge.png has 2,000 MB and the limit is 1,000 MB"):
        load_picture(tmp_path / "huge.png")
