"""Reading folders that nobody vouches for: nothing outside is opened, no link is followed, sizes are looked at."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final

from app.store.exchange.base import Refusal
from models.data.pictures import MAX_FILE_BYTES, SUFFIXES
from models.errors import DataError

JsonValue = str | int | float | bool | None | list["JsonValue"] | dict[str, "JsonValue"]
MAX_TEXT_BYTES: Final = 500_000_000
_BEGINNING_BYTES: Final = 65_536
_MOST_BYTES_OF_A_NAME: Final = 255
_MOST_SIGNS_OF_A_PATH: Final = 1000


class Inside:
    """The files below one folder, named by their path relative to it, with "/" between the parts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, relative: str) -> Path:
        """Where a file named inside the folder lies.

        Raises:
            DataError: the name leads out of the folder or over a link.
        """
        parts = PurePosixPath(relative).parts
        leaves = relative.startswith("/") or ".." in parts or "\\" in relative or "\0" in relative
        too_long = any(len(part.encode(errors="replace")) > _MOST_BYTES_OF_A_NAME for part in parts)
        if leaves or not parts or ":" in parts[0] or too_long or len(relative) > _MOST_SIGNS_OF_A_PATH:
            raise DataError(f"It names {relative[:200]!r}, which is no path inside the folder; correct it there.")
        path = self.folder
        for part in parts:
            path = path / part
            if _is_link(path):
                raise DataError(f"{relative[:200]} is reached over a link; put the file itself into the folder.")
        return path

    def has(self, relative: str) -> bool:
        """Whether there is such a file, which may be read."""
        try:
            return self.path(relative).is_file()
        except (DataError, OSError):
            return False

    def bytes_of(self, relative: str, most: int = MAX_FILE_BYTES) -> bytes:
        """A whole file.

        Raises:
            DataError: it is missing, no ordinary file, too large or cannot be read.
        """
        path = self.path(relative)
        try:
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode):
                raise DataError(f"{relative} is no ordinary file; put the file itself into the folder.")
            if status.st_size > most:
                raise DataError(f"{relative} has {status.st_size} bytes; at most {most} are read, so split it.")
            with path.open("rb") as file:
                return file.read(min(most, status.st_size))
        except OSError as error:
            raise DataError(f"{relative} cannot be read ({error.strerror}); check that it is there.") from error

    def later(self, relative: str) -> Callable[[], bytes]:
        """`bytes_of`, when it is asked for."""
        return partial(self.bytes_of, relative)

    def beginning(self, relative: str) -> bytes:
        """The first bytes of a file, none where it cannot be read."""
        try:
            with self.path(relative).open("rb") as file:
                return file.read(_BEGINNING_BYTES)
        except (DataError, OSError):
            return b""

    def json_of(self, relative: str) -> JsonValue:
        """A JSON file.

        Raises:
            DataError: as `bytes_of`, or it is no JSON.
        """
        return json_from(self.bytes_of(relative, MAX_TEXT_BYTES), relative)

    def files(self, below: str = "", refuse: Callable[[Refusal], None] | None = None) -> Iterator[str]:
        """All ordinary files in order of their paths; hidden ones are passed over.

        Args:
            below: a folder inside; "" for all.
            refuse: is told of links, which are never followed.
        """
        start = self.folder / below
        if _is_link(start):
            return
        for root, folders, names in os.walk(start, followlinks=False):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in [*folders, *sorted(names)]:
                path = Path(root, name)
                relative = path.relative_to(self.folder).as_posix()
                if _is_link(path) and refuse is not None:
                    refuse(Refusal(relative, "It is a link, and links are not followed; put the file itself there."))
                elif name not in folders and not name.startswith(".") and not _is_link(path) and _is_file(path):
                    yield relative

    def pictures(self, below: str = "", refuse: Callable[[Refusal], None] | None = None) -> Iterator[str]:
        """Those of `files` that end like a picture."""
        return (name for name in self.files(below, refuse) if PurePosixPath(name).suffix.lower() in SUFFIXES)

    def folders(self, below: str = "") -> list[str]:
        """The names of the folders directly in a folder, in order; links and hidden ones are no folders."""
        start = self.folder / below
        try:
            if _is_link(start) or not start.is_dir():
                return []
            found = [path for path in start.iterdir() if path.is_dir() and not _is_link(path)]
        except OSError:
            return []
        return sorted(path.name for path in found if not path.name.startswith("."))


def json_from(data: bytes, name: str) -> JsonValue:
    """JSON from the bytes of a file.

    Raises:
        DataError: they are none.
    """
    try:
        value: JsonValue = json.loads(data.decode("utf-8-sig"))
    except RecursionError as error:
        raise DataError(f"{name} is nested too deeply to be read; export it again.") from error
    except ValueError as error:  # also UnicodeDecodeError
        raise DataError(f"{name} is no readable JSON ({error}); export it again or correct it.") from error
    return value


def _is_link(path: Path) -> bool:
    # A junction is Windows' link between folders; Python 3.12 names it, older ones resolve it.
    try:
        return path.is_symlink() or (hasattr(path, "is_junction") and path.is_junction())
    except OSError:  # in a closed folder, where opening it fails too
        return False


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # who opens it says why it cannot be read
        return True
