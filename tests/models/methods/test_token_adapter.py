import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from models.methods.token_adapter import AdapterForm, TokenAdapter

WIDTH, DEPTH = 6, 3


@pytest.mark.parametrize(("form", "expected"), [("rein", 1_273_345), ("simple", 92_160)])
def test_a_branch_has_exactly_this_many_parameters(form: AdapterForm, expected: int) -> None:
    with torch.device("meta"):
        adapter = TokenAdapter(768, 12, form=form)
    assert sum(parameter.numel() for parameter in adapter.parameters()) == expected


def plain_adapted(x: Tensor, tokens: Tensor, change: Callable[[Tensor, list[float]], Tensor]) -> Tensor:
    """One position after the other: its attention over the tokens, then `change`."""
    adapted = torch.empty_like(x)
    for text in range(x.shape[0]):
        for position in range(x.shape[1]):
            token = x[text, position]
            exponentials = [math.exp(float(token @ key) / math.sqrt(WIDTH)) for key in tokens]
            weights = [value / sum(exponentials) for value in exponentials]
            adapted[text, position] = change(token, weights)
    return adapted


def randomised(form: AdapterForm, residual: bool) -> TokenAdapter:
    torch.manual_seed(2)
    adapter = TokenAdapter(WIDTH, DEPTH, tokens=4, form=form, residual=residual, scale=0.3).double()
    for tokens in adapter.tokens.values():
        nn.init.normal_(tokens)
    return adapter


@pytest.mark.parametrize("residual", [True, False])
def test_rein_equals_its_formula_position_by_position(residual: bool) -> None:
    adapter = randomised("rein", residual)
    weights = adapter.state_dict()
    tokens = weights["tokens.layer_2"]
    x = torch.randn(2, 5, WIDTH, dtype=torch.float64)

    def change(token: Tensor, attention: list[float]) -> Tensor:
        inner = token.clone()
        for share, key in zip(attention, tokens, strict=True):
            inner += share * (weights["mlp.0.weight"] @ key + weights["mlp.0.bias"])
        delta: Tensor = weights["mlp.1.weight"] @ inner + weights["mlp.1.bias"]
        return (token if residual else 0.0) + 0.3 * delta

    with torch.no_grad():
        torch.testing.assert_close(adapter(2, x), plain_adapted(x, tokens, change), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("residual", [True, False])
def test_simple_adds_the_attended_tokens_position_by_position(residual: bool) -> None:
    adapter = randomised("simple", residual)
    tokens = adapter.state_dict()["tokens.layer_3"]
    x = torch.randn(2, 5, WIDTH, dtype=torch.float64)

    def change(token: Tensor, attention: list[float]) -> Tensor:
        added = sum((share * key for share, key in zip(attention, tokens, strict=True)), torch.zeros(WIDTH).double())
        return (token if residual else 0.0) + added

    with torch.no_grad():
        torch.testing.assert_close(adapter(3, x), plain_adapted(x, tokens, change), rtol=1e-6, atol=1e-7)


def test_at_scale_zero_nothing_changes_at_all() -> None:
    adapter = TokenAdapter(WIDTH, DEPTH, scale=0.0)
    x = torch.randn(2, 5, WIDTH)
    assert torch.equal(adapter(1, x), x)


def test_layers_that_are_not_chosen_pass_and_own_no_tokens() -> None:
    adapter = TokenAdapter(WIDTH, DEPTH, form="simple", layers=(1, 3))
    x = torch.randn(1, 2, WIDTH)
    assert adapter(2, x) is x
    assert not torch.equal(adapter(3, x), x)
    assert sorted(adapter.state_dict()) == ["tokens.layer_1", "tokens.layer_3"]


def test_every_parameter_of_an_adapted_layer_is_reached_by_gradients() -> None:
    adapter = randomised("rein", True)
    adapter(1, torch.randn(1, 3, WIDTH, dtype=torch.float64)).square().sum().backward()
    reached = {name for name, parameter in adapter.named_parameters() if parameter.grad is not None}
    assert reached == {"tokens.layer_1", "scale", "mlp.0.weight", "mlp.0.bias", "mlp.1.weight", "mlp.1.bias"}


@pytest.mark.parametrize("layers", [(0,), (1, 4)])
def test_a_layer_that_does_not_exist_is_refused(layers: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="adapted layers must lie in 1..3, got"):
        TokenAdapter(WIDTH, DEPTH, layers=layers)


def test_an_adapter_without_tokens_is_refused() -> None:
    with pytest.raises(ValueError, match="1 or more tokens"):
        TokenAdapter(WIDTH, DEPTH, tokens=0)
