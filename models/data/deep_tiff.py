"""TIFF files with more than 8 bits a sample (scientific cameras, thermography), which Pillow reads in part only.

Grey and RGB, with or without alpha, of any number type; everything else is left to Pillow.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from models.data.pixel_values import Bytes, over_white, to_bytes

_MINISWHITE, _MINISBLACK, _RGB = 0, 1, 2
_TIFF_MARKS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # small and large TIFF, in both byte orders
_NO_COMPRESSION, _DEFLATE, _PACKBITS, _OLD_DEFLATE = 1, 8, 32773, 32946  # others need codecs that we do not install
_TAG_ORIENTATION = 274
# Turns an array (H, W, ...) as stored into how it is meant to be seen, by the value of the orientation tag.
_TURNS: dict[int, tuple[int, bool]] = {  # quarter turns counter-clockwise, then mirrored left to right
    1: (0, False), 2: (0, True), 3: (2, False), 4: (2, True), 5: (3, True), 6: (3, False), 7: (1, True), 8: (1, False),
}  # fmt: skip


class DeepTiff:
    """The first page of such a file; its pixels are decoded by `rgb` only, so the size can be checked before."""

    def __init__(self, page: tifffile.TiffPage) -> None:
        self._page = page
        self.size_wh = (page.imagewidth, page.imagelength)

    def rgb(self) -> tuple[Bytes, str]:
        """Decode the page.

        Returns:
            (H, W, 3), upright, and the rule of `to_bytes` that was used.
        Raises:
            ValueError: the data is damaged.
            PictureError: no value is finite.
        """
        values = self._page.asarray()
        if self._page.axes == "SYX":
            values = np.moveaxis(values, 0, -1)
        grey, rule = _flattened(values)
        if self._page.photometric == _MINISWHITE:
            grey = 255 - grey
        upright = _upright(grey, self._orientation())
        return (upright if upright.ndim == 3 else np.repeat(upright[..., None], 3, axis=-1)), rule

    def _orientation(self) -> int:
        tag = self._page.tags.get(_TAG_ORIENTATION)
        return int(tag.value) if tag is not None else 1


def open_deep_tiff(data: bytes) -> DeepTiff | None:
    """Read the header of a TIFF.

    Returns:
        the first page, or None for what is left to Pillow: 8 bits or fewer, palettes, CMYK, LZW, other formats.
    """
    if not data.startswith(_TIFF_MARKS):  # tifffile's own refusal would keep `data` in memory until the next collection
        return None
    try:
        page = tifffile.TiffFile(io.BytesIO(data)).pages[0]
    except (tifffile.TiffFileError, IndexError, ValueError, KeyError, TypeError):
        return None
    if not isinstance(page, tifffile.TiffPage) or page.dtype is None or page.dtype == np.uint8:
        return None
    plain = page.axes in {"YX", "YXS", "SYX"} and page.photometric in {_MINISWHITE, _MINISBLACK, _RGB}
    readable = page.compression in {_NO_COMPRESSION, _DEFLATE, _PACKBITS, _OLD_DEFLATE}
    return DeepTiff(page) if plain and readable and page.bitspersample > 8 and page.samplesperpixel <= 4 else None


def _flattened(values: NDArray[Any]) -> tuple[Bytes, str]:
    """(H, W) or (H, W, C), C = 1 to 4 with alpha last at 2 and 4, to (H, W) or (H, W, 3) over white."""
    if values.ndim == 2 or values.shape[-1] == 3:
        return to_bytes(values)
    if values.shape[-1] == 1:
        return to_bytes(values[..., 0])
    colours, rule = to_bytes(values[..., 0] if values.shape[-1] == 2 else values[..., :3])
    whole = 1.0 if np.issubdtype(values.dtype, np.floating) else float(np.iinfo(values.dtype).max)
    alpha = np.clip(np.rint(values[..., -1] * (255.0 / whole)), 0, 255).astype(np.uint8)
    return over_white(colours, alpha), rule


def _upright(values: Bytes, orientation: int) -> Bytes:
    quarter_turns, mirrored = _TURNS.get(orientation, (0, False))
    turned = np.rot90(values, quarter_turns)
    return np.ascontiguousarray(turned[:, ::-1] if mirrored else turned)
