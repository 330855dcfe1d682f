"""The head files of a workspace's versions: each named by its SHA-256, and checked against its name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from app.store.blobs import is_digest, write_file_whole
from app.store.errors import StoreError, write_failure
from app.store.version_records import Version, read_version
from models.errors import ExpectedError
from models.head_files import file_digest
from models.registry import PRESETS
from models.weights import HEADS_DIR

SUFFIX: Final = ".safetensors"
SHOWN: Final = 12  # digits of an id
_SHORTEST_ID: Final = 6
_Stamp = tuple[int, int, int]


class VersionFiles:
    """The folder of them.  What was read is remembered as long as the file does not change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._digests: dict[Path, tuple[_Stamp, str]] = {}
        self._versions: dict[str, tuple[_Stamp, Version]] = {}

    def path(self, version_id: str) -> Path:
        """Where the file of a version is, or would be.

        Raises:
            StoreError: this is no id.
        """
        if not is_digest(version_id):
            raise StoreError(f"There is no version {version_id!r}; `versions list` shows those there are.")
        return self.folder / f"{version_id}{SUFFIX}"

    def has(self, digest: str) -> bool:
        """Whether there is a file of that name; its bytes are not looked at."""
        return is_digest(digest) and self.path(digest).is_file()

    def ids(self) -> list[str]:
        """The names of all files, damaged ones too.

        Raises:
            StoreError: the folder cannot be read.
        """
        try:
            return sorted(path.stem for path in self.folder.glob(f"*{SUFFIX}") if is_digest(path.stem))
        except OSError as error:
            raise StoreError(f"{self.folder} cannot be read ({error.strerror}); check its permissions.") from error

    def read(self, version_id: str) -> Version:
        """A version, its file's bytes checked.

        Raises:
            StoreError: it is missing or damaged.
        """
        path = self.path(version_id)
        try:
            stamp = _stamp(path)
            known = self._versions.get(version_id)
            if known is not None and known[0] == stamp:
                return known[1]
            if file_digest(path) != version_id:
                raise StoreError(f"The version {path} is damaged; import it again, or delete it.")
            version = read_version(path, version_id)
        except FileNotFoundError as error:
            raise StoreError(
                f"There is no version {version_id[:SHOWN]}; `versions list` shows those there are."
            ) from error
        except OSError as error:
            raise StoreError(f"The version {path} cannot be read ({error.strerror}); check the disk.") from error
        self._versions[version_id] = (stamp, version)
        return version

    def all(self) -> Iterator[Version]:
        """Every version that is whole."""
        for version_id in self.ids():
            try:
                yield self.read(version_id)
            except ExpectedError:  # `faults` tells of it
                continue

    def faults(self) -> Iterator[tuple[Path, str]]:
        """Every file that cannot be used, with a sentence."""
        for version_id in self.ids():
            try:
                self.read(version_id)
            except ExpectedError as error:
                yield self.path(version_id), str(error)

    def put(self, source: Path, version: Version) -> Version:
        """Copy a file to its place, whole or not at all.

        Raises:
            StoreError: it changed meanwhile, or the folder cannot be written.
        """
        target = self.path(version.id)
        try:
            if not target.is_file() or file_digest(target) != version.id:
                data = source.read_bytes()
                if hashlib.sha256(data).hexdigest() != version.id:
                    raise StoreError(f"{source} changed while it was read; try again.")
                write_file_whole(target, data)
        except OSError as error:
            raise write_failure(self.folder, error) from error
        return self.read(version.id)

    def is_shipped(self, digest: str, preset: str) -> bool:
        """Whether a digest is that of the head that this program ships for a preset."""
        entry = PRESETS.get(preset)
        shipped = None if entry is None or entry.head_file is None else HEADS_DIR / entry.head_file
        if shipped is None or not shipped.is_file():
            return False
        stamp = _stamp(shipped)
        if self._digests.get(shipped, (None, ""))[0] != stamp:
            self._digests[shipped] = (stamp, file_digest(shipped))
        return self._digests[shipped][1] == digest


def find(files: VersionFiles, wanted: str, preset: str | None) -> Version:
    """The version that a person means; `VersionShelf.get` says how."""
    whole = [version for version in files.all() if preset is None or version.preset == preset]
    name = f"version {wanted}" if wanted.isdecimal() else wanted
    found = [version for version in whole if version.name == name]
    if not found and len(wanted) >= _SHORTEST_ID:
        ids = [version_id for version_id in files.ids() if version_id.startswith(wanted.lower())]
        if len(ids) == 1:
            files.read(ids[0])  # a damaged one is told of
        found = [version for version in whole if version.id in ids]
    if len(found) == 1:
        return found[0]
    if not found:
        of = f" of {preset}" if preset else ""
        raise StoreError(f"There is no version {wanted!r}{of}; `versions list` shows those there are.")
    several = ", ".join(f"{version.id[:SHOWN]} ({version.preset})" for version in found)
    raise StoreError(f"{wanted!r} means several versions: {several}; give the digits of one, or its preset.")


def _stamp(path: Path) -> _Stamp:
    state = path.stat()
    return state.st_ino, state.st_size, state.st_mtime_ns
