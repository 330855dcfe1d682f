"""Read reference pictures from files; one that cannot be read does not spoil the others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app.services.references import MOST_REFERENCES
from models.data.pictures import MAX_PIXELS, list_pictures, load_picture
from models.errors import DataError, PictureError

if TYPE_CHECKING:
    from models.data.pictures import Picture


def read_references(
    paths: Sequence[Path], *, max_pixels: int = MAX_PIXELS
) -> tuple[tuple[Picture, ...], tuple[str, ...]]:
    """Read reference pictures; one that cannot be read is left out, and a sentence says why.

    Args:
        paths: files, and folders whose pictures are meant.
        max_pixels: larger pictures are refused.
    Returns:
        The pictures, and a sentence for each that was left out.
    Raises:
        DataError: there is none, too many, or none that can be read.
    """
    files = list_pictures(paths)
    if len(files) > MOST_REFERENCES:
        where = ", ".join(map(str, paths))
        raise DataError(
            f"{where} holds {len(files)} pictures; give a folder with at most {MOST_REFERENCES} references."
        )
    pictures, refused = [], []
    for path in files:
        try:
            pictures.append(load_picture(path, max_pixels=max_pixels))
        except PictureError as error:
            refused.append(f"{path.name} is left out of the references: {error}")
    if not pictures:
        where = ", ".join(map(str, paths)) or "what was given"
        reason = f" ({refused[0]})" if refused else ""
        raise DataError(f"There is no reference picture that can be read in {where}{reason}; give 1 to 32 normal ones.")
    return tuple(pictures), tuple(refused)
