"""Records of one size in one flat file, found by digest, with an index that a kill leaves whole.  Files in one folder.

The index is an SQLite database: a record's entry is committed after the record itself is on the disk, so a half-written
record is never read, and several processes may share a file.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.errors import DataError

Bytes = npt.NDArray[np.uint8]

_LOCK_TIMEOUT_S = 60.0


class RecordFile:
    """A file of records that only grows; places are counted from 0."""

    def __init__(self, path: Path, record_bytes: int) -> None:
        """Open a file, or begin one; its folder must be there.

        Args:
            path: of the records; the index lies beside it with the ending .index.
            record_bytes: how long every record is.
        Raises:
            DataError: the folder cannot be written to, or the index is damaged.
        """
        if record_bytes < 1:
            raise ValueError(f"record_bytes must be 1 or more, got {record_bytes}")
        self.path = path
        self.record_bytes = record_bytes
        try:
            path.touch()
            self._index = sqlite3.connect(path.with_suffix(".index"), timeout=_LOCK_TIMEOUT_S, isolation_level=None)
            self._index.execute("CREATE TABLE IF NOT EXISTS records (place INTEGER PRIMARY KEY, digest TEXT UNIQUE)")
            with self._alone():
                # Entries whose records are cut off would come to life again as soon as the file grows past them.
                whole = path.stat().st_size // record_bytes
                self._index.execute("DELETE FROM records WHERE place >= ?", (whole,))
        except (OSError, sqlite3.Error) as error:
            raise self._refusal(error) from error

    def __len__(self) -> int:
        count: int = self._index.execute("SELECT COUNT(*) FROM records").fetchone()[0]
        return count

    def find(self, digest: str) -> int | None:
        """The place of the record of this digest; None where there is none.

        Raises:
            DataError: the index has been damaged meanwhile.
        """
        try:
            row = self._index.execute("SELECT place FROM records WHERE digest = ?", (digest,)).fetchone()
        except sqlite3.Error as error:
            raise self._refusal(error) from error
        return None if row is None else int(row[0])

    def get_or_make(self, digest: str, make: Callable[[], bytes]) -> int:
        """The place of the record of this digest, which is made and added if it is not there.

        Raises:
            ValueError: what was made has another size.
            DataError: the index is damaged, or the record cannot be written.
        """
        place = self.find(digest)
        if place is not None:
            return place
        record = make()
        if len(record) != self.record_bytes:
            raise ValueError(f"a record of {self.path.name} has {self.record_bytes} bytes, got {len(record)}")
        try:
            return self._add(digest, record)
        except (OSError, sqlite3.Error) as error:
            raise self._refusal(error) from error

    def read(self, place: int) -> Bytes:
        """Map one record, (record_bytes,) and read-only; its memory is given back with the last reference.

        Raises:
            DataError: the file has become shorter than its index says.
        """
        try:
            return np.memmap(
                self.path, np.uint8, mode="r", offset=place * self.record_bytes, shape=(self.record_bytes,)
            )
        except (OSError, ValueError) as error:
            raise self._refusal(error) from error

    def close(self) -> None:
        """Let the index go; records that are mapped stay valid."""
        self._index.close()

    def _add(self, digest: str, record: bytes) -> int:
        with self._alone():
            place = self.find(digest)
            if place is None:
                place = int(self._index.execute("SELECT COALESCE(MAX(place) + 1, 0) FROM records").fetchone()[0])
                with self.path.open("r+b") as file:
                    file.seek(place * self.record_bytes)
                    file.write(record)
                    file.flush()
                    os.fsync(file.fileno())
                self._index.execute("INSERT INTO records VALUES (?, ?)", (place, digest))
        return place

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Change the index while no other process does; all of the change or nothing."""
        self._index.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._index.execute("COMMIT")
        finally:
            if self._index.in_transaction:
                self._index.execute("ROLLBACK")

    def _refusal(self, error: Exception) -> DataError:
        return DataError(
            f"The cache {self.path} cannot be used ({error}); check that its disk has space and may be written to, "
            "or delete it to begin anew."
        )
