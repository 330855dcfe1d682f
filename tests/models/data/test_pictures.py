"""Every kind of picture file is read to the exact pixels that it means."""

from __future__ import annotations

import hashlib
import struct
import zlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import tifffile
from PIL import Image

from models.data.pictures import Picture, list_pictures, load_picture, picture_from_bytes


def saved(image: Image.Image, path: Path, **options: Any) -> Picture:
    image.save(path, **options)
    return load_picture(path)


def image_of(rows: object, dtype: str) -> Image.Image:
    return Image.fromarray(np.array(rows, dtype=dtype))


def test_a_picture_carries_its_name_digest_and_pixels(tmp_path: Path) -> None:
    picture = saved(image_of([[[1, 2, 3], [4, 5, 6]]], "uint8"), tmp_path / "a.png")

    assert picture.rgb.tolist() == [[[1, 2, 3], [4, 5, 6]]]
    assert picture.rgb.dtype == np.uint8
    assert picture.name == "a.png"
    assert picture.digest == hashlib.sha256((tmp_path / "a.png").read_bytes()).hexdigest()
    assert picture.note == ""


@pytest.mark.parametrize("ending", ["png", "bmp", "tif", "webp", "ppm", "gif", "jp2"])
def test_an_even_colour_comes_back_from_every_lossless_format(tmp_path: Path, ending: str) -> None:
    options = {"lossless": True} if ending == "webp" else {}
    picture = saved(Image.new("RGB", (3, 2), (200, 100, 50)), tmp_path / f"even.{ending}", **options)

    assert picture.rgb.shape == (2, 3, 3)
    assert np.unique(picture.rgb.reshape(-1, 3), axis=0).tolist() == [[200, 100, 50]]


def test_one_pixel_is_a_picture(tmp_path: Path) -> None:
    assert saved(Image.new("L", (1, 1), 7), tmp_path / "one.png").rgb.tolist() == [[[7, 7, 7]]]


def test_one_bit_becomes_black_and_white(tmp_path: Path) -> None:
    picture = saved(image_of([[True, False]], "bool"), tmp_path / "bit.png")

    assert picture.rgb[0, :, 0].tolist() == [255, 0]


def test_a_palette_is_looked_up(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)

    assert saved(image, tmp_path / "palette.png").rgb.tolist() == [[[10, 20, 30], [40, 50, 60]]]


def test_transparent_parts_lie_over_white_and_the_note_says_so(tmp_path: Path) -> None:
    picture = saved(image_of([[[255, 0, 0, 0], [100, 0, 0, 51], [1, 2, 3, 255]]], "uint8"), tmp_path / "alpha.png")

    # 51 / 255 = 0.2: red is 0.2 * 100 + 0.8 * 255 = 224, green and blue are 0.8 * 255 = 204.
    assert picture.rgb.tolist() == [[[255, 255, 255], [224, 204, 204], [1, 2, 3]]]
    assert picture.note == "transparent parts lie over white"


def test_grey_with_alpha_lies_over_white(tmp_path: Path) -> None:
    image = Image.merge("LA", (Image.new("L", (1, 1), 100), Image.new("L", (1, 1), 51)))

    assert saved(image, tmp_path / "la.png").rgb.tolist() == [[[224, 224, 224]]]


def test_an_alpha_channel_that_hides_nothing_leaves_no_note(tmp_path: Path) -> None:
    assert saved(Image.new("RGBA", (2, 2), (1, 2, 3, 255)), tmp_path / "opaque.png").note == ""


def test_a_transparent_palette_entry_is_white(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)

    assert saved(image, tmp_path / "hole.png", transparency=0).rgb.tolist() == [[[255, 255, 255], [40, 50, 60]]]


def test_cmyk_is_turned_into_colours(tmp_path: Path) -> None:
    picture = saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), tmp_path / "cmyk.tif")

    assert picture.rgb[4, 4].tolist() == [255, 0, 0]


