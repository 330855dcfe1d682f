"""From deep pixel values to 8 bits, by rules that are stated with every picture.

H x W pixels, C colours.  Pure functions on arrays.  A rule never stretches a picture by its own darkest value when the
file says what its numbers mean (integers from 0, floats in [0, 1]): a dark, even picture has to stay dark and even.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import PictureError

Bytes = NDArray[np.uint8]

_LOW_QUANTILE = 0.001
_HIGH_QUANTILE = 0.999


def to_bytes(values: NDArray[Any]) -> tuple[Bytes, str]:
    """Bring samples of any number type to 0..255.

    Args:
        values: (H, W) or (H, W, C), whole numbers or floats, of any range.
    Returns:
        the same shape as uint8, and the rule that was used as a phrase for people ("" where nothing was changed).
    Raises:
        PictureError: no value is a finite number.
    """
    if values.dtype == np.uint8:
        return values, ""
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * np.uint8(255), ""
    if np.issubdtype(values.dtype, np.integer) and values.min() >= 0:
        return _counts_to_bytes(values)
    return _measurements_to_bytes(values.astype(np.float32 if values.dtype.itemsize <= 4 else np.float64))


def over_white(colours: Bytes, alpha: Bytes) -> Bytes:
    """Lay a partly transparent picture over a white background.

    Args:
        colours: (H, W) or (H, W, C), not multiplied by alpha.
        alpha: (H, W), 255 = opaque.
    Returns:
        the same shape as `colours`.
    """
    weight = alpha.astype(np.uint32) if colours.ndim == 2 else alpha.astype(np.uint32)[..., None]
    mixed: Bytes = ((colours * weight + 255 * (255 - weight) + 127) // 255).astype(np.uint8)
    return mixed


def _counts_to_bytes(values: NDArray[Any]) -> tuple[Bytes, str]:
    """Whole numbers from 0: white is the smallest 2^n - 1, n >= 8, that holds 99.9 % of them.

    Cameras of 10, 12 or 14 bits are stored in 16, and the file does not say which; a few hot pixels must not decide.
    """
    typical_maximum = int(np.quantile(values, _HIGH_QUANTILE, method="higher"))
    white = (1 << max(8, typical_maximum.bit_length())) - 1
    if values.dtype.itemsize <= 2:  # a table is exact, and spares a copy of the picture in wide floats
        table = np.arange(np.iinfo(values.dtype).max + 1, dtype=np.uint32)
        scaled = _rounded(table * (255.0 / white))[values]
    else:
        scaled = _rounded(values * (255.0 / white))
    return scaled, f"values above 8 bits were scaled so that {white} is white"


def _measurements_to_bytes(values: NDArray[Any]) -> tuple[Bytes, str]:
    """Floats and signed numbers: [0, 1] is black to white; else the 0.1 % and 99.9 % quantiles are black and white."""
    finite = np.isfinite(values)
    known = values[finite]
    if known.size == 0:
        raise PictureError("The picture holds no finite number, only NaN or infinity; export it again from its source.")
    if known.min() >= 0 and known.max() <= 1:
        black, white, rule = 0.0, 1.0, "values from 0 to 1 were scaled to black and white"
    else:
        black, white = (float(level) for level in np.quantile(known, [_LOW_QUANTILE, _HIGH_QUANTILE]))
        rule = f"values from {black:g} to {white:g} (0.1 % and 99.9 % quantiles) were scaled to black and white"
    if white == black:
        scaled = np.full(values.shape, 128, dtype=np.uint8)
        rule = f"almost every value is {black:g}, shown as mid-grey"
    else:
        filled = np.nan_to_num(values, nan=black, posinf=white, neginf=black)
        scaled = _rounded((filled - black) * (255.0 / (white - black)))
    if not finite.all():
        rule += f"; {int(values.size - known.size)} values are not finite, NaN shown as black"
    return scaled, rule


def _rounded(values: NDArray[Any]) -> Bytes:
    rounded: Bytes = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return rounded
