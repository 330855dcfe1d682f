"""Unpacking a zip that nobody trusts: what is good comes out, what is not is refused entry by entry.

What the archive says of itself is not believed: bytes are counted as they are written, a path is checked before it is
used, no link is made, nothing inside is opened as an archive.  Writes only below the folder it is given.
"""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Final

from app.store.exchange.base import Refusal
from app.store.intake.disk import is_disk_trouble
from app.store.intake.limits import Limits
from app.store.intake.names import (
    clean_path,
    is_archive_beginning,
    is_archive_name,
    is_system_name,
    name_problem,
    same_file_key,
)
from models.errors import DataError

_CHUNK_BYTES: Final = 1 << 20
_LOCAL_HEADER_BYTES: Final = 30  # without the name and the extra field
_LISTING_BYTES_PER_FILE: Final = 512
_SMALLEST_LISTING_LIMIT: Final = 4 * _CHUNK_BYTES
_ENCRYPTED: Final = 0x1 | 0x40
# Other methods unpack a few kilobytes to gigabytes in one call, before anything can be counted.
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# What zipfile raises on damaged data; no common base class exists.
_FAULTS: Final = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, LookupError, NotImplementedError, RuntimeError,
)  # fmt: skip
_PACK_ANEW: Final = "pack the archive anew."


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What came out of an archive."""

    files: int
    skipped: int  # hidden files and those of an operating system


class _EntryRefusedError(Exception):
    """One entry cannot be taken; the message is the sentence for people."""


def unpack(path: Path, folder: Path, refuse: Callable[[Refusal], None], limits: Limits) -> Unpacked:
    """Unpack a zip into an empty folder.

    Args:
        path: the archive; untrusted.
        folder: where to; there, empty, and nobody else's.
        refuse: gets every entry that does not come out, and why.
        limits: what is refused beyond.
    Raises:
        DataError: nothing of the archive can be taken: it is no zip, damaged, or too large as a whole.
        OSError: the disk is full or fails.
    """
    try:
        with path.open("rb", buffering=0) as raw, zipfile.ZipFile(_Bounded(raw, limits)) as archive:
            return _Unpacking(archive, path.name, folder, refuse, limits).run()
    except _FAULTS as error:
        raise DataError(f"{path.name} is no zip archive or a damaged one ({error}); copy it again.") from error
    except OSError as error:
        if is_disk_trouble(error):
            raise
        raise DataError(f"{path.name} cannot be read ({error.strerror}); check it and try again.") from error


class _Bounded(io.BufferedReader):
    """A file of which zipfile cannot ask for an endless list of entries: it reads that list in one piece."""

    def __init__(self, raw: io.FileIO, limits: Limits) -> None:
        super().__init__(raw)
        self._most = max(limits.max_files * _LISTING_BYTES_PER_FILE, _SMALLEST_LISTING_LIMIT)

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > self._most:
            raise zipfile.BadZipFile(f"its list of entries takes {size} bytes, at most {self._most} are read")
        return super().read(size)


class _Unpacking:
    """One archive on its way out, and what is known of it so far."""

    def __init__(
        self,
        archive: zipfile.ZipFile,
        name: str,
        folder: Path,
        refuse: Callable[[Refusal], None],
        limits: Limits,
    ) -> None:
        self._archive, self._name, self._folder, self._refuse, self._limits = archive, name, folder, refuse, limits
        self._written = 0
        self._files: set[tuple[str, ...]] = set()
        self._folders: set[tuple[str, ...]] = set()

    def run(self) -> Unpacked:
        entries = [entry for entry in self._archive.infolist() if not entry.orig_filename.endswith("/")]
        if len(entries) > self._limits.max_files:
            raise DataError(
                f"{self._name} holds {len(entries)} files, and at most {self._limits.max_files} are taken at once; "
                "pack it in several archives."
            )
        overlapping = _overlapping(entries, self._archive.start_dir)
        skipped = 0
        for entry in entries:
            shown = _shown(entry)
            try:
                if entry.header_offset in overlapping:
                    raise _EntryRefusedError(f"The entry lies over another one in the archive; {_PACK_ANEW}")
                target = self._target(entry)
                if target is None:
                    skipped += 1
                else:
                    self._write(entry, target)
            except _EntryRefusedError as problem:
                self._refuse(Refusal(f"{self._name}: {shown}", str(problem)))
        return Unpacked(files=len(self._files), skipped=skipped)

    def _target(self, entry: zipfile.ZipInfo) -> Path | None:
        """Where an entry goes; None: it is passed over."""
        problem = name_problem(entry.orig_filename) or _kind_problem(entry)
        if problem:
            raise _EntryRefusedError(problem)
        path = clean_path(entry.orig_filename)
        if any(map(is_system_name, path.parts)):
            return None
        if is_archive_name(path.name):
            raise _EntryRefusedError("An archive inside an archive is not opened; unpack it and give its files.")
        self._claim(path)
        return self._folder.joinpath(*path.parts)

    def _claim(self, path: PurePosixPath) -> None:
        key = same_file_key(path)
        above = {key[:depth] for depth in range(1, len(key))}
        if key in self._files:
            raise _EntryRefusedError("A file of this name came before it in the archive; give each its own name.")
        if key in self._folders or above & self._files:
            raise _EntryRefusedError("The name is that of a file and of a folder at once; rename one of them.")
        self._files.add(key)
        self._folders |= above

    def _write(self, entry: zipfile.ZipInfo, target: Path) -> None:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with self._archive.open(entry) as source, target.open("xb") as file:
                self._copy(source, file, entry)
        except BaseException as error:
            target.unlink(missing_ok=True)
            self._files.discard(same_file_key(PurePosixPath(target.relative_to(self._folder))))
            if isinstance(error, _FAULTS):
                raise _EntryRefusedError(f"The entry is damaged ({error}); {_PACK_ANEW}") from error
            if isinstance(error, OSError) and not is_disk_trouble(error):
                raise _EntryRefusedError(f"The entry cannot be unpacked ({error.strerror}); {_PACK_ANEW}") from error
            raise

    def _copy(self, source: IO[bytes], file: IO[bytes], entry: zipfile.ZipInfo) -> None:
        limits, written = self._limits, 0
        while chunk := source.read(_CHUNK_BYTES):
            if written == 0 and is_archive_beginning(chunk):
                raise _EntryRefusedError("It is an archive inside an archive, which is not opened; give its files.")
            written += len(chunk)
            self._written += len(chunk)
            if written > limits.max_file_bytes:
                raise _EntryRefusedError(f"It unpacks to more than {limits.max_file_bytes} bytes; give a smaller file.")
            if written > limits.ratio_from_bytes and written > limits.max_ratio * entry.compress_size:
                raise _EntryRefusedError(
                    f"It unpacks to over {limits.max_ratio} times its packed size, as a zip bomb does; "
                    "give the file itself."
                )
            if self._written > limits.max_total_bytes:
                raise DataError(
                    f"{self._name} unpacks to more than {limits.max_total_bytes} bytes; pack it in several archives."
                )
            file.write(chunk)
        if written != entry.file_size:  # zipfile sees only what is too long
            raise zipfile.BadZipFile(f"{written} bytes where {entry.file_size} are stated")


def _shown(entry: zipfile.ZipInfo) -> str:
    """The entry's name for people: on one line, and not endless."""
    name = "".join(letter if letter.isprintable() else "?" for letter in entry.orig_filename)
    return name if len(name) <= 200 else f"{name[:197]}..."


def _kind_problem(entry: zipfile.ZipInfo) -> str:
    mode = entry.external_attr >> 16
    if stat.S_ISLNK(mode):
        return "It is a link, which is not followed; give the file that it points to."
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
        return f"It is neither a file nor a folder; leave it out and {_PACK_ANEW}"
    if entry.flag_bits & _ENCRYPTED:
        return "It is encrypted; pack the archive without a password."
    if entry.compress_type not in _METHODS:
        return f"It is packed by method {entry.compress_type}, which is not read; pack it as an ordinary zip (deflate)."
    return ""


def _overlapping(entries: Sequence[zipfile.ZipInfo], listing_starts: int) -> set[int]:
    """Offsets of the entries that run into the next one or into the list of entries, as those of some bombs do."""
    ordered = sorted(entries, key=lambda entry: entry.header_offset)
    starts = [entry.header_offset for entry in ordered[1:]] + [listing_starts]
    return {
        entry.header_offset
        for entry, next_start in zip(ordered, starts, strict=False)
        if entry.header_offset + _LOCAL_HEADER_BYTES + entry.compress_size > next_start
    }
