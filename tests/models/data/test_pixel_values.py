"""The rules that bring deep values to 8 bits, on numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from models.data.pixel_values import over_white, to_bytes
from models.errors import PictureError


@pytest.mark.parametrize(
    ("values", "expected", "white"),
    [
        ([0, 100, 255], [0, 100, 255], 255),  # 8-bit data in a 16-bit file stays what it is
        ([0, 341, 1023], [0, 85, 255], 1023),  # 10 bits
        ([0, 8192, 16383], [0, 128, 255], 16383),  # 14 bits: 8192 / 16383 * 255 = 127.508
        ([0, 257, 65535], [0, 1, 255], 65535),
    ],
)
def test_white_is_the_smallest_bit_depth_that_holds_the_picture(
    values: list[int], expected: list[int], white: int
) -> None:
    scaled, rule = to_bytes(np.array([values], dtype=np.uint16))

    assert scaled.tolist() == [expected]
    assert rule == f"values above 8 bits were scaled so that {white} is white"


def test_a_hot_pixel_does_not_darken_the_picture() -> None:
    values = np.full((100, 100), 1023, dtype=np.uint16)
    values[0, 0] = 65535

    scaled, _ = to_bytes(values)

    assert np.unique(scaled).tolist() == [255]


def test_a_dark_even_picture_stays_dark_and_even() -> None:
    scaled, _ = to_bytes(np.array([[30, 31, 32, 33]], dtype=np.uint16))

    assert scaled.tolist() == [[30, 31, 32, 33]]


def test_a_black_picture_is_black() -> None:
    assert to_bytes(np.zeros((2, 2), dtype=np.uint16))[0].tolist() == [[0, 0], [0, 0]]


def test_whole_numbers_of_32_bits_follow_the_same_rule() -> None:
    scaled, rule = to_bytes(np.array([[0, 349525, 1048575]], dtype=np.uint32))  # 2^20 - 1 and a third of it

    assert scaled.tolist() == [[0, 85, 255]]
    assert "1048575 is white" in rule


def test_measurements_are_stretched_between_their_outer_quantiles() -> None:
    values = np.arange(1001.0).reshape(1, 1001) - 500  # the quantiles are -499 and 499
    values = values.astype(np.float32)

    scaled, rule = to_bytes(values)

    assert scaled[0, [0, 1, 500, 999, 1000]].tolist() == [0, 0, 128, 255, 255]  # 499 / 998 * 255 = 127.5, to even
    assert rule == "values from -499 to 499 (0.1 % and 99.9 % quantiles) were scaled to black and white"


def test_signed_numbers_are_measurements() -> None:
    assert "quantiles" in to_bytes(np.array([[-5, 0, 5]], dtype=np.int16))[1]


def test_a_constant_measurement_is_mid_grey() -> None:
    scaled, rule = to_bytes(np.full((2, 2), 36.5, dtype=np.float32))

    assert np.unique(scaled).tolist() == [128]
    assert rule == "almost every value is 36.5, shown as mid-grey"


def test_infinities_are_black_and_white_and_do_not_set_the_scale() -> None:
    values = np.array([[-np.inf, 0.0, 0.2, 1.0, np.inf, np.nan]])

    scaled, rule = to_bytes(values)

    assert scaled.tolist() == [[0, 0, 51, 255, 255, 0]]
    assert rule.endswith("3 values are not finite, NaN shown as black")


def test_nothing_but_nan_is_refused() -> None:
    with pytest.raises(PictureError, match="no finite number"):
        to_bytes(np.full((2, 2), np.nan))


def test_half_transparent_black_over_white_is_grey() -> None:
    colours = np.zeros((1, 1, 3), dtype=np.uint8)

    assert over_white(colours, np.array([[128]], dtype=np.uint8)).tolist() == [[[127, 127, 127]]]
