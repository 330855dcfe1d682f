"""A cache that forgets the least recently used values once they hold too many bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class BoundedCache(Generic[Key, Value]):
    """Least-recently-used cache with a limit in bytes; safe to share between threads."""

    def __init__(self, limit_bytes: int, size_of: Callable[[Value], int]) -> None:
        """Make an empty cache.

        Args:
            limit_bytes: what all values together may hold; a single larger value is not kept at all.
            size_of: bytes that a value holds.
        """
        self._limit_bytes = limit_bytes
        self._size_of = size_of
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self._held_bytes = 0
        self._lock = threading.Lock()

    def get(self, key: Key) -> Value | None:
        """The value kept under `key`, or None."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key]

    def put(self, key: Key, value: Value) -> None:
        """Keep `value`, and forget the oldest ones until everything fits again."""
        with self._lock:
            if key in self._values:
                self._held_bytes -= self._size_of(self._values.pop(key))
            if self._size_of(value) > self._limit_bytes:
                return
            self._values[key] = value
            self._held_bytes += self._size_of(value)
            while self._held_bytes > self._limit_bytes:
                _, oldest = self._values.popitem(last=False)
                self._held_bytes -= self._size_of(oldest)

    @property
    def held_bytes(self) -> int:
        """Bytes that the kept values hold now."""
        return self._held_bytes

    def __len__(self) -> int:
        return len(self._values)
