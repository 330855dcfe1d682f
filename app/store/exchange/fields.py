"""Values out of JSON that nobody vouches for: each is looked at before it is used."""

from __future__ import annotations

from app.store.exchange.reading import JsonValue
from models.data.pictures import MAX_PIXELS
from models.errors import DataError


def record(value: object, what: str) -> dict[str, JsonValue]:
    """A JSON object.

    Raises:
        DataError: it is something else.
    """
    if not isinstance(value, dict):
        raise DataError(f"{what} is no JSON object; export the file again.")
    return value


def records(value: object, what: str) -> list[dict[str, JsonValue]]:
    """A JSON array of objects; a missing one is empty."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise DataError(f"{what} is no JSON array; export the file again.")
    return [record(each, f"An entry of {what}") for each in value]


def text(value: object, most: int = 10_000) -> str:
    """A text; "" for anything else, and cut where it is endless."""
    return value[:most] if isinstance(value, str) else ""


def whole(value: object, what: str) -> int:
    """A whole number, also where another program wrote it as 3.0 or "3"."""
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            number = float(value)
            if number == int(number) and abs(number) < 2**53:
                return int(number)
        except (ValueError, OverflowError):
            pass
    raise DataError(f"{what} is {str(value)[:50]!r}, where a whole number belongs; correct it in the file.")


def numbers(value: object, what: str) -> list[float]:
    """An array of finite numbers."""
    if isinstance(value, list) and all(isinstance(each, (int, float)) and abs(each) < 1e9 for each in value):
        return [float(each) for each in value]
    raise DataError(f"{what} is no list of numbers; export the file again.")


def size_hw(height: object, width: object) -> tuple[int, int]:
    """The size of an image, within what is read at all."""
    size = whole(height, "The height"), whole(width, "The width")
    if min(size) < 1 or size[0] * size[1] > MAX_PIXELS:
        raise DataError(f"A mask of {size[1]} x {size[0]} pixels is not read; at most {MAX_PIXELS} pixels are.")
    return size
