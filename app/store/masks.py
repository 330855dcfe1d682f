"""Masks as files and as packed bits, both lossless.  A mask is a bool array (H, W).  Pure functions."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from app.store.errors import StoreError
from app.store.records import Mask
from models.data.pictures import MAX_PIXELS
from models.data.refusals import refuse_pixels

_TRUE_VALUES = (1, 255, 65535)
_DECODE_FAULTS = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)


def encode_png(mask: Mask) -> bytes:
    """A PNG with one bit a pixel; the same mask gives the same bytes.

    Raises:
        ValueError: `mask` is no bool array of two dimensions, or has no pixel.
    """
    _require_mask(mask)
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(mask)).save(file, format="PNG", compress_level=6)
    return file.getvalue()


def decode_png(data: bytes, name: str = "The mask", *, max_pixels: int = MAX_PIXELS) -> Mask:
    """Read a mask from a PNG that holds two values only: 0, and 1 or the highest of its depth.

    Args:
        data: a whole file; colour is accepted where red, green and blue agree and nothing is transparent.
        name: how the mask is called in messages.
        max_pixels: more pixels than this are refused before they are decoded.
    Raises:
        StoreError: these bytes are no PNG, are damaged or hold grey values.
        PictureError: it has too many pixels.
    """
    try:
        image = PngImageFile(io.BytesIO(data))
    except _DECODE_FAULTS as error:
        raise StoreError(f"{name} is no PNG file ({len(data)} bytes); masks are saved as PNG.") from error
    refuse_pixels(name, image.size, max_pixels)
    try:
        image.load()
    except _DECODE_FAULTS as error:
        raise StoreError(f"{name} is damaged or incomplete ({error}); copy it again or save it anew.") from error
    values = _single_channel(image, name)
    return values if values.dtype == np.bool_ else _two_valued(values, name)


def pack(mask: Mask) -> bytes:
    """The mask's bits, row by row, most significant bit first, padded at the very end, as a zlib stream.

    Raises:
        ValueError: `mask` is no bool array of two dimensions, or has no pixel.
    """
    _require_mask(mask)
    return zlib.compress(np.packbits(mask).tobytes())


def unpack(data: bytes, size_hw: tuple[int, int], *, max_pixels: int = MAX_PIXELS) -> Mask:
    """The mask that `pack` packed.  Never inflates more than the size says.

    Raises:
        StoreError: the data are no zlib stream, or not of this size.
        PictureError: the size is too large.
    """
    height, width = size_hw
    if height < 1 or width < 1:
        raise StoreError(f"A mask cannot be of {width} x {height} pixels; send its image's size.")
    refuse_pixels("The mask", (width, height), max_pixels)
    expected = (height * width + 7) // 8
    inflater = zlib.decompressobj()
    try:
        packed = inflater.decompress(data, expected + 1)
    except zlib.error as error:
        raise StoreError(f"The packed mask is damaged ({error}); send it again.") from error
    if len(packed) != expected or not inflater.eof or inflater.unused_data:
        raise StoreError(
            f"The packed mask does not hold the {expected} bytes of {width} x {height} pixels; send it whole, one bit "
            "a pixel."
        )
    bits = np.unpackbits(np.frombuffer(packed, dtype=np.uint8), count=height * width)
    return bits.view(np.bool_).reshape(height, width)


def _require_mask(mask: Mask) -> None:
    if mask.dtype != np.bool_ or mask.ndim != 2 or mask.size == 0:
        raise ValueError(f"a mask must be a bool array (H, W), got {mask.dtype} {mask.shape}")


def _single_channel(image: Image.Image, name: str) -> np.ndarray:
    """(H, W), bool or unsigned."""
    if image.mode in {"1", "L", "I", "I;16"} and "transparency" not in image.info:
        return np.array(image)
    rgba = np.asarray(image.convert("RGBA"))
    if rgba[..., 3].min() < 255 or (rgba[..., :1] != rgba[..., 1:3]).any():
        raise StoreError(f"{name} is coloured or transparent; save it in black and white, as 0 and 255.")
    return rgba[..., 0]


def _two_valued(values: np.ndarray, name: str) -> Mask:
    highest = int(values.max())
    mask: Mask = values != 0
    grey = values[mask & (values != highest)]
    if grey.size or highest not in (0, *_TRUE_VALUES):
        found = int(grey[0]) if grey.size else highest
        raise StoreError(f"{name} has grey values such as {found}; save it with 0 and 255 only, without smoothing.")
    return mask
