"""What one visitor's page remembers, and the pictures that the server keeps for all of them.

A session holds digests and plain values only (Gradio copies it); arrays stay in a bounded shelf.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.services.caches import BoundedCache
from app.services.rendering import fit
from app.ui.scratch import Scratch
from models.data.pictures import Picture, load_picture
from models.errors import PictureError
from models.registry import DEFAULT_PRESET

PREVIEW_PX = 1200
_SMALLEST_PREVIEW_PX = 760  # smaller pictures are enlarged, else outlines and numbers would be coarse
_SHELF_BYTES = 512 * 2**20


@dataclass(frozen=True, slots=True)
class PictureRef:
    """Which picture a session looks at."""

    path: str  # on the server
    name: str
    digest: str  # SHA-256 of the file


@dataclass(frozen=True, slots=True)
class Session:
    """One visitor's choices that are not the value of a control."""

    page: str = ""  # which page this is, known from its first picture on
    preset: str = DEFAULT_PRESET
    picture: PictureRef | None = None
    threshold: float | None = None  # set by hand, in units of the fused map; None = calibrated
    drawn: str = ""  # the values of the controls that the result on screen was made with
    sheet: tuple[str, ...] = ()  # what the layer sheet on screen shows; it is drawn again only if this changes


@dataclass(frozen=True, slots=True, eq=False)
class ShelvedPicture:
    """A picture as the page needs it."""

    picture: Picture
    preview: NDArray[np.uint8]  # (h, w, 3), enlarged or shrunk for the page
    preview_path: str  # the preview as a PNG


class PictureShelf:
    """Pictures by digest and name; the least recently used are dropped and read again when they are wanted.

    The name is part of the key because results carry it: two visitors may call one picture differently.
    """

    def __init__(self, scratch: Scratch) -> None:
        """Make an empty shelf whose previews go to `scratch`."""
        self._scratch = scratch
        self._kept: BoundedCache[tuple[str, str], ShelvedPicture] = BoundedCache(
            _SHELF_BYTES, lambda shelved: shelved.picture.rgb.nbytes + shelved.preview.nbytes
        )

    def open(self, path: str) -> PictureRef:
        """Read a picture file and keep it.

        Raises:
            PictureError: it cannot be read as a picture.
        """
        picture = load_picture(Path(path))
        self._kept.put((picture.digest, picture.name), self._prepare(picture))
        return PictureRef(path=path, name=picture.name, digest=picture.digest)

    def get(self, ref: PictureRef) -> ShelvedPicture:
        """The picture that a session looks at.

        Raises:
            PictureError: it was dropped and its file is gone or has changed.
        """
        kept = self._kept.get((ref.digest, ref.name))
        if kept is not None and self._scratch.renew(kept.preview_path):
            return kept
        if not Path(ref.path).is_file():
            raise PictureError(f"{ref.name} is no longer kept on the server; choose the picture again.")
        picture = load_picture(Path(ref.path))
        if picture.digest != ref.digest:
            raise PictureError(f"{ref.name} has changed on the server; choose the picture again.")
        shelved = self._prepare(picture)
        self._kept.put((ref.digest, ref.name), shelved)
        return shelved

    def _prepare(self, picture: Picture) -> ShelvedPicture:
        preview = fit(picture.rgb, _SMALLEST_PREVIEW_PX, PREVIEW_PX)
        return ShelvedPicture(picture, preview, self._scratch.png(preview, "original"))
