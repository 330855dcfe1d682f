"""Files that are named by the SHA-256 of their bytes.

A file is written beside its place, flushed to the disk and then moved there, so that a name always stands for whole
bytes.  The same bytes twice are one file.  Any number of threads and processes may write at once.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.store.errors import StoreError, write_failure

PART_SUFFIX: Final = ".part"
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


def is_digest(text: str) -> bool:
    """Whether a text could be a digest, and so may become part of a path."""
    return _DIGEST.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class BlobFolder:
    """A folder of such files, in subfolders by the first two letters of the digest."""

    root: Path
    suffix: str = ""
    kind: str = "file"  # how one of them is called in messages

    def path(self, digest: str) -> Path:
        """Where the file with this digest is, or would be.

        Raises:
            ValueError: `digest` is no digest.
        """
        if not is_digest(digest):
            raise ValueError(f"not a SHA-256 in hexadecimal: {digest!r}")
        return self.root / digest[:2] / f"{digest}{self.suffix}"

    def put(self, data: bytes) -> str:
        """Store bytes for good and return their digest.  A damaged file of that name is replaced.

        Raises:
            StoreError: the folder cannot be written; no part of the file is left.
        """
        digest = hashlib.sha256(data).hexdigest()
        path = self.path(digest)
        try:
            _make_folder(path.parent, self.root.parent)
            if not _holds(path, digest):
                _write_whole(path, data)
            # Also for a file that was there: who wrote it may not have come to this line yet.
            _flush_folder(path.parent)
        except OSError as error:
            raise write_failure(self.root.parent, error) from error
        return digest

    def has(self, digest: str) -> bool:
        """Whether there is a file of that name; its bytes are not looked at."""
        return self.path(digest).is_file()

    def read(self, digest: str) -> bytes:
        """The bytes with this digest.

        Raises:
            StoreError: the file is missing, cannot be read or holds other bytes.
        """
        path = self.path(digest)
        try:
            data = path.read_bytes()
        except FileNotFoundError as error:
            raise StoreError(
                f"The {self.kind} {path} is missing; run `workspace check`, or restore a backup."
            ) from error
        except OSError as error:
            raise StoreError(f"The {self.kind} {path} cannot be read ({error.strerror}); check the disk.") from error
        if hashlib.sha256(data).hexdigest() != digest:
            raise StoreError(f"The {self.kind} {path} is damaged; run `workspace check`, or restore it from a backup.")
        return data


def write_file_whole(path: Path, data: bytes) -> None:
    """Replace a file for good, or leave it as it was.

    Raises:
        OSError: it cannot be written; no part is left.
    """
    _write_whole(path, data)
    _flush_folder(path.parent)


def _write_whole(path: Path, data: bytes) -> None:
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}{PART_SUFFIX}")
    try:
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _holds(path: Path, digest: str) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == digest
    except FileNotFoundError:
        return False


def _make_folder(folder: Path, base: Path) -> None:
    """Make a folder below `base`, and make sure that the disk knows of it and of those above it."""
    if folder.is_dir():
        return
    if not base.is_dir():  # moved or deleted: made anew here, it would take files that no database knows
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(base))
    folder.mkdir(parents=True, exist_ok=True)
    while folder != base:
        folder = folder.parent
        _flush_folder(folder)


def _flush_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows cannot open folders, and needs not
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
