"""What the workbench in the browser asks for, checked field by field: anyone can send anything.

A request is one JSON object; digests and numbers only, never paths.  Pure functions.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from app.services.annotating import Correction
from app.store.masks import unpack
from app.store.queries import MAX_INTEGER
from app.store.records import LABELS, SORTS, STATES, DefectClass, Label, Mask, Sort, State
from app.store.rows import stored_text
from app.store.rules import MAX_NOTE
from models.data.pictures import MAX_PIXELS
from models.errors import DataError

MOST_THUMBNAILS: Final = 60
MOST_ITEMS: Final = 200
_MOST_CLASSES: Final = 20_000
_LONGEST_NAME: Final = 100
_LONGEST_MASK: Final = math.ceil(MAX_PIXELS / 8 * 1.01) * 4 // 3 + 64  # base64 of bits that do not compress
_LARGEST_NUMBER: Final = 2**53 - 1  # of JavaScript
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class QueueRequest:
    """A part of the queue."""

    states: tuple[State, ...]
    sort: Sort
    offset: int
    limit: int


class Fields:
    """A request's fields; every method raises a DataError that names the field that does not fit."""

    def __init__(self, request: object) -> None:
        """Take what was sent.

        Raises:
            DataError: it is not an object.
        """
        if not isinstance(request, Mapping):
            raise DataError(f"A request must be one JSON object, got {type(request).__name__}; reload the page.")
        self._fields: Mapping[str, Any] = request

    def text(self, name: str, longest: int = _LONGEST_NAME) -> str:
        """A text without the blanks around it; absent or null = ""."""
        value = self._fields.get(name)
        if value is None:
            return ""
        if not isinstance(value, str) or len(value) > longest or "\x00" in value:
            raise _unfit(name, f"a text of at most {longest} characters", value)
        return stored_text(value).strip()  # a browser may cut a sign in half

    def one_of(self, name: str, choices: tuple[str, ...], default: str | None = None) -> str:
        """One of some words."""
        value = self._fields.get(name, default)
        if value not in choices:
            raise _unfit(name, f"one of {', '.join(choices)}", value)
        return str(value)

    def number(self, name: str, default: int = 0, *, low: int = 0, high: int = _LARGEST_NUMBER) -> int:
        """A whole number; absent or null = the default."""
        value = self._fields.get(name)
        return default if value is None else _whole(value, name, low, high)

    def optional_number(self, name: str) -> int | None:
        """A whole number, or None where it is absent or null."""
        return None if self._fields.get(name) is None else self.number(name)

    def digest(self, name: str = "digest") -> str:
        """An image's SHA-256."""
        return _digest(self._fields.get(name), name)

    def digests(self, name: str = "digests") -> tuple[str, ...]:
        """A list of images' SHA-256."""
        return tuple(_digest(value, name) for value in self._list(name, MOST_THUMBNAILS))

    def states(self, name: str = "states") -> tuple[State, ...]:
        """A list of states; none = all."""
        values = self._list(name, len(STATES))
        for value in values:
            if value not in STATES:
                raise _unfit(name, f"a list of {', '.join(STATES)}", value)
        return tuple(cast(State, value) for value in values)

    def mask(self, name: str = "mask") -> Mask | None:
        """A packed mask {w, h, data}, or None where it is absent or null.

        Raises:
            StoreError: the data are not those of a mask of this size.
            PictureError: the size is too large.
        """
        value = self._fields.get(name)
        if value is None:
            return None
        packed = Fields(value)
        width, height = packed.number("w", high=MAX_PIXELS), packed.number("h", high=MAX_PIXELS)
        data = packed._fields.get("data")
        if not isinstance(data, str) or len(data) > _LONGEST_MASK:
            raise _unfit("mask's data", f"base64 of at most {_LONGEST_MASK} characters", data)
        try:
            return unpack(base64.b64decode(data, validate=True), (height, width))
        except (binascii.Error, ValueError) as error:
            raise DataError(f"The mask arrived damaged ({error}); save it again.") from error

    def classes(self, name: str = "classes") -> tuple[DefectClass, ...]:
        """A list of {x, y, name}: names of regions through one of their pixels."""
        found = []
        for value in self._list(name, _MOST_CLASSES):
            fields = Fields(value)
            title = fields.text("name")
            if not title:
                raise _unfit(f"name in {name}", "a text that is not empty", title)
            found.append(DefectClass((fields.number("x"), fields.number("y")), title))
        return tuple(found)

    def _list(self, name: str, longest: int) -> list[Any]:
        value = self._fields.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or len(value) > longest:
            raise _unfit(name, f"a list of at most {longest}", value)
        return value


def queue_request(request: object) -> QueueRequest:
    """Which part of the queue is asked for."""
    fields = Fields(request)
    return QueueRequest(
        states=fields.states(),
        sort=cast(Sort, fields.one_of("sort", SORTS, "newest")),
        offset=fields.number("offset", high=MAX_INTEGER),
        limit=fields.number("limit", 50, low=1, high=MOST_ITEMS),
    )


def correction_request(request: object, account: str) -> tuple[str, Correction]:
    """The image and what a person decided about it.

    Args:
        request: what was sent.
        account: who is logged in, which goes before the name that was sent; "" where nobody logs in.
    """
    fields = Fields(request)
    return fields.digest(), Correction(
        label=cast(Label, fields.one_of("label", LABELS)),
        mask=fields.mask(),
        author=account or fields.text("author"),
        classes=fields.classes(),
        note=fields.text("note", MAX_NOTE),
        based_on=fields.number("based_on"),
        proposal_id=fields.optional_number("proposal"),
        save_id=fields.text("save_id"),
    )


def _digest(value: Any, name: str) -> str:
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise _unfit(name, "64 hexadecimal digits", value)
    return value


def _whole(value: Any, name: str, low: int, high: int) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise _unfit(name, f"a whole number from {low} to {high}", value)
    return value


def _unfit(name: str, wanted: str, found: Any) -> DataError:
    shown = repr(found)
    return DataError(f"The request's {name} must be {wanted}, got {shown[:60]}{'…' * (len(shown) > 60)}.")
