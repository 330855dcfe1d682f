"""The bounded cache: what it forgets, and when."""

from __future__ import annotations

from app.services.caches import BoundedCache


def test_the_least_recently_used_value_is_forgotten_first() -> None:
    cache: BoundedCache[str, bytes] = BoundedCache(10, len)
    cache.put("a", b"12345")
    cache.put("b", b"12345")
    cache.get("a")

    cache.put("c", b"1")

    assert cache.get("b") is None
    assert (cache.get("a"), cache.get("c")) == (b"12345", b"1")
    assert cache.held_bytes == 6


def test_a_value_larger_than_the_whole_cache_is_not_kept() -> None:
    cache: BoundedCache[str, bytes] = BoundedCache(3, len)
    cache.put("a", b"1234")
    assert cache.get("a") is None
    assert cache.held_bytes == 0


def test_replacing_a_value_counts_its_bytes_once() -> None:
    cache: BoundedCache[str, bytes] = BoundedCache(10, len)
    cache.put("a", b"1234")
    cache.put("a", b"123456")
    assert (cache.held_bytes, len(cache)) == (6, 1)
