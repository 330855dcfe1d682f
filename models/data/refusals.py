"""Why a picture is refused: one sentence each, with what is wrong, what was found and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from models.errors import PictureError

_WAY_OUT: Final = "save it as PNG or JPEG"
# What people do give us and what no reader here decodes: (first byte of the mark, the mark, what it is called).
_OTHER_FILES: Final = (
    (0, b"%PDF", "a PDF document", "export the page as PNG"),
    (0, b"%!PS", "a PostScript drawing", "export it as PNG"),
    (4, b"ftyphe", "a HEIC photograph", _WAY_OUT),
    (4, b"ftypmif1", "a HEIC photograph", _WAY_OUT),
    (4, b"ftyp", "a video", "save one of its frames as PNG"),
    (0, b"\x1aE\xdf\xa3", "a video", "save one of its frames as PNG"),
    (0, b"8BPS", "a Photoshop document", _WAY_OUT),
    (0, b"gimp xcf", "a GIMP document", _WAY_OUT),
    (0, b"PK\x03\x04", "a ZIP archive", "unpack it and give the pictures inside"),
    (0, b"\x93NUMPY", "a NumPy array", "save it as a float TIFF"),
)


def refuse_path(path: Path, max_bytes: int) -> None:
    """Refuse what is not a plain file of a sensible size.

    Raises:
        PictureError: missing, a folder, a device, empty, or too large.
    """
    try:
        if path.is_dir():
            raise PictureError(f"{path} is a folder; give one of the pictures in it.")
        if not path.exists():
            raise PictureError(f"There is no file {path}; check the name and the folder.")
        if not path.is_file():
            raise PictureError(f"{path} is a device or a pipe, not a file; save the picture to a file first.")
        size = path.stat().st_size
    except OSError as error:
        raise PictureError(f"{path} cannot be reached ({error.strerror}); check its permissions.") from error
    if size > max_bytes:
        found, limit = f"{size / 1e6:,.0f} MB", f"{max_bytes / 1e6:,.0f} MB"
        raise PictureError(f"{path.name} has {found} and the limit is {limit}; give a smaller copy.")


def refuse_pixels(name: str, size_wh: tuple[int, int], max_pixels: int) -> None:
    """Refuse a picture by the size that its header says, before a byte of it is decoded.

    Raises:
        PictureError: the picture has no pixels, or more than `max_pixels`.
    """
    width, height = size_wh
    if width < 1 or height < 1:
        raise PictureError(f"{name} has no pixels ({width} x {height}); save it anew.")
    if width * height > max_pixels:
        raise PictureError(
            f"{name} has {width} x {height} = {width * height / 1e6:,.1f} million pixels and the limit is "
            f"{max_pixels / 1e6:,.1f} million; scale it down or cut it into parts."
        )


def damaged_header(name: str, format_name: str, error: Exception) -> PictureError:
    """Say that a file starts like a picture and goes on otherwise; the caller raises it."""
    return PictureError(
        f"{name} begins as {format_name}, but its header is damaged or of a rare kind ({error}); {_WAY_OUT}."
    )


def unknown_file(data: bytes, name: str, formats: Sequence[str]) -> PictureError:
    """Say what a file is that no reader here accepts; the caller raises it."""
    if not data:
        return PictureError(f"{name} is empty (0 bytes); copy it again.")
    if b"<svg" in data[:2048].lower():
        return PictureError(f"{name} is an SVG drawing, not a photograph; export it as PNG.")
    for start, mark, what, way_out in _OTHER_FILES:
        if data[start : start + len(mark)] == mark:
            return PictureError(f"{name} is {what}, which is not read here; {way_out}.")
    return PictureError(f"{name} is not a picture in a known format ({', '.join(formats)}); {_WAY_OUT}.")
