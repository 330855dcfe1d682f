"""The run lengths in which Label Studio keeps what a brush painted: a stream of bits, four equal values for each pixel.

The stream: 32 bits, the number of values; 5, the bits of a value less 1; four times 4, the bits of a count less 1; then
packets.  A packet: 1 bit, whether one value is repeated; 2, which of the four counts follows; the count less 1; and one
value, or as many as the count says.  All numbers begin with their most significant bit.

Source: https://github.com/thi-ng/umbrella/tree/develop/packages/rle-pack.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.store.exchange.areas import Area, area_of_runs
from app.store.exchange.rle import Ints, runs_of
from models.errors import DataError

_CHANNELS: Final = 4
_VALUE_BITS: Final = 8
_COUNT_BITS: Final = (3, 4, 8, 16)
_LONGEST: Final = 1 << 16
_CHUNK: Final = 1 << 20  # packets


def encode(ys: Ints, xs: Ints, size_hw: tuple[int, int]) -> list[int]:
    """The bytes for a mask that is true at these pixels.

    Args:
        ys: (n,) rows of the pixels in reading order, n > 0.
        xs: (n,) their columns.
        size_hw: of the mask.
    """
    pixels = size_hw[0] * size_hw[1]
    starts, lengths = runs_of(ys * size_hw[1] + xs)
    ends = starts + lengths
    counts = np.column_stack((np.diff(starts, prepend=0) - np.r_[0, lengths[:-1]], lengths)).ravel()
    counts = np.append(counts, pixels - ends[-1]) * _CHANNELS
    values = np.arange(len(counts)) % 2 * 255
    # A packet holds no more than its longest count; an empty run needs none.
    packets = -(-counts // _LONGEST)
    pieces = np.full(int(packets.sum()), _LONGEST)
    kept = packets > 0
    last = np.cumsum(packets)[kept] - 1
    pieces[last] = counts[kept] - (packets[kept] - 1) * _LONGEST
    head = [(pixels * _CHANNELS, 32), (_VALUE_BITS - 1, 5), *((bits - 1, 4) for bits in _COUNT_BITS)]
    bits = [_bits(np.array([value for value, _ in head]), np.array([length for _, length in head]))]
    repeated = np.repeat(values, packets)
    chunks = (slice(start, start + _CHUNK) for start in range(0, len(pieces), _CHUNK))
    bits.extend(_packet_bits(pieces[chunk], repeated[chunk]) for chunk in chunks)
    encoded: list[int] = np.packbits(np.concatenate(bits)).tolist()
    return encoded


def decode(data: bytes, size_hw: tuple[int, int]) -> tuple[Area, ...]:
    """The area that is painted, or none: where the fourth value of a pixel is not 0.

    Args:
        data: untrusted.
        size_hw: looked at by the caller.
    Raises:
        DataError: it is no such stream, or one of another size.
    """
    stream = _Stream(data)
    total = stream.read(32)
    value_bits = stream.read(5) + 1
    count_bits = [stream.read(4) + 1 for _ in range(4)]
    if total != size_hw[0] * size_hw[1] * _CHANNELS or value_bits != _VALUE_BITS:
        raise DataError(f"A brush mask is not of {size_hw[1]} x {size_hw[0]} pixels with 8 bits; export it again.")
    painted: list[tuple[int, int]] = []  # the first and the last value of each run, the last exclusive
    place = 0
    while place < total:
        is_repeated, which = divmod(stream.read(3), 4)
        count = stream.read(count_bits[which]) + 1
        if place + count > total:
            raise DataError("A brush mask has more pixels than its image; export it again.")
        if not is_repeated:
            painted.extend((place + at, place + at + 1) for at in np.flatnonzero(stream.bytes(count)).tolist())
        elif stream.read(_VALUE_BITS):
            painted.append((place, place + count))
        place += count
    runs = np.array(painted, dtype=np.int64).reshape(-1, 2)
    # Pixel p is painted where value 4 p + 3 is.
    first, stop = runs[:, 0] // _CHANNELS, runs[:, 1] // _CHANNELS
    return area_of_runs(first, stop - first, size_hw[1])


def _packet_bits(counts: Ints, values: Ints) -> NDArray[np.uint8]:
    which = np.searchsorted(1 << np.array(_COUNT_BITS), counts)
    widths = np.array(_COUNT_BITS)[which]
    codes = (((4 + which) << widths | (counts - 1)) << _VALUE_BITS) | values
    return _bits(codes, 3 + widths + _VALUE_BITS)


def _bits(codes: Ints, lengths: Ints) -> NDArray[np.uint8]:
    """Numbers written one after another, each with so many bits."""
    ends = np.cumsum(lengths)
    left = np.repeat(ends, lengths) - np.arange(ends[-1]) - 1
    return (np.repeat(codes, lengths) >> left & 1).astype(np.uint8)


class _Stream:
    """Bits, most significant first."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def read(self, bits: int) -> int:
        """The next number, of 32 bits at most."""
        start, shift = divmod(self._place, 8)
        window = self._data[start : start + 5]
        self._place += bits
        self._require_rest()
        return int.from_bytes(window.ljust(5, b"\0")) >> (40 - shift - bits) & ((1 << bits) - 1)

    def bytes(self, count: int) -> NDArray[np.uint8]:
        """The next `count` values of 8 bits."""
        start, shift = divmod(self._place, 8)
        self._place += 8 * count
        self._require_rest()
        window = np.frombuffer(self._data, np.uint8, offset=start, count=count + (shift > 0))
        return np.packbits(np.unpackbits(window)[shift : shift + 8 * count])

    def _require_rest(self) -> None:
        if self._place > 8 * len(self._data):
            raise DataError("A brush mask ends too early; export it again.")
