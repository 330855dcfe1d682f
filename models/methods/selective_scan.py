"""Selective scan, the recurrence of Mamba: a plain form that reads as its equation, and a fast one.  Pure functions.

    h_t = exp(delta_t A) h_(t-1) + delta_t B_t u_t,  h_0 = 0
    y_t = C_t . h_t + D u_t

b sequences of L steps, e channels, n states a channel.  Source: Gu and Dao, Mamba, arXiv:2312.00752, eq. 2 and
algorithm 2, with the zero-order hold of its released code: B is multiplied by delta alone.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor

_CHUNK: Final = 16  # 2 * 16 + L / 16 calls a scan; near its fewest for the 160 steps of DA-CLIP


def scan_sequential(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor) -> Tensor:
    """Scan step by step: the reference.

    Args:
        u: (b, L, e), the input.
        delta: (b, L, e), positive: how much of a step is taken in.
        A: (e, n), negative: the rates of decay.
        B: (b, L, n), what of the input enters a state.
        C: (b, L, n), what of the state is read out.
        D: (e,), what of the input is passed on as it is.
    Returns:
        (b, L, e), y.
    """
    state = u.new_zeros(u.shape[0], *A.shape)
    outputs = []
    for u_t, delta_t, B_t, C_t in zip(u.unbind(1), delta.unbind(1), B.unbind(1), C.unbind(1), strict=True):
        decay = torch.exp(delta_t.unsqueeze(2) * A)
        state = decay * state + (delta_t * u_t).unsqueeze(2) * B_t.unsqueeze(1)
        outputs.append((state * C_t.unsqueeze(1)).sum(2) + D * u_t)
    return torch.stack(outputs, dim=1)


def scan_fast(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor) -> Tensor:
    """`scan_sequential` in chunks that run side by side; its backward is the same scan in reverse.

    Only exponents of zero or less are ever formed, so a large delta cannot overflow.  States are not kept but worked
    out again for the gradient, which is of first order only.  Arguments and result are `scan_sequential`'s.
    """
    inputs = (tensor.contiguous() for tensor in (u, delta, A, B, C, D))
    outputs: Tensor = _SelectiveScan.apply(*inputs)
    return outputs


class _SelectiveScan(torch.autograd.Function):
    """One sequence after the other, in one piece of memory: fresh pages would cost more than the arithmetic.

    Per sequence, with L rounded up to whole chunks by steps of delta = 0, which change no state: delta (L + 1, e),
    inflow = delta u and dy (L, e), B and C (L, n), states and adjoints (L, n, e).
    """

    @staticmethod
    def forward(ctx: Any, u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor) -> Tensor:
        ctx.save_for_backward(u, delta, A, B, C, D)
        steps, rate = _padded_length(u), _binary_rate(A)
        y, scratch = u.new_empty(len(u), steps, u.shape[2]), u.new_empty(2, steps + 1, *rate.shape)
        sequences = (_pad(delta, steps + 1), *(_pad(rows, steps) for rows in (delta * u, B, C)), y)
        with torch.autocast(u.device.type, enabled=False):
            for delta_i, inflow_i, B_i, C_i, y_i in zip(*sequences, strict=True):
                decay = torch.mul(delta_i.unsqueeze(1), rate, out=scratch[0]).exp2_()
                states = _recur(decay[:-1], _totals(delta_i[:-1], rate), inflow_i, B_i, scratch[1, :-1])
                torch.matmul(C_i.unsqueeze(1), states, out=y_i.unsqueeze(1))
        return torch.addcmul(y[:, : u.shape[1]], u, D)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, ...]:
        u, delta, A, B, C, D = ctx.saved_tensors
        steps, transposed = _padded_length(u), A.T.contiguous()
        scratch = u.new_empty(4, steps + 1, *transposed.shape)
        sequences = (_pad(delta, steps + 1), *(_pad(rows, steps) for rows in (delta * u, B, C, dy)))
        with torch.autocast(u.device.type, enabled=False):
            gradients = [_gradients(scratch, transposed, *rows) for rows in zip(*sequences, strict=True)]
        d_delta, d_inflow, d_B, d_C, d_A = (torch.stack(rows) for rows in zip(*gradients, strict=True))
        d_delta, d_inflow, d_B, d_C = (rows[:, : u.shape[1]] for rows in (d_delta, d_inflow, d_B, d_C))
        d_D = (dy * u).sum((0, 1))
        return d_inflow * delta + dy * D, d_delta + d_inflow * u, d_A.sum(0).T, d_B, d_C, d_D


def _gradients(
    scratch: Tensor, A: Tensor, delta: Tensor, inflow: Tensor, B: Tensor, C: Tensor, dy: Tensor
) -> tuple[Tensor, ...]:
    """One sequence's gradients, of delta (through the decay only), inflow, B, C and A (n, e)."""
    rate = _binary_rate(A.T)
    decay = torch.mul(delta.unsqueeze(1), rate, out=scratch[0]).exp2_()
    states = _recur(decay[:-1], _totals(delta[:-1], rate), inflow, B, scratch[1, :-1])
    adjoints = _recur(decay[1:], _totals(delta[1:], rate), dy, C, scratch[2, :-1], reverse=True)
    d_inflow = (B.unsqueeze(1) @ adjoints).squeeze(1)
    d_B = (inflow.unsqueeze(1) @ adjoints.mT).squeeze(1)  # rows first: the other order is eight times as slow
    d_C = (dy.unsqueeze(1) @ states.mT).squeeze(1)
    d_exponent = decay[1:-1].mul_(adjoints[1:]).mul_(states[:-1])  # the first step has no state to let decay
    d_delta = F.pad(torch.mul(d_exponent, A, out=scratch[3, 1:-1]).sum(1), (0, 0, 1, 0))
    d_A = d_exponent.mul_(delta[1:-1].unsqueeze(1)).sum(0)
    return d_delta, d_inflow, d_B, d_C, d_A


