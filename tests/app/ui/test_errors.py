"""Errors on the page."""

from __future__ import annotations

import logging

import gradio as gr
import pytest

from app.ui.errors import UNEXPECTED, ShownError, shows_errors
from models.errors import PictureError


def test_an_expected_error_is_shown_as_its_sentence_with_markup_disarmed() -> None:
    @shows_errors
    def handler() -> None:
        raise PictureError("<img src=x> is no picture; choose another.")

    with pytest.raises(ShownError) as shown:
        handler()
    assert shown.value.message == "&lt;img src=x&gt; is no picture; choose another."
    assert isinstance(shown.value, gr.Error)


def test_an_unexpected_error_shows_no_detail_and_goes_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    @shows_errors
    def handler() -> None:
        raise RuntimeError("secret detail")

    with caplog.at_level(logging.ERROR), pytest.raises(ShownError) as shown:
        handler()
    assert shown.value.message == UNEXPECTED
    assert "secret detail" in caplog.text
    assert "Traceback" in caplog.text


def test_a_handler_that_succeeds_returns_its_value() -> None:
    assert shows_errors(lambda number: number + 1)(2) == 3