def test_a_cmyk_jpeg_is_not_inverted(tmp_path: Path) -> None:
    picture = saved(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), tmp_path / "cmyk.jpg", quality=100)

    assert np.abs(picture.rgb[8, 8].astype(int) - [255, 0, 0]).max() <= 3


@pytest.mark.parametrize("ending", ["png", "tif", "webp"])
def test_exif_orientation_is_applied_once(tmp_path: Path, ending: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be seen turned a quarter clockwise: the left pixel comes to the top
    options = {"lossless": True} if ending == "webp" else {}
    picture = saved(image_of([[[9, 9, 9], [5, 5, 5]]], "uint8"), tmp_path / f"turned.{ending}", exif=exif, **options)

    assert picture.rgb[..., 0].tolist() == [[9], [5]]


@pytest.mark.parametrize("ending", ["gif", "png", "webp"])
def test_an_animation_gives_its_first_frame(tmp_path: Path, ending: str) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ((200, 0, 0), (0, 200, 0))]
    options = {"lossless": True} if ending == "webp" else {}
    picture = saved(frames[0], tmp_path / f"film.{ending}", save_all=True, append_images=frames[1:], **options)

    assert picture.rgb[0, 0].tolist() == [200, 0, 0]
    assert picture.note == "only the first frame or page was read"


def test_a_photograph_with_a_second_picture_inside_is_no_animation(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ((200, 200, 200), (0, 0, 0))]
    picture = saved(frames[0], tmp_path / "phone.mpo", save_all=True, append_images=frames[1:])

    assert picture.rgb[0, 0].tolist() == [200, 200, 200]
    assert picture.note == ""


def test_a_tiff_of_several_pages_gives_its_first_page(tmp_path: Path) -> None:
    pages = [Image.new("L", (4, 4), 9), Image.new("L", (4, 4), 200)]
    picture = saved(pages[0], tmp_path / "pages.tif", save_all=True, append_images=pages[1:])

    assert picture.rgb[0, 0].tolist() == [9, 9, 9]
    assert "first frame or page" in picture.note


@pytest.mark.parametrize("ending", ["png", "tif", "pgm"])
def test_sixteen_bits_over_the_full_range_are_divided_by_257(tmp_path: Path, ending: str) -> None:
    picture = saved(image_of([[0, 257, 25700, 65535]], "uint16"), tmp_path / f"deep.{ending}")

    assert picture.rgb[0, :, 0].tolist() == [0, 1, 100, 255]
    assert "65535 is white" in picture.note


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_byte_order_and_compression_of_a_deep_tiff_do_not_matter(
    tmp_path: Path, byteorder: Literal["<", ">"], compression: str | None
) -> None:
    values = np.array([[0, 4095], [1365, 2730]], dtype=byteorder + "u2")
    tifffile.imwrite(tmp_path / "deep.tif", values, byteorder=byteorder, compression=compression)

    # 4095 is the largest value, so white is 2^12 - 1, and a third of it is 85.
    assert load_picture(tmp_path / "deep.tif").rgb[..., 0].tolist() == [[0, 255], [85, 170]]


def test_an_lzw_tiff_of_sixteen_bits_is_read(tmp_path: Path) -> None:
    picture = saved(image_of([[0, 4095, 1365]], "uint16"), tmp_path / "lzw.tif", compression="tiff_lzw")

    assert picture.rgb[0, :, 0].tolist() == [0, 255, 85]


def test_deep_colours_of_a_tiff_keep_their_channels_apart(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "rgb.tif", np.array([[[65535, 25700, 0]]], dtype="uint16"), photometric="rgb")

    assert load_picture(tmp_path / "rgb.tif").rgb.tolist() == [[[255, 100, 0]]]


def test_deep_colours_with_alpha_lie_over_white(tmp_path: Path) -> None:
    rgba = np.array([[[65535, 0, 0, 65535], [0, 0, 0, 0]]], dtype="uint16")
    tifffile.imwrite(tmp_path / "rgba.tif", rgba, photometric="rgb", extrasamples=["unassalpha"])

    assert load_picture(tmp_path / "rgba.tif").rgb.tolist() == [[[255, 0, 0], [255, 255, 255]]]


