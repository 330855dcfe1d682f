"""Pictures in folders that no format knows, with their masks where people put them.

A mask is called like its picture and lies in a folder `masks`, `mask`, `ground_truth` or `gt` beside it, or beside it
as STEM_mask or STEM-mask; a picture in a folder `images` counts as lying beside that folder.  A picture without a mask
is not annotated; an empty mask says that it is normal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final

from app.store.exchange.base import Found, Refusal
from app.store.exchange.finding import Finder, Marks
from app.store.exchange.marks import mask_of_file
from app.store.exchange.reading import Inside

NAME: Final = "pictures"
_FOLDERS: Final = frozenset({"masks", "mask", "ground_truth", "gt"})
_IMAGE_FOLDERS: Final = frozenset({"images", "image", "imgs"})
_ENDINGS: Final = ("_mask", "-mask")

_Key = tuple[str, str]  # folder and stem, without regard to case


def read_pictures(
    folder: Path, refuse: Callable[[Refusal], None], names: Sequence[str] | None = None
) -> Iterator[Found]:
    """The pictures of a folder at any depth, in order.

    Args:
        folder: untrusted.
        refuse: gets masks that belong to no picture.
        names: files in it that are taken whatever their ending says; None = those that end like pictures.
    """
    finder = Finder(folder, NAME, refuse)
    files = list(finder.inside.pictures()) if names is None else names
    masks = {key: file for file in files if (key := _picture_of(file)) is not None}
    pictures = [file for file in files if _picture_of(file) is None]
    there = {_home(file) for file in pictures}
    for key, mask in masks.items():
        if key not in there:
            refuse(Refusal(mask, "It is a mask by its name, and its picture is not beside it; rename it, or add that."))
    for file in pictures:
        own = masks.get(_home(file))
        yield finder.bare(file) if own is None else finder.found_by_file(file, own, partial(_marks, finder.inside, own))


def is_called_mask(file: str) -> bool:
    """Whether a file's path says that it is a mask."""
    return _picture_of(file) is not None


def masked_stem(name: str) -> str | None:
    """Which picture a single file is the mask of by its name, without regard to case; None for what is no mask."""
    key = _picture_of(name)
    return None if key is None else key[1]


def _picture_of(file: str) -> _Key | None:
    """Which picture a mask belongs to; None for what is not called like a mask."""
    folder, stem = _key(file)
    above, _, last = folder.rpartition("/")
    short = next((stem.removesuffix(ending) for ending in _ENDINGS if stem.endswith(ending)), stem)
    if last in _FOLDERS:
        return above, short
    return (folder, short) if short not in {stem, ""} else None


def _home(file: str) -> _Key:
    """The key by which a picture's mask is found."""
    folder, stem = _key(file)
    above, _, last = folder.rpartition("/")
    return (above if last in _IMAGE_FOLDERS else folder), stem


def _key(file: str) -> _Key:
    path = PurePosixPath(file)
    folder = "" if path.parent == PurePosixPath() else path.parent.as_posix()
    return folder.casefold(), path.stem.casefold()


def _marks(inside: Inside, mask: str) -> Marks:
    return mask_of_file(inside.bytes_of(mask), mask), ()
