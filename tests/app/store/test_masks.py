"""Masks come back bit for bit, as files and as packed bits, and what is no mask is refused."""

from __future__ import annotations

import io
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.store.errors import StoreError
from app.store.masks import decode_png, encode_png, pack, unpack
from models.errors import PictureError
from tests.app.store.making import mask_of

SIZES_HW = ((1, 1), (1, 7), (7, 1), (3, 8), (5, 9), (64, 65))


def png_of(values: np.ndarray, mode: str | None = None) -> bytes:
    file = io.BytesIO()
    image = Image.fromarray(values)
    (image if mode is None else image.convert(mode)).save(file, format="PNG")
    return file.getvalue()


def noise(size_hw: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(7).random(size_hw) < 0.5


@pytest.mark.parametrize("size_hw", SIZES_HW)
def test_a_mask_survives_the_file_bit_for_bit(size_hw: tuple[int, int]) -> None:
    mask = noise(size_hw)

    restored = decode_png(encode_png(mask))

    assert restored.dtype == np.bool_
    np.testing.assert_array_equal(restored, mask)


def test_the_file_has_one_bit_a_pixel_and_its_bytes_depend_on_the_mask_alone() -> None:
    mask = noise((5, 9))

    data = encode_png(mask)

    header = Image.open(io.BytesIO(data))
    assert (header.mode, header.size) == ("1", (9, 5))
    assert encode_png(np.asfortranarray(mask)) == data


@pytest.mark.parametrize("highest", [1, 255])
def test_eight_bits_with_two_values_are_a_mask(highest: int) -> None:
    values = np.array([[0, highest], [highest, 0]], dtype=np.uint8)

    assert decode_png(png_of(values)).tolist() == [[False, True], [True, False]]


def test_grey_written_as_colour_sixteen_bits_or_palette_is_a_mask() -> None:
    values = np.array([[0, 255]], dtype=np.uint8)

    assert decode_png(png_of(values, "RGB")).tolist() == [[False, True]]
    assert decode_png(png_of(values, "RGBA")).tolist() == [[False, True]]
    assert decode_png(png_of(values, "P")).tolist() == [[False, True]]
    assert decode_png(png_of(np.array([[0, 65535]], dtype=np.uint16))).tolist() == [[False, True]]


@pytest.mark.parametrize("values", [[[0, 128, 255]], [[0, 254, 254]], [[2, 1, 0]]])
def test_grey_values_are_refused(values: list[list[int]]) -> None:
    with pytest.raises(StoreError, match=r"scratch.png has grey values such as \d+; save it with 0 and 255 only"):
        decode_png(png_of(np.array(values, dtype=np.uint8)), "scratch.png")


def test_colour_and_transparency_are_refused() -> None:
    red = np.array([[[255, 0, 0]]], dtype=np.uint8)
    clear = np.array([[[255, 255, 255, 0]]], dtype=np.uint8)

    for values in (red, clear):
        with pytest.raises(StoreError, match="The mask is coloured or transparent; save it in black and white"):
            decode_png(png_of(values))


def test_what_is_no_png_or_is_cut_off_is_refused() -> None:
    data = encode_png(noise((64, 65)))

    with pytest.raises(StoreError, match=r"The mask is no PNG file \(5 bytes\)"):
        decode_png(b"hello")
    with pytest.raises(StoreError, match="The mask is damaged or incomplete"):
        decode_png(data[: len(data) // 2])


def test_too_many_pixels_are_refused_by_the_header() -> None:
    with pytest.raises(PictureError, match=r"The mask has 65 x 64 = .* the limit is"):
        decode_png(encode_png(noise((64, 65))), max_pixels=4159)


def test_bits_are_packed_row_by_row_from_the_highest_bit_with_padding_at_the_very_end() -> None:
    mask = mask_of((0, 0), (1, 1), size_hw=(2, 5))  # bits 0 and 6 of ten

    assert zlib.decompress(pack(mask)) == bytes([0b1000_0010, 0])


@pytest.mark.parametrize("size_hw", SIZES_HW)
def test_a_mask_survives_packing_bit_for_bit(size_hw: tuple[int, int]) -> None:
    mask = noise(size_hw)

    restored = unpack(pack(mask), size_hw)

    assert restored.dtype == np.bool_
    np.testing.assert_array_equal(restored, mask)


def test_packed_bits_of_another_size_are_refused_without_inflating_them() -> None:
    bomb = zlib.compress(bytes(50_000_000))

    with pytest.raises(StoreError, match="does not hold the 3 bytes of 6 x 4 pixels"):
        unpack(bomb, (4, 6))
    with pytest.raises(StoreError, match="does not hold the 3 bytes of 6 x 4 pixels"):
        unpack(zlib.compress(bytes(2)), (4, 6))


def test_packed_bits_that_are_damaged_or_cut_off_are_refused() -> None:
    packed = pack(noise((64, 65)))

    with pytest.raises(StoreError, match="The packed mask is damaged"):
        unpack(b"no zlib", (4, 6))
    with pytest.raises(StoreError, match="does not hold the 520 bytes of 65 x 64 pixels"):
        unpack(packed[:-1], (64, 65))


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(StoreError, match="A mask cannot be of 3 x 0 pixels"):
        unpack(b"", (0, 3))
    with pytest.raises(PictureError, match=r"the limit is"):
        unpack(b"", (1_000_000, 1_000_000))


def test_only_a_bool_array_of_two_dimensions_is_encoded() -> None:
    numbers: Any = np.zeros((2, 2), dtype=np.uint8)
    for wrong in (numbers, np.zeros((2, 2, 1), dtype=np.bool_)):
        with pytest.raises(ValueError, match=r"a mask must be a bool array \(H, W\)"):
            encode_png(wrong)
        with pytest.raises(ValueError, match=r"a mask must be a bool array \(H, W\)"):
            pack(wrong)
