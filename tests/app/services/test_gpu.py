"""Borrowing a GPU where the host lends them."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest

from app.services.gpu import lent_gpu


def double(number: int) -> int:
    return 2 * number


def test_a_function_stays_as_it_is_where_no_gpu_is_lent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert lent_gpu(double) is double


def test_a_function_is_wrapped_where_gpus_are_lent(monkeypatch: pytest.MonkeyPatch) -> None:
    spaces = ModuleType("spaces")
    spaces.__spec__ = ModuleSpec("spaces", None)
    spaces.__dict__["GPU"] = lambda function: lambda number: function(number) + 1
    monkeypatch.setitem(sys.modules, "spaces", spaces)
    assert lent_gpu(double)(4) == 9
