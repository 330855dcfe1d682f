"""Where errors become sentences on the page; what was on screen stays there."""

from __future__ import annotations

import functools
import html
import logging
from collections.abc import Callable, Iterator
from typing import ParamSpec, TypeVar

import gradio as gr

from models.errors import ExpectedError

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

UNEXPECTED = "Something went wrong here; the details are in the log."

_log = logging.getLogger(__name__)


class ShownError(gr.Error):
    """An error that the page shows as a short message; its components keep what they showed."""

    def __init__(self, message: str, title: str) -> None:
        # Gradio renders messages as HTML, and a file's name may be part of one.
        super().__init__(html.escape(message), duration=12, title=title, print_exception=False)


def shows_errors(handler: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Turn what a handler raises into a message for the person at the page.

    Args:
        handler: any event handler; an ExpectedError's sentence is shown as it is, anything else goes to the log.
    Returns:
        The handler, which now raises nothing but `ShownError`.
    """

    @functools.wraps(handler)
    def shown(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            return handler(*args, **kwargs)
        except gr.Error:
            raise
        except Exception as error:
            raise _for_people(handler, error) from error

    return shown


def shows_errors_of_steps(
    handler: Callable[Parameters, Iterator[Result]],
) -> Callable[Parameters, Iterator[Result]]:
    """`shows_errors` for a handler that yields; Gradio knows those by their being generator functions."""

    @functools.wraps(handler)
    def shown(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Iterator[Result]:
        try:
            yield from handler(*args, **kwargs)
        except gr.Error:
            raise
        except Exception as error:
            raise _for_people(handler, error) from error

    return shown


def _for_people(handler: Callable[..., object], error: Exception) -> ShownError:
    """The message for an error; what nobody expected goes to the log."""
    if isinstance(error, ExpectedError):
        return ShownError(str(error), "Not possible")
    _log.error("unexpected error in %s", getattr(handler, "__name__", handler), exc_info=error)
    return ShownError(UNEXPECTED, "Unexpected error")
