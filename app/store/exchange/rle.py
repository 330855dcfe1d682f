"""COCO's run lengths: a mask column by column, zeros first, as numbers or as the text that pycocotools writes.

The text is read here and not by pycocotools, whose C code reads past the end of a text that stops in mid-number.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from app.store.exchange.areas import Area, area_of_runs
from models.errors import DataError

Ints = NDArray[np.int64]


def runs_of(flat: Ints) -> tuple[Ints, Ints]:
    """Where runs of neighbouring pixels begin and how long they are.

    Args:
        flat: (n,) numbers of pixels, rising, each once; n > 0.
    """
    first = np.flatnonzero(np.diff(flat, prepend=flat[0] - 2) != 1)
    return flat[first], np.diff(first, append=len(flat))


def encode(ys: Ints, xs: Ints, size_hw: tuple[int, int]) -> str:
    """The text for a mask that is true at these pixels.

    Args:
        ys: (n,) rows of the pixels, in any order, n > 0.
        xs: (n,) their columns.
        size_hw: of the mask.
    """
    height, width = size_hw
    starts, lengths = runs_of(np.sort(xs * height + ys))
    ends = starts + lengths
    counts = np.column_stack((np.diff(starts, prepend=0) - np.r_[0, lengths[:-1]], lengths)).ravel()
    rest = height * width - int(ends[-1])
    counted = [*counts.tolist(), rest] if rest else counts.tolist()
    coded = coco_mask.frPyObjects({"counts": counted, "size": [height, width]}, height, width)
    return str(coded["counts"].decode("ascii"))


def decode(counts: str | Sequence[float], size_hw: tuple[int, int]) -> tuple[Area, ...]:
    """The area that is marked, or none.

    Args:
        counts: untrusted; the text, or the numbers themselves.
        size_hw: of the mask; looked at by the caller.
    Raises:
        DataError: these are no runs, or of another number of pixels.
    """
    lengths = _counts_of_text(counts) if isinstance(counts, str) else np.asarray(counts, dtype=np.float64)
    height, width = size_hw
    total = height * width
    possible = (lengths >= 0) & (lengths <= total) & (lengths % 1 == 0)
    if len(lengths) > total + 1 or not possible.all() or lengths.sum() != total:
        raise DataError(f"A mask's run lengths do not add up to its {width} x {height} pixels; export it again.")
    whole = lengths.astype(np.int64)
    starts = np.cumsum(whole) - whole
    # A column is to these runs what a row is elsewhere.
    turned = area_of_runs(starts[1::2], whole[1::2], height)
    return tuple(Area(np.ascontiguousarray(area.mask.T), left=area.top, top=area.left) for area in turned)


def _counts_of_text(counts: str) -> Ints:
    """Five bits a sign, lowest first; bit 5 says "goes on", bit 4 of the last minus; later ones are differences."""
    signs = np.frombuffer(counts.encode("ascii", errors="replace"), dtype=np.uint8).astype(np.int64) - 48
    if not len(signs):
        return signs
    last = (signs & 32) == 0
    ends = np.flatnonzero(last)
    starts = np.r_[0, ends[:-1] + 1]
    if signs.min() < 0 or signs.max() > 63 or not last[-1] or int((ends - starts).max()) > 7:
        raise DataError("A mask's run lengths are damaged; export it again.")
    place = np.arange(len(signs)) - np.repeat(starts, ends - starts + 1)
    numbers = np.add.reduceat((signs & 31) << (5 * place), starts)
    numbers -= np.where(signs[ends] & 16, np.int64(1) << (5 * (ends - starts + 1)), 0)
    # The first number stands for itself, and so do the next two, from which the differences count.
    numbers[1::2] = np.cumsum(numbers[1::2])
    numbers[2::2] = np.cumsum(numbers[2::2])
    return numbers
