from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from app.services.teaching_parent import Parent
from app.services.version_writing import as_stored, rule_from
from models.errors import DataError
from models.head_files import Arrays, Head

FINE = 1.0 + 2.0**-20  # what half precision cannot hold


def parent(**config: Any) -> Parent:
    tensors: Arrays = {
        "anomaly_token": np.full(3, FINE, dtype=np.float32),
        "cross_attention.weight": np.ones(3, dtype=np.float16),
    }
    return Parent(
        model=cast(Any, SimpleNamespace()),
        head=Head(tensors=tensors, config=config, digest="d" * 64),
        name="the shipped head",
        calibration=None,
        taught=frozenset(),
        held_out=frozenset(),
    )


def test_what_did_not_change_keeps_its_precision_and_the_rest_is_halved() -> None:
    state = {"anomaly_token": torch.full((3,), FINE), "cross_attention.weight": torch.full((3,), FINE)}
    stored = as_stored(state, parent())

    assert stored["anomaly_token"].tolist() == [FINE] * 3
    assert stored["cross_attention.weight"].tolist() == [1.0] * 3


def test_a_norm_that_comes_with_the_backbone_is_left_as_it_is() -> None:
    state = {"anomaly_token": torch.full((3,), FINE), "final_norm.weight": torch.full((3,), FINE)}
    stored = as_stored(state, parent(final_norm="pretrained"))

    assert stored["final_norm.weight"].tolist() == [FINE] * 3


def test_a_rule_is_read_and_checked_against_the_labels() -> None:
    assert rule_from(None, [True]).kind == "normals"
    assert rule_from({"kind": "false_alarms", "rate": 0.1}, [False]).rate == 0.1
    with pytest.raises(DataError, match="There is no such rule for thresholds"):
        rule_from({"kind": "false_alarms", "rate": 2}, [False])
