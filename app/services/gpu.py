"""Borrow a GPU for one call where the host lends them by the call (Hugging Face Spaces); elsewhere do nothing."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def lent_gpu(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Wrap a function with `spaces.GPU` if that package is installed; return it unchanged otherwise."""
    if importlib.util.find_spec("spaces") is None:
        return function
    decorate = cast(
        "Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]",
        importlib.import_module("spaces").GPU,
    )
    return decorate(function)
