"""Requests that anyone can send, checked field by field; replies with the bytes that the browser decodes."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np
import pytest

from app.services.annotating import AnomalyMaps
from app.services.colours import ColourScale
from app.store.errors import StoreError
from app.store.records import DefectClass
from app.ui.workbench_protocol import _layers_json, _map_json, mask_json, thumbnails_reply
from app.ui.workbench_requests import Fields, QueueRequest, correction_request, queue_request
from models.errors import DataError, PictureError

DIGEST = "0123456789abcdef" * 4


def packed(width: int, height: int, data: bytes) -> dict[str, Any]:
    return {"w": width, "h": height, "data": base64.b64encode(data).decode()}


def correction(**changes: Any) -> dict[str, Any]:
    return {
        "digest": DIGEST, "label": "anomalous", "mask": packed(3, 2, zlib.compress(bytes([0b10001100]))),
        "classes": [{"x": 0, "y": 0, "name": " crack "}], "author": "Ann", "note": "left edge", "based_on": 2,
        "proposal": 7, "save_id": "a-1", **changes,
    }  # fmt: skip


def test_a_mask_is_read_row_by_row_with_the_highest_bit_first() -> None:
    mask = Fields({"mask": packed(3, 2, zlib.compress(bytes([0b10001100])))}).mask()
    assert mask is not None
    assert mask.tolist() == [[True, False, False], [False, True, True]]


def test_a_mask_comes_back_as_it_was_sent() -> None:
    mask = np.random.default_rng(3).random((37, 53)) > 0.5
    sent = mask_json(mask)
    read = Fields({"mask": sent}).mask()
    assert (sent["w"], sent["h"]) == (53, 37)
    assert read is not None
    assert np.array_equal(read, mask)


def test_a_correction_is_read_whole() -> None:
    digest, read = correction_request(correction(), account="")
    assert digest == DIGEST
    assert (read.label, read.author, read.note, read.based_on) == ("anomalous", "Ann", "left edge", 2)
    assert (read.proposal_id, read.save_id) == (7, "a-1")
    assert read.classes == (DefectClass((0, 0), "crack"),)


def test_who_is_logged_in_is_the_author_whatever_was_sent() -> None:
    assert correction_request(correction(author="somebody else"), account="ann@site")[1].author == "ann@site"


def test_fields_may_be_absent_where_there_is_a_default() -> None:
    _, read = correction_request({"digest": DIGEST, "label": "unsure", "mask": None}, account="")
    assert (read.mask, read.classes, read.note, read.based_on, read.proposal_id) == (None, (), "", 0, None)
    assert queue_request({}) == QueueRequest((), "newest", 0, 50)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"digest": "../../etc/passwd"}, r"digest must be 64 hexadecimal digits, got '../../etc/passwd'\."),
        ({"digest": DIGEST.upper()}, "digest must be 64 hexadecimal digits"),
        ({"digest": DIGEST + "\n"}, "digest must be 64 hexadecimal digits"),
        ({"digest": 5}, "digest must be 64 hexadecimal digits, got 5"),
        ({"label": "good"}, "label must be one of normal, anomalous, unsure, got 'good'"),
        ({"label": ["normal"]}, "label must be one of normal"),
        ({"author": "x" * 101}, "author must be a text of at most 100 characters, got 'xxx"),
        ({"author": {"$ne": ""}}, "author must be a text"),
        ({"note": "a\x00b"}, "note must be a text"),
        ({"based_on": -1}, "based_on must be a whole number from 0"),
        ({"based_on": 1.5}, "based_on must be a whole number"),
        ({"based_on": True}, "based_on must be a whole number"),
        ({"based_on": float("nan")}, "based_on must be a whole number"),
        ({"proposal": "7"}, "proposal must be a whole number"),
        ({"classes": {"x": 1}}, "classes must be a list of at most 20000"),
        ({"classes": [{"x": 0, "y": 0, "name": " "}]}, "name in classes must be a text that is not empty"),
        ({"classes": [{"x": "0", "y": 0, "name": "a"}]}, "x must be a whole number"),
        ({"classes": ["crack"]}, "A request must be one JSON object, got str"),
        ({"mask": {"w": 3, "h": 2, "data": "§"}}, "The mask arrived damaged"),
        ({"mask": {"w": 3, "h": 2, "data": "abcde"}}, "The mask arrived damaged"),
        ({"mask": {"w": 3, "h": 2, "data": 5}}, "mask's data must be base64"),
        ({"mask": "P"}, "A request must be one JSON object, got str"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_sentence(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        correction_request(correction(**changes), account="")


@pytest.mark.parametrize(
    ("mask", "error", "sentence"),
    [
        (packed(3, 2, b"no zlib"), StoreError, "packed mask is damaged"),
        (packed(30, 20, zlib.compress(b"\x00")), StoreError, "does not hold the 75 bytes of 30 x 20 pixels"),
        (packed(3, 2, zlib.compress(bytes(10_000_000))), StoreError, "does not hold the 1 bytes"),
        (packed(0, 2, zlib.compress(b"")), StoreError, "A mask cannot be of 0 x 2 pixels"),
        (packed(90_000, 90_000, zlib.compress(b"")), PictureError, "The mask"),
    ],
    ids=["no zlib", "too short", "a bomb", "no width", "too large"],
)
def test_a_mask_that_is_not_what_it_says_is_refused(
    mask: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        correction_request(correction(mask=mask), account="")


@pytest.mark.parametrize("request_sent", [None, [], "text", 5])
def test_a_request_that_is_no_object_is_refused(request_sent: Any) -> None:
    with pytest.raises(DataError, match="must be one JSON object"):
        queue_request(request_sent)


@pytest.mark.parametrize(
    ("request_sent", "sentence"),
    [
        ({"states": ["deleted"]}, "states must be a list of new, proposed, corrected, confirmed, unsure"),
        ({"states": ["new"] * 6}, "states must be a list of at most 5"),
        ({"sort": "name; drop table"}, "sort must be one of newest, oldest, score, uncertainty, benefit, name"),
        ({"limit": 201}, "limit must be a whole number from 1 to 200, got 201"),
        ({"limit": 0}, "limit must be a whole number from 1 to 200"),
        ({"offset": -1}, "offset must be a whole number from 0"),
    ],
)
def test_a_queue_that_does_not_exist_is_refused(request_sent: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        queue_request(request_sent)


def test_more_than_sixty_thumbnails_at_once_are_refused() -> None:
    assert len(Fields({"digests": [DIGEST] * 60}).digests()) == 60
    with pytest.raises(DataError, match="digests must be a list of at most 60"):
        Fields({"digests": [DIGEST] * 61}).digests()


def test_maps_go_out_as_little_endian_floats_row_by_row() -> None:
    fused = np.array([[0.5, 1.0], [2.0, -4.0]], dtype=np.float32)
    maps = AnomalyMaps(fused, ColourScale(0.25, 3.0), (6, 9), np.stack([fused, fused + 1]), ColourScale(0.0, 1.0))
    sent = _map_json(maps)
    assert base64.b64decode(sent["data"]).hex() == "0000003f0000803f00000040000080c0"
    assert (sent["h"], sent["w"], sent["low"], sent["high"], sent["odds"]) == (2, 2, 0.25, 3.0, False)
    assert [layer["layer"] for layer in _layers_json(maps)] == [6, 9]


def test_thumbnails_go_out_as_data_urls() -> None:
    assert thumbnails_reply({DIGEST: b"RIFF"}) == {"thumbnails": {DIGEST: "data:image/webp;base64,UklGRg=="}}


def test_a_note_as_long_as_an_imported_one_can_be_saved_again() -> None:
    assert correction_request(correction(note="n" * 10_000), account="")[1].note == "n" * 10_000
    with pytest.raises(DataError, match="note must be a text of at most 10000 characters"):
        correction_request(correction(note="n" * 10_001), account="")


def test_half_a_sign_becomes_a_question_mark() -> None:
    assert correction_request(correction(note="cut \ud83d"), account="")[1].note == "cut ?"


def test_an_offset_that_no_database_takes_is_refused_in_a_sentence() -> None:
    with pytest.raises(DataError, match="offset must be a whole number from 0 to 2147483647, got 2147483648"):
        queue_request({"offset": 2**31})
