"""What is said of like patches, against plain loops and numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from models.methods import matched
from models.methods.matched import TEMPERATURE, matched_sums, matched_values


def unit(*shape: int, seed: int) -> torch.Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def test_a_patch_takes_the_value_of_its_only_likeness() -> None:
    east, north = [1.0, 0.0], [0.0, 1.0]
    values = matched_values(torch.tensor([[east, north]]), torch.tensor([[north, east]]), torch.tensor([[5.0], [7.0]]))

    other = math.exp(-1 / TEMPERATURE)
    assert values.flatten().tolist() == pytest.approx([(7 + 5 * other) / (1 + other), (5 + 7 * other) / (1 + other)])


def test_equally_like_patches_count_alike() -> None:
    rows = torch.tensor([[[1.0, 0.0]] * 3])
    assert matched_values(rows[:, :1], rows, torch.tensor([[1.0], [2.0], [6.0]])).item() == pytest.approx(3.0)


def test_similarities_add_up_over_the_layers_as_in_plain_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matched, "_PRODUCT_LIMIT", 12)
    tokens, rows, said = unit(2, 7, 4, seed=0), unit(2, 5, 4, seed=1), torch.randn(5, 3)

    values = matched_values(tokens, rows, said)

    for patch in range(7):
        alike = [sum(float(tokens[layer, patch] @ rows[layer, row]) for layer in range(2)) for row in range(5)]
        weights = [math.exp(value / 0.05) for value in alike]
        for column in range(3):
            expected = sum(w * float(said[row, column]) for row, w in enumerate(weights)) / sum(weights)
            assert float(values[patch, column]) == pytest.approx(expected, abs=1e-4)


def test_sums_over_parts_of_the_rows_are_those_over_all() -> None:
    tokens, rows, said = unit(2, 7, 4, seed=0), unit(2, 6, 4, seed=1), torch.randn(6, 1)

    first, second = matched_sums(tokens, rows[:, :2], said[:2]), matched_sums(tokens, rows[:, 2:], said[2:])

    together = (first[0] + second[0]) / (first[1] + second[1])
    assert torch.allclose(together, matched_values(tokens, rows, said), atol=1e-5)


def test_even_opposite_patches_have_a_weight() -> None:
    tokens = torch.tensor([[[1.0, 0.0]]] * 2)
    assert matched_values(tokens, -tokens, torch.tensor([[4.0]])).item() == pytest.approx(4.0)


@pytest.mark.parametrize(("rows", "values"), [(0, 0), (2, 3)])
def test_values_must_belong_to_the_rows(rows: int, values: int) -> None:
    with pytest.raises(ValueError, match="need a row of values for each of at least one patch"):
        matched_values(torch.zeros(1, 1, 2), torch.zeros(1, rows, 2), torch.zeros(values, 1))
