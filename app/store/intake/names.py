"""Which names of files may be taken from an archive or a folder, and which are passed over.  Pure functions."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath
from typing import Final

_DRIVE: Final = re.compile(r"^[A-Za-z]:")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_DEVICE: Final = re.compile(r"^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[1-9¹²³])\s*(\.|$)", re.IGNORECASE)
_ARCHIVE: Final = re.compile(r"\.(zip|tar|tgz|tbz2?|txz|gz|bz2|xz|zst|7z|rar|lzh|cab|iso)$", re.IGNORECASE)
# A .gz begins with 1f8b08, a zip with PK and one of three pairs.
_ARCHIVE_BEGINNINGS: Final = (
    b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08", b"\x1f\x8b\x08", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07",
    b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"BZh",
)  # fmt: skip
_SYSTEM_NAMES: Final = frozenset({"__macosx", "thumbs.db", "desktop.ini", "ehthumbs.db", "$recycle.bin", "@eadir"})
_MOST_BYTES_OF_A_NAME: Final = 255
_MOST_BYTES_OF_A_PATH: Final = 1_000


def is_system_name(name: str) -> bool:
    """Whether a file or folder is the work of an operating system, or hidden: nobody means to import it."""
    return name.startswith(".") or name.casefold() in _SYSTEM_NAMES


def is_archive_name(name: str) -> bool:
    """Whether a name ends like that of an archive."""
    return _ARCHIVE.search(name) is not None


def is_archive_beginning(data: bytes) -> bool:
    """Whether a file that begins with these bytes is an archive, whatever its name says."""
    return data.startswith(_ARCHIVE_BEGINNINGS)


def name_problem(path: str) -> str:
    """What is wrong with a path as an archive states it, as a sentence; "" for a path that stays where it is put.

    Args:
        path: as it stands in the archive, folders separated by "/".
    """
    parts = path.rstrip("/").split("/")
    checks = (
        (not path or not any(parts), "The entry has no name"),
        (_CONTROL.search(path), "The name holds control characters"),
        (path.startswith("/"), "The path is absolute and would leave the folder it is unpacked to"),
        (_DRIVE.search(path), "The path names a drive and would leave the folder it is unpacked to"),
        ("\\" in path, "The path holds backslashes, which some systems take for folders"),
        (".." in parts, 'The path climbs out of its folder with ".."'),
        (any(map(_DEVICE.search, parts)), "The name is that of a device on Windows"),
        (_is_too_long(path, parts), "The path is too long for a file system"),
    )
    problem = next((sentence for found, sentence in checks if found), "")
    return f"{problem}; rename it and pack the archive anew." if problem else ""


def clean_path(path: str) -> PurePosixPath:
    """A path that `name_problem` let through, without "." and empty parts."""
    return PurePosixPath(*(part for part in path.split("/") if part not in {"", "."}))


def same_file_key(path: PurePosixPath) -> tuple[str, ...]:
    """Equal for paths that are one file on some systems: they differ in case, in accents' form or in trailing dots."""
    return tuple(unicodedata.normalize("NFC", part).casefold().rstrip(". ") for part in path.parts)


def _is_too_long(path: str, parts: list[str]) -> bool:
    sizes = [len(part.encode(errors="surrogateescape")) for part in parts]
    return max(sizes) > _MOST_BYTES_OF_A_NAME or sum(sizes) + len(sizes) > _MOST_BYTES_OF_A_PATH
