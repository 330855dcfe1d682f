"""Where the browser gets an image's pixels: a file in Gradio's cache, named by the image's digest.

Originals that browsers show as our loader reads them are copied there unchanged; others become a PNG of the loader's
pixels.  Gradio empties its cache in time, so the file is looked for at every opening.
"""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path
from typing import Final
from urllib.parse import quote

from gradio.route_utils import API_PREFIX
from gradio.utils import get_upload_folder
from PIL import Image

from models.data.pictures import Picture
from models.errors import ExpectedError

_SHOWN_BY_BROWSERS: Final = {
    "PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp", "AVIF": ".avif",
}  # fmt: skip
_RUN_LENGTHS: Final = 3  # zlib's Z_RLE: lossless, without the search for longer matches
_PLAIN_MODES: Final = frozenset({"RGB", "L", "P", "1"})


def image_url(picture: Picture, original: Path) -> str:
    """Put an image's pixels where the page may fetch them.

    Args:
        picture: the image as our loader read it.
        original: its file, which is not changed.
    Returns:
        The URL from the page's root on; the browser puts the root before it.
    Raises:
        ExpectedError: the cache cannot be written.
    """
    as_it_is = _shown_as_read(picture, original)
    name = f"image{as_it_is or '.png'}"
    path = Path(get_upload_folder()).resolve() / "oddity-images" / picture.digest / name
    try:
        os.utime(path)  # it was wanted again: kept for another day
    except OSError:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _place(path, picture, original if as_it_is else None)
        except OSError as error:
            raise ExpectedError(
                f"{picture.name} cannot be shown, because its copy for the browser cannot be written below "
                f"{get_upload_folder()} ({error.strerror or error}); make room there, then open it again."
            ) from error
    return f"{API_PREFIX}/file={quote(str(path))}"


def _shown_as_read(picture: Picture, original: Path) -> str:
    """The file's ending if a browser shows the original's pixels at the loader's size and turn, else ""."""
    if picture.note:
        return ""
    try:
        with Image.open(original) as image:
            if image.mode not in _PLAIN_MODES:
                return ""
            return _SHOWN_BY_BROWSERS.get(str(image.format), "")
    except (OSError, ValueError, Image.DecompressionBombError):
        return ""


def _place(path: Path, picture: Picture, original: Path | None) -> None:
    """Write the file whole: the original's bytes, or the loader's pixels as PNG."""
    part = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        if original is not None:
            shutil.copyfile(original, part)  # no link: whatever happens in the cache, the original stays
        else:
            Image.fromarray(picture.rgb).save(part, format="PNG", compress_level=1, compress_type=_RUN_LENGTHS)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
