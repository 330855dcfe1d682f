"""Small pictures for the queue: made once per image, kept in the workspace's cache, made again if they are gone.

Thread-safe; only a few are made at once, because decoding a large picture takes much memory.
"""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PIL import Image

from models.data.pictures import picture_from_bytes
from models.errors import ExpectedError

if TYPE_CHECKING:
    from app.store.workspace import Workspace

LONG_SIDE_PX: Final = 192
_AT_ONCE: Final = 2
_QUALITY: Final = 80


class Thumbnails:
    """The workspace's thumbnails, as WebP files."""

    def __init__(self, workspace: Workspace) -> None:
        """Prepare; nothing is made yet."""
        self._workspace = workspace
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="thumbnails")

    def many(self, digests: Iterable[str]) -> dict[str, bytes]:
        """Thumbnails by digest; an image that is unknown or cannot be read is left out."""
        wanted = list(dict.fromkeys(digests))
        return {digest: data for digest, data in zip(wanted, self._pool.map(self._get, wanted), strict=True) if data}

    def _get(self, digest: str) -> bytes | None:
        path = self._workspace.folder / "cache" / "thumbnails" / digest[:2] / f"{digest}.webp"
        with suppress(OSError):
            if kept := path.read_bytes():  # a crash of the machine may leave an empty file
                return kept
        try:
            data = thumbnail(self._workspace.image_bytes(digest), digest)
        except ExpectedError:
            return None
        _keep(path, data)
        return data


def thumbnail(data: bytes, name: str) -> bytes:
    """A picture as a WebP whose longer side is at most LONG_SIDE_PX; smaller pictures keep their size.

    Args:
        data: a whole picture file.
        name: how it is called in messages.
    Raises:
        PictureError: these bytes are no picture.
    """
    small = Image.fromarray(picture_from_bytes(data, name).rgb)
    small.thumbnail((LONG_SIDE_PX, LONG_SIDE_PX), Image.Resampling.BOX, reducing_gap=None)
    file = io.BytesIO()
    small.save(file, format="WEBP", quality=_QUALITY)
    return file.getvalue()


def _keep(path: Path, data: bytes) -> None:
    """Write the file whole or not at all; a workspace that cannot be written to only costs time."""
    part = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(data)
        part.replace(path)
    except OSError:
        with suppress(OSError):
            part.unlink()
