from __future__ import annotations

from pathlib import Path

import pytest

from app.store.exchange.names import NameBook, image_name, safe_name


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("scratch.png", "scratch.png"),
        ("Prüfung, 1.png", "Prüfung, 1.png"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("..", "unnamed"),
        ("", "unnamed"),
        ("a\x00b\nc\u202e.png", "abc.png"),
        ("C:\\temp\\a.png", "C__temp_a.png"),
        ("con.png", "_con.png"),
        ("LPT1", "_LPT1"),
        (".hidden.png", "hidden.png"),
        ("-rf.png", "rf.png"),
        ("ends in dots... ", "ends in dots"),
        ("x" * 300 + ".png", "x" * 146 + ".png"),
        ("ü" * 300, "ü" * 75),
    ],
)
def test_a_name_becomes_safe_in_a_path(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("upload", b"\xff\xd8\xff\xe0", "upload.jpg"),
        ("a.png", b"\xff\xd8\xff\xe0", "a.png"),
        ("a.json", b"\x89PNG\r\n", "a.json.png"),
    ],
)
def test_a_picture_has_an_ending_of_pictures(name: str, data: bytes, expected: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(data)

    assert image_name(name, tmp_path / "file") == expected


def test_a_stem_is_given_once_whatever_the_case_or_ending() -> None:
    book = NameBook()

    given = [book.give(name, digest * 64) for name, digest in (("a.png", "1"), ("A.jpg", "2"), ("a_mask.png", "3"))]

    assert given == ["a.png", "A-22222222.jpg", "a_mask-33333333.png"]
