"""A lock between processes, on a file: the system frees it when its holder ends, however that comes about."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from app.store.errors import StoreError, write_failure

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_RETRY_S: Final = 0.02


class FileLock:
    """A lock that one holder at a time has: a process, or one of its instances of this class."""

    def __init__(self, path: Path) -> None:
        """Prepare; nothing is opened yet.

        Args:
            path: of the lock's file, which is made with its folder (not those above) and stays.
        """
        self.path = path
        self._handle: int | None = None

    def try_acquire(self) -> bool:
        """Take the lock if it is free; whether it is held now.

        Raises:
            StoreError: its file cannot be made.
        """
        if self._handle is not None:
            return False
        try:
            self.path.parent.mkdir(exist_ok=True)  # alone: a workspace that was moved is not made anew
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise write_failure(self.path.parent, error) from error
        try:
            _lock(handle)
        except OSError:
            os.close(handle)
            return False
        self._handle = handle
        return True

    def acquire(self, timeout_s: float) -> bool:
        """Take the lock as soon as it is free; whether it came free in time.

        Raises:
            StoreError: its file cannot be made.
        """
        give_up_s = time.monotonic() + timeout_s
        while not self.try_acquire():
            if time.monotonic() >= give_up_s:
                return False
            time.sleep(_RETRY_S)
        return True

    def release(self) -> None:
        """Give the lock back; nothing happens where it is not held."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    @contextmanager
    def held(self, timeout_s: float, busy: str) -> Iterator[None]:
        """Hold the lock for a while.

        Args:
            timeout_s: how long to wait for it.
            busy: the sentence for who waited in vain.
        Raises:
            StoreError: it did not come free, or its file cannot be made.
        """
        if not self.acquire(timeout_s):
            raise StoreError(busy)
        try:
            yield
        finally:
            self.release()


def _lock(handle: int) -> None:
    if sys.platform == "win32":
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
