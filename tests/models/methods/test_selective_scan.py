"""The fast scan against the sequential one, that one against plain numbers, and how much faster the fast one is."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from models.methods.selective_scan import scan_fast, scan_sequential

Scan = Callable[..., Tensor]
SCANS = pytest.mark.parametrize("scan", [scan_sequential, scan_fast])


def random_inputs(
    length: int, *, sequences: int = 2, channels: int = 5, states: int = 4, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(length)
    u, delta, B, C, A, D = (
        torch.randn(shape, generator=generator, dtype=dtype)
        for shape in [(sequences, length, channels)] * 2 + [(sequences, length, states)] * 2 + [(channels, states)] * 2
    )
    inputs = (u, F.softplus(delta - 3.0), -states * torch.sigmoid(A), B, C, D[:, 0].clone())
    return tuple(tensor.requires_grad_() for tensor in inputs)


def values_and_gradients(scan: Scan, inputs: tuple[Tensor, ...]) -> list[Tensor]:
    outputs = scan(*inputs)
    weights = torch.randn(outputs.shape, generator=torch.Generator().manual_seed(1), dtype=outputs.dtype)
    return [outputs.detach(), *torch.autograd.grad(outputs, inputs, weights)]


def assert_both_scans_agree(inputs: tuple[Tensor, ...], tolerance: float = 1e-5) -> None:
    names = ("values", "u", "delta", "A", "B", "C", "D")
    fast, sequential = (values_and_gradients(scan, inputs) for scan in (scan_fast, scan_sequential))
    for name, actual, expected in zip(names, fast, sequential, strict=True):
        assert expected.isfinite().all(), name
        assert torch.allclose(actual, expected, rtol=tolerance, atol=tolerance), name


@SCANS
def test_a_scan_of_one_channel_halves_its_state_and_takes_in_the_input(scan: Scan) -> None:
    half = math.log(2.0)  # with A = -1 a step of this size keeps half of the state
    u, delta = torch.tensor([[[1.0], [0.0], [2.0]]]), torch.full((1, 3, 1), half)
    B, C = torch.tensor([[[1.0], [1.0], [3.0]]]), torch.tensor([[[1.0], [4.0], [1.0]]])

    outputs = scan(u, delta, torch.tensor([[-1.0]]), B, C, torch.tensor([10.0]))

    # states: half, half / 2, half / 4 + 6 half; read by 1, 4, 1; and ten times the input
    assert outputs.flatten().tolist() == pytest.approx([half + 10.0, 2.0 * half, 6.25 * half + 20.0])


@SCANS
def test_a_scan_equals_its_recurrence_in_plain_loops(scan: Scan) -> None:
    inputs = tuple(tensor.detach() for tensor in random_inputs(19, dtype=torch.float64))
    u, delta, A, B, C, D = (tensor.tolist() for tensor in inputs)

    outputs = scan(*inputs)

    for item in range(2):
        for channel in range(5):
            state = [0.0] * 4
            for t in range(19):
                step, value = delta[item][t][channel], u[item][t][channel]
                expected = D[channel] * value
                for n in range(4):
                    state[n] = math.exp(step * A[channel][n]) * state[n] + step * B[item][t][n] * value
                    expected += C[item][t][n] * state[n]
                assert float(outputs[item, t, channel]) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("length", [1, 15, 16, 17, 33, 160, 400])
def test_the_fast_scan_equals_the_sequential_one(length: int) -> None:
    assert_both_scans_agree(random_inputs(length))


def test_the_fast_scan_equals_the_sequential_one_at_every_length_to_400() -> None:
    longest = 400
    inputs = random_inputs(longest, sequences=longest, channels=2, states=2)
    u, delta, A, B, C, D = inputs
    lengths = torch.arange(1, longest + 1).view(-1, 1, 1)
    weights = torch.randn(u.shape) * (torch.arange(longest).view(1, -1, 1) < lengths)  # sequence i ends at i + 1
    expected_values = scan_sequential(*inputs)
    expected = torch.autograd.grad(expected_values, inputs, weights)

    totals = [torch.zeros_like(A), torch.zeros_like(D)]  # A and D are shared, so their gradients add up
    for row in range(longest):
        cut = slice(row, row + 1), slice(row + 1)
        own = tuple(tensor[cut].detach().requires_grad_() for tensor in (u, delta, B, C))
        values = scan_fast(own[0], own[1], A, own[2], own[3], D)
        *gradients, d_A, d_D = torch.autograd.grad(values, (*own, A, D), weights[cut])
        totals = [totals[0] + d_A, totals[1] + d_D]
        assert torch.allclose(values, expected_values[cut], rtol=1e-5, atol=1e-5), row
        for actual, index in zip(gradients, (0, 1, 3, 4), strict=True):
            largest = float(expected[index][cut].abs().max())  # sums of terms up to it are rounded on its scale
            assert torch.allclose(actual, expected[index][cut], rtol=0, atol=1e-5 * max(1.0, largest)), (row, index)
    for total, index in zip(totals, (2, 5), strict=True):
        assert torch.allclose(total, expected[index], rtol=1e-4), index  # sums of 80,000 terms in another order


def test_the_fast_scan_equals_the_sequential_one_at_the_size_of_da_clip() -> None:
    assert_both_scans_agree(random_inputs(160, sequences=1, channels=192, states=16))


def test_both_scans_agree_in_double_precision_to_rounding() -> None:
    assert_both_scans_agree(random_inputs(50, dtype=torch.float64), tolerance=1e-12)


def test_the_fast_scans_gradient_passes_the_numerical_check() -> None:
    inputs = random_inputs(18, sequences=2, channels=2, states=2, dtype=torch.float64)
    assert torch.autograd.gradcheck(scan_fast, inputs)


@pytest.mark.parametrize("delta", [20.0, 1e4])
def test_a_large_delta_forgets_and_neither_overflows_nor_divides_by_nothing(delta: float) -> None:
    u, small, A, B, C, D = random_inputs(40)
    large = torch.where(torch.arange(40).view(1, 40, 1) % 7 == 3, delta, small.detach()).requires_grad_()
    scale = 1.0 / delta  # keeps delta B u, which grows with delta, near 1
    assert_both_scans_agree((u, large, A, (B.detach() * scale).requires_grad_(), C, D))


@SCANS
def test_a_step_does_not_depend_on_later_ones(scan: Scan) -> None:
    whole = tuple(tensor.detach() for tensor in random_inputs(40))
    u, delta, A, B, C, D = whole
    start = scan(u[:, :23], delta[:, :23], A, B[:, :23], C[:, :23], D)
    torch.testing.assert_close(scan(*whole)[:, :23], start, rtol=1e-6, atol=1e-6)


def test_the_fast_scan_takes_transposed_inputs() -> None:
    inputs = tuple(tensor.detach() for tensor in random_inputs(32))
    turned = tuple(tensor.mT.contiguous().mT if tensor.dim() > 1 else tensor for tensor in inputs)
    assert not turned[0].is_contiguous()
    assert torch.equal(scan_fast(*turned), scan_fast(*inputs))


def test_the_fast_scan_keeps_its_precision_under_autocast() -> None:
    inputs = random_inputs(33)
    with torch.autocast("cpu", torch.bfloat16):
        assert_both_scans_agree(inputs)


@pytest.fixture
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("with_gradients", [False, True])
def test_the_fast_scan_is_five_times_as_fast_at_160_steps(with_gradients: bool) -> None:
    inputs = random_inputs(160, sequences=1, channels=192, states=16)

    def cpu_time_s(scan: Scan) -> float:
        """Processor time of this thread, which other programs' turns on the core do not count in."""
        start = time.thread_time()
        if with_gradients:
            values_and_gradients(scan, inputs)
        else:
            with torch.no_grad():
                scan(*inputs)
        return time.thread_time() - start

    best = {scan_sequential: math.inf, scan_fast: math.inf}
    for _ in range(40):  # a busy machine slows both at times: go on until each has had its quiet moment
        best[scan_sequential] = min(best[scan_sequential], cpu_time_s(scan_sequential))
        best[scan_fast] = min(best[scan_fast], *(cpu_time_s(scan_fast) for _ in range(4)))
        if best[scan_sequential] >= 5.0 * best[scan_fast]:
            break
    assert best[scan_sequential] >= 5.0 * best[scan_fast]