def _recur(decay: Tensor, totals: Tensor, left: Tensor, right: Tensor, out: Tensor, *, reverse: bool = False) -> Tensor:
    """States s_t = decay_t s_(t-1) + left_t right_t, or with t + 1 for t - 1 in reverse.

    All chunks run at once from zero to find their ends; the ends are carried from chunk to chunk; then all run again,
    each from its right start.

    Args:
        decay: (L, n, e).
        totals: (L / chunk, n, e), the product of each chunk's decays.
        left: (L, e).
        right: (L, n).
        out: (L, n, e), written over.
        reverse: begin at the last step.
    Returns:
        `out`.
    """
    torch.mul(left.unsqueeze(1), right.unsqueeze(2), out=out)
    rows = (tensor.unflatten(0, (-1, _CHUNK)).unbind(1) for tensor in (decay, out))
    steps, chunks = list(zip(*rows, strict=True)), list(range(len(totals)))
    if reverse:
        steps.reverse()
        chunks.reverse()
    ends = torch.zeros_like(totals)
    for decay_t, inflow_t in steps:
        torch.addcmul(inflow_t, decay_t, ends, out=ends)
    starts = torch.zeros_like(totals)
    for done, following in pairwise(chunks):
        torch.addcmul(ends[done], totals[done], starts[done], out=starts[following])
    previous = starts
    for decay_t, state_t in steps:
        previous = state_t.addcmul_(decay_t, previous)
    return out


def _totals(delta: Tensor, rate: Tensor) -> Tensor:
    """Each chunk's decay as a whole: (L, e) and (n, e) to (L / chunk, n, e)."""
    sums = delta.unflatten(0, (-1, _CHUNK)).sum(1)
    return torch.exp2(sums.unsqueeze(1) * rate)


def _binary_rate(A: Tensor) -> Tensor:
    """A for powers of two, (e, n) to (n, e): `exp2` takes a quarter of the time of `exp` on a CPU."""
    rate: Tensor = A.T.contiguous() * math.log2(math.e)
    return rate


def _padded_length(u: Tensor) -> int:
    return math.ceil(u.shape[1] / _CHUNK) * _CHUNK


def _pad(rows: Tensor, length: int) -> Tensor:
    return F.pad(rows, (0, 0, 0, length - rows.shape[1]))
