"""Reference pictures that the server keeps for its visitors, by name and digest; a session says which."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.services.caches import BoundedCache
from app.services.references import ReferenceBuilder, ReferenceOptions
from app.ui.session import PictureRef
from models.data.pictures import Picture, load_picture
from models.errors import PictureError

if TYPE_CHECKING:
    from app.services.references import References

_PICTURE_BYTES: Final = 128 * 2**20
_THUMBNAIL_BYTES: Final = 16 * 2**20
_THUMBNAIL_PX: Final = 96
_QUALITY: Final = 80


class ReferenceShelf:
    """Pictures and thumbnails of references; what is dropped is read again when it is wanted.  Thread-safe."""

    def __init__(self) -> None:
        """Make an empty shelf."""
        self._pictures: BoundedCache[tuple[str, str], Picture] = BoundedCache(
            _PICTURE_BYTES, lambda picture: picture.rgb.nbytes
        )
        self._thumbnails: BoundedCache[str, str] = BoundedCache(_THUMBNAIL_BYTES, len)

    def open(self, path: str, name: str | None = None) -> PictureRef:
        """Read a picture file and keep it.

        Args:
            path: on the server.
            name: how it is called; None = as its file.
        Raises:
            PictureError: it cannot be read as a picture.
        """
        picture = load_picture(Path(path))
        ref = PictureRef(path=path, name=name or picture.name, digest=picture.digest)
        self._keep(ref, picture)
        return ref

    def thumbnail(self, ref: PictureRef) -> str:
        """A small picture as a data URL; "" where the file is gone."""
        if self._thumbnails.get(ref.digest) is None:
            try:
                self._picture(ref)
            except PictureError:
                return ""
        return self._thumbnails.get(ref.digest) or ""

    def references(
        self, builder: ReferenceBuilder, refs: Sequence[PictureRef], options: ReferenceOptions
    ) -> References | None:
        """The bank of some pictures, built now unless it is in memory; None without pictures.

        Raises:
            PictureError: a file is gone or has changed, and has to be read again.
            WeightsError: the backbone's weights are missing or damaged.
        """
        if not refs:
            return None
        known = builder.find([(ref.name, ref.digest) for ref in refs], options)
        return known or builder.build([self._picture(ref) for ref in refs], options)

    def _picture(self, ref: PictureRef) -> Picture:
        kept = self._pictures.get((ref.digest, ref.name))
        if kept is not None:
            return kept
        if not Path(ref.path).is_file():
            raise PictureError(
                f"The normal picture {ref.name} is no longer kept on the server; remove it or add it again."
            )
        picture = load_picture(Path(ref.path))
        if picture.digest != ref.digest:
            raise PictureError(f"The normal picture {ref.name} has changed on the server; remove it or add it again.")
        return self._keep(ref, picture)

    def _keep(self, ref: PictureRef, picture: Picture) -> Picture:
        named = replace(picture, name=ref.name)
        self._pictures.put((ref.digest, ref.name), named)
        self._thumbnails.put(ref.digest, _data_url(picture.rgb))
        return named


def _data_url(rgb: NDArray[np.uint8]) -> str:
    """The picture's middle as a small square WebP."""
    side = min(rgb.shape[:2])
    top, left = (rgb.shape[0] - side) // 2, (rgb.shape[1] - side) // 2
    square = Image.fromarray(np.ascontiguousarray(rgb[top : top + side, left : left + side]))
    square.thumbnail((_THUMBNAIL_PX, _THUMBNAIL_PX), Image.Resampling.BOX, reducing_gap=None)
    file = io.BytesIO()
    square.save(file, format="WEBP", quality=_QUALITY)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"