def test_a_deep_tiff_whose_zero_is_white_is_inverted(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "white.tif", np.array([[0, 65535]], dtype="uint16"), photometric="miniswhite")

    assert load_picture(tmp_path / "white.tif").rgb[0, :, 0].tolist() == [255, 0]


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (1, [[1, 2, 3], [4, 5, 6]]),
        (2, [[3, 2, 1], [6, 5, 4]]),
        (3, [[6, 5, 4], [3, 2, 1]]),
        (4, [[4, 5, 6], [1, 2, 3]]),
        (5, [[1, 4], [2, 5], [3, 6]]),
        (6, [[4, 1], [5, 2], [6, 3]]),
        (7, [[6, 3], [5, 2], [4, 1]]),
        (8, [[3, 6], [2, 5], [1, 4]]),
    ],
)
def test_a_deep_tiff_is_turned_upright(tmp_path: Path, orientation: int, expected: list[list[int]]) -> None:
    values = np.array([[1, 2, 3], [4, 5, 6]], dtype="uint16")
    tifffile.imwrite(tmp_path / "turned.tif", values, extratags=[(274, "H", 1, orientation, True)])

    assert load_picture(tmp_path / "turned.tif").rgb[..., 0].tolist() == expected


@pytest.mark.parametrize("number_type", ["float16", "float32", "float64"])
def test_a_float_tiff_from_0_to_1_is_black_to_white(tmp_path: Path, number_type: str) -> None:
    tifffile.imwrite(tmp_path / "float.tif", np.array([[0.0, 0.25, 1.0]], dtype=number_type))

    assert load_picture(tmp_path / "float.tif").rgb[0, :, 0].tolist() == [0, 64, 255]


def test_nan_in_a_float_tiff_is_black_and_counted(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "nan.tif", np.array([[np.nan, 0.0, 1.0]], dtype="float32"))
    picture = load_picture(tmp_path / "nan.tif")

    assert picture.rgb[0, :, 0].tolist() == [0, 0, 255]
    assert "1 values are not finite" in picture.note


def test_deep_colours_of_a_png_are_read_by_their_upper_byte() -> None:
    picture = picture_from_bytes(png_of_16_bits_rgb(0xC864, 0x6432, 0x32FF), "deep.png")

    assert picture.rgb.tolist() == [[[0xC8, 0x64, 0x32]]]
    assert picture.note == "the upper 8 bits of 16 were read, so that 65535 is white"


def png_of_16_bits_rgb(red: int, green: int, blue: int) -> bytes:
    """One pixel, written by hand because no library here writes 16-bit colours."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" + struct.pack(">HHH", red, green, blue))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def test_a_strip_of_30000_pixels_is_read_with_a_word_about_its_shape(tmp_path: Path) -> None:
    picture = saved(Image.new("L", (30_000, 20), 5), tmp_path / "strip.png")

    assert picture.rgb.shape == (20, 30_000, 3)
    assert picture.note.startswith("30000 x 20 is a very long strip")


def test_a_colour_profile_changes_nothing(tmp_path: Path) -> None:
    picture = saved(Image.new("RGB", (2, 2), (10, 20, 30)), tmp_path / "icc.png", icc_profile=b"not a profile")

    assert picture.rgb[0, 0].tolist() == [10, 20, 30]


def test_folders_are_expanded_in_order_and_files_are_kept(tmp_path: Path) -> None:
    names = ["b/2.PNG", "b/1.jpg", "a/deep/3.tif", "a/notes.txt", "a/.hidden.png"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    found = list_pictures([tmp_path / "b", tmp_path / "a/notes.txt", tmp_path])

    relative = [path.relative_to(tmp_path).as_posix() for path in found]
    assert relative == ["b/1.jpg", "b/2.PNG", "a/notes.txt", "a/deep/3.tif", "b/1.jpg", "b/2.PNG"]
