"""The one loader for pictures that people give us: any common format in, (H, W, 3) uint8 out, or one clear sentence.

Rules, stated in `Picture.note` where one was used: the first frame or page counts; EXIF orientation is applied; what is
transparent lies over white; deep values are scaled as in `pixel_values`; colour profiles are ignored.  The number of
pixels is read from the header before anything is decoded.  Reads files; keeps and changes no state.
"""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageFile, ImageOps

from models.data.deep_tiff import open_deep_tiff
from models.data.pixel_values import Bytes, over_white, to_bytes
from models.data.refusals import damaged_header, refuse_path, refuse_pixels, unknown_file
from models.errors import PictureError

MAX_PIXELS: Final = 100_000_000
MAX_FILE_BYTES: Final = 1_000_000_000
FORMATS: Final = ("PNG", "JPEG", "TIFF", "GIF", "WEBP", "BMP", "PPM", "AVIF", "JPEG2000")
SUFFIXES: Final = frozenset({
    ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".mpo", ".tif", ".tiff", ".gif", ".webp",
    ".bmp", ".ppm", ".pgm", ".pbm", ".pnm", ".avif", ".jp2", ".j2k",
})  # fmt: skip
_EXTREME_ASPECT: Final = 20
# What Pillow's decoders raise on damaged data; no common base class exists.
_DECODE_FAULTS: Final = (
    OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, ArithmeticError, RuntimeError,
    struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One picture as the models see it, and where it came from."""

    rgb: Bytes  # (H, W, 3)
    name: str  # the file's name, without folders
    digest: str  # SHA-256 of the file's bytes, hexadecimal
    note: str  # the rules that were used to read it, for people; "" for an ordinary picture


def load_picture(path: Path, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read a picture file.

    Args:
        path: a file; no folder.
        max_pixels: more pixels than this are refused before they are decoded.
    Raises:
        PictureError: the file cannot be read, is no picture, is damaged or too large.
    """
    refuse_path(path, MAX_FILE_BYTES)
    try:
        data = path.read_bytes()
    except PermissionError as error:
        raise PictureError(f"{path} may not be read by this user; change its permissions or copy it.") from error
    except OSError as error:
        raise PictureError(f"{path} cannot be read ({error.strerror}); check the disk, then try again.") from error
    return picture_from_bytes(data, path.name, max_pixels=max_pixels)


def picture_from_bytes(data: bytes, name: str, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read a picture from the bytes of its file.

    Args:
        data: a whole file.
        name: how the picture is called in messages and results.
        max_pixels: more pixels than this are refused before they are decoded.
    Raises:
        PictureError: these bytes are no picture, are damaged or too large.
    """
    try:
        rgb, notes = _decode(data, name, max_pixels)
    except _DECODE_FAULTS as error:
        raise PictureError(f"{name} is damaged or incomplete ({error}); copy it again or save it anew.") from error
    except MemoryError as error:
        raise PictureError(f"{name} needs more memory than there is; give a smaller picture.") from error
    height, width = rgb.shape[:2]
    if max(height, width) > _EXTREME_ASPECT * min(height, width):
        notes.append(
            f"{width} x {height} is a very long strip, which models see squeezed into a square: give parts of it"
        )
    return Picture(rgb=rgb, name=name, digest=hashlib.sha256(data).hexdigest(), note="; ".join(filter(None, notes)))


def list_pictures(paths: Sequence[Path]) -> list[Path]:
    """Expand folders to the pictures in them, by file ending, at any depth and in order.

    Args:
        paths: files, which are kept whatever they are, and folders.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = (item for item in path.rglob("*") if item.suffix.lower() in SUFFIXES and item.is_file())
        found.extend(sorted(item for item in inside if not item.name.startswith(".")))
    return found


def _decode(data: bytes, name: str, max_pixels: int) -> tuple[Bytes, list[str]]:
    deep_tiff = open_deep_tiff(data)
    if deep_tiff is not None:
        refuse_pixels(name, deep_tiff.size_wh, max_pixels)
        rgb, note = deep_tiff.rgb()
        return rgb, [note]
    with _open_header(data, name) as image:
        refuse_pixels(name, image.size, max_pixels)
        return _decode_first_frame(image)


def _open_header(data: bytes, name: str) -> ImageFile.ImageFile:
    """Find the format and read the size; like Image.open, but its pixel limit, a global, does not come before ours."""
    Image.init()
    for name_of_format in FORMATS:
        build, accepts = Image.OPEN[name_of_format]
        if accepts is None or accepts(data[:16]) is True:
            try:
                return build(io.BytesIO(data), "")
            except _DECODE_FAULTS as error:
                raise damaged_header(name, name_of_format, error) from error
    raise unknown_file(data, name, FORMATS)


def _decode_first_frame(image: ImageFile.ImageFile) -> tuple[Bytes, list[str]]:
    notes = []
    if image.format != "MPO" and getattr(image, "is_animated", False):  # an MPO is a photograph with its preview
        notes.append("only the first frame or page was read")
    if any("16" in str(tile.args) for tile in image.tile) and image.mode in {"RGB", "RGBA", "LA"}:
        notes.append("the upper 8 bits of 16 were read, so that 65535 is white")
    image.load()
    if image.getexif().get(0x0112, 1) != 1:
        notes.append("turned as its EXIF orientation says")
    upright = ImageOps.exif_transpose(image)
    rgb, note = _rgb(upright)
    return rgb, [*notes, note]


def _rgb(image: Image.Image) -> tuple[Bytes, str]:
    """(H, W, 3) and a note."""
    if image.mode.startswith("I") or image.mode == "F":
        grey, note = to_bytes(np.asarray(image))
        return np.repeat(grey[..., None], 3, axis=-1), note
    if not image.has_transparency_data:
        return np.array(image.convert("RGB")), ""
    rgba = np.asarray(image.convert("RGBA"))
    if rgba[..., 3].min() == 255:
        return np.ascontiguousarray(rgba[..., :3]), ""
    return over_white(rgba[..., :3], rgba[..., 3]), "transparent parts lie over white"
