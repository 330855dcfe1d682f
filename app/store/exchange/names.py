"""Names of files and folders as they are written: made from names that people gave, safe in a path on any system."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path, PurePosixPath
from typing import Final

from models.data.pictures import SUFFIXES

_MOST_BYTES: Final = 150
_REPLACED: Final = re.compile(r'[/\\:*?"<>|]')
_RESERVED: Final = re.compile(r"^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])$", re.IGNORECASE)
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_BEGINNINGS: Final = (
    (b"\x89PNG", ".png"), (b"\xff\xd8\xff", ".jpg"), (b"GIF8", ".gif"), (b"BM", ".bmp"), (b"II*\0", ".tif"),
    (b"MM\0*", ".tif"), (b"II+\0", ".tif"), (b"MM\0+", ".tif"), (b"RIFF", ".webp"),
)  # fmt: skip


def safe_name(name: str, otherwise: str = "unnamed") -> str:
    """A name for one file or folder: no separator, no "..", at most 150 bytes, and no device of Windows.

    Args:
        name: anything.
        otherwise: what to call it where nothing usable is left.
    """
    seen = "".join(sign for sign in unicodedata.normalize("NFC", name) if unicodedata.category(sign) not in _INVISIBLE)
    # A leading dot hides a file, a leading ~ or - is read by shells and programs, dots and blanks at the end vanish.
    plain = _REPLACED.sub("_", seen).lstrip(".~- ").rstrip(". ")
    stem, dot, ending = plain.rpartition(".")
    if not stem or len(ending.encode()) > 10:
        stem, dot, ending = plain, "", ""
    stem = _cut(stem, _MOST_BYTES - len((dot + ending).encode())).rstrip(". ")
    if _RESERVED.match(stem.split(".")[0].strip()):
        stem = f"_{stem}"
    return f"{stem}{dot}{ending}" if stem else otherwise


def image_name(name: str, path: Path) -> str:
    """`safe_name` of a picture, with an ending by which other programs know it as one."""
    safe = safe_name(name, "image")
    if PurePosixPath(safe).suffix.lower() in SUFFIXES:
        return safe
    with path.open("rb") as file:
        beginning = file.read(16)
    return safe + next((ending for start, ending in _BEGINNINGS if beginning.startswith(start)), ".png")


class NameBook:
    """Gives each image a name whose stem no other has, so that masks and texts beside it can be called after it."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def give(self, name: str, digest: str) -> str:
        """The name itself for the first that asks for it, later ones get the beginning of their digest behind it.

        Args:
            name: safe, with an ending.
            digest: of the image, hexadecimal.
        """
        stem, ending = PurePosixPath(name).stem, PurePosixPath(name).suffix
        for signs in (0, 8, 16, len(digest)):
            candidate = f"{stem}-{digest[:signs]}" if signs else stem
            # Not every system tells cases apart, nor a name from the mask that is called after another.
            key = candidate.casefold()
            if key not in self._taken:
                self._taken.update((key, f"{key}_mask"))
                return candidate + ending
        raise ValueError(f"the image {digest} was given twice")


def _cut(text: str, most_bytes: int) -> str:
    return text.encode(errors="ignore")[:most_bytes].decode(errors="ignore")
