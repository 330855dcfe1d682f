"""DAR against plain loops over numbers, and who may see whom in its sequence."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from models.methods.dar import DAR, ScanForm
from models.methods.selective_scan import scan_sequential

Rows = list[list[float]]


def unit(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return F.normalize(torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype), dim=-1)


def build(width: int = 6, *, grid: int = 12, state: int = 3, seed: int = 0) -> DAR:
    torch.manual_seed(seed)
    return DAR(width, grid=grid, state=state)


def linear(weight: Rows, row: list[float]) -> list[float]:
    return [sum(w * value for w, value in zip(weights, row, strict=True)) for weights in weight]


def silu(value: float) -> float:
    return value / (1.0 + math.exp(-value))


def plain_sequence_branch(weights: dict[str, Any], rows: Rows) -> Rows:
    """Project, convolve over this position and the two before it, SiLU, then the recurrence with numbers."""
    projected = [linear(weights["project.weight"], row) for row in rows]
    inner, state_count, rank = len(projected[0]), len(weights["A_log"][0]), len(weights["step.weight"][0])
    states = [[0.0] * state_count for _ in range(inner)]
    outputs = []
    for t in range(len(rows)):
        u = []
        for channel in range(inner):
            total = weights["conv.bias"][channel]
            for back in range(3):
                if t - back >= 0:
                    total += weights["conv.weight"][channel][0][2 - back] * projected[t - back][channel]
            u.append(silu(total))
        selected = linear(weights["select.weight"], u)
        B, C = selected[rank : rank + state_count], selected[rank + state_count :]
        steps = linear(weights["step.weight"], selected[:rank])
        row = []
        for channel in range(inner):
            delta = math.log(1.0 + math.exp(steps[channel] + weights["step.bias"][channel]))
            read = weights["D"][channel] * u[channel]
            for n in range(state_count):
                decay = math.exp(-math.exp(weights["A_log"][channel][n]) * delta)
                states[channel][n] = decay * states[channel][n] + delta * B[n] * u[channel]
                read += C[n] * states[channel][n]
            row.append(read)
        outputs.append(row)
    return outputs


def plain_spatial_branch(weights: dict[str, Any], rows: Rows, height: int, width: int) -> Rows:
    """Project, convolve the patches with their eight neighbours, leave the text, SiLU."""
    projected = [linear(weights["project.weight"], row) for row in rows]
    outputs = [list(row) for row in projected]
    for y in range(height):
        for x in range(width):
            for channel in range(len(projected[0])):
                total = weights["conv.bias"][channel]
                for dy in range(3):
                    for dx in range(3):
                        row, column = y + dy - 1, x + dx - 1
                        if 0 <= row < height and 0 <= column < width:
                            kernel = weights["conv.weight"][channel][0][dy][dx]
                            total += kernel * projected[row * width + column][channel]
                outputs[y * width + x][channel] = total
    return [[silu(value) for value in row] for row in outputs]


def test_offsets_equal_plain_loops_over_pooled_patches_and_text() -> None:
    dar = build(width=6, grid=2).double()
    for parameter in dar.parameters():
        torch.nn.init.normal_(parameter)  # the first steps are so small that they would hide a wrong decay
    patches = unit(1, 4 * 6, 6, dtype=torch.float64)
    text = unit(3, 6, seed=1, dtype=torch.float64)

    d_s, d_a = dar(patches, (4, 6), text)  # pooled to 2 x 2 cells of 2 x 3 patches

    grid = patches[0].reshape(4, 6, 6).tolist()
    rows = []
    for top in (0, 2):
        for left in (0, 3):
            cell = [grid[y][x] for y in (top, top + 1) for x in (left, left + 1, left + 2)]
            rows.append([sum(patch[channel] for patch in cell) / 6.0 for channel in range(6)])
    rows = [[value * math.sqrt(6.0) for value in row] for row in rows + text.tolist()]
    sequence = plain_sequence_branch({k: v.tolist() for k, v in dar.sequence_branch.state_dict().items()}, rows)
    spatial = plain_spatial_branch({k: v.tolist() for k, v in dar.spatial_branch.state_dict().items()}, rows, 2, 2)
    products = [
        [a * b for a, b in zip(left, right, strict=True)] for left, right in zip(sequence, spatial, strict=True)
    ]
    expected = torch.tensor([linear(dar.out.weight.tolist(), row) for row in products], dtype=torch.float64)
    assert d_s.shape == (1, 4, 6)
    assert d_a.shape == (1, 3, 6)
    torch.testing.assert_close(torch.cat([d_s, d_a], dim=1)[0], expected, rtol=1e-9, atol=1e-9)


def test_shapes_are_those_of_the_pooled_grid_and_of_the_text() -> None:
    d_s, d_a = build(width=32)(unit(2, 37 * 14, 32), (37, 14), unit(5, 32))
    assert d_s.shape == (2, 12 * 12, 32)
    assert d_a.shape == (2, 5, 32)


def test_a_grid_larger_than_the_pictures_stays_the_pictures_own_on_each_side() -> None:
    patches, text = unit(1, 3 * 7, 6), unit(2, 6, seed=1)
    d_s, d_a = build(grid=5)(patches, (3, 7), text)
    assert d_s.shape == (1, 3 * 5, 6)

    unpooled, _ = build(grid=12)(patches, (3, 7), text)
    larger, _ = build(grid=99)(patches, (3, 7), text)
    assert unpooled.shape == (1, 3 * 7, 6)
    assert torch.equal(unpooled, larger)
    assert d_a.shape == (1, 2, 6)


def test_text_offsets_depend_on_every_patch() -> None:
    patches = unit(1, 9, 6).requires_grad_()
    _, d_a = build()(patches, (3, 3), unit(2, 6, seed=1))
    (gradient,) = torch.autograd.grad(d_a.square().sum(), patches)
    assert (gradient.abs().amax(dim=2) > 0).all()


def test_patch_offsets_do_not_depend_on_the_text() -> None:
    dar, patches = build(), unit(1, 9, 6)
    some, _ = dar(patches, (3, 3), unit(2, 6, seed=1))
    others, _ = dar(patches, (3, 3), unit(2, 6, seed=2))
    assert torch.equal(some, others)


def test_a_text_token_is_read_in_the_light_of_those_before_it_only() -> None:
    dar, patches, text = build(), unit(1, 9, 6), unit(3, 6, seed=1)
    changed = torch.stack([text[0], -text[1], text[2]])
    _, before = dar(patches, (3, 3), text)
    _, after = dar(patches, (3, 3), changed)
    assert torch.equal(before[0, 0], after[0, 0])
    assert not torch.allclose(before[0, 2], after[0, 2], rtol=1e-3, atol=0.0)


def test_images_of_a_batch_do_not_see_each_other() -> None:
    dar, patches, text = build(), unit(3, 9, 6), unit(2, 6, seed=1)
    together = dar(patches, (3, 3), text)
    for index in range(3):
        alone = dar(patches[index : index + 1], (3, 3), text)
        for whole, single in zip(together, alone, strict=True):
            torch.testing.assert_close(whole[index], single[0])


def test_text_may_be_each_images_own() -> None:
    dar, patches, text = build(), unit(2, 9, 6), unit(2, 4, 6, seed=1)
    _, d_a = dar(patches, (3, 3), text)
    for index in range(2):
        _, alone = dar(patches[index : index + 1], (3, 3), text[index])
        torch.testing.assert_close(d_a[index], alone[0])


def test_both_scans_give_the_same_offsets() -> None:
    fast = build(width=20, state=16)
    sequential = DAR(20, scan="sequential")
    sequential.load_state_dict(fast.state_dict())
    patches, text = unit(2, 144, 20), unit(16, 20, seed=1)
    for left, right in zip(fast(patches, (12, 12), text), sequential(patches, (12, 12), text), strict=True):
        torch.testing.assert_close(left, right, rtol=1e-5, atol=1e-5)


def test_gradients_pass_the_numerical_check_and_reach_every_parameter() -> None:
    dar = build(width=4, state=2).double()
    patches, text = (unit(*shape, dtype=torch.float64).requires_grad_() for shape in [(1, 4, 4), (2, 4)])
    assert torch.autograd.gradcheck(lambda p, t: dar(p, (2, 2), t), (patches, text), fast_mode=True)

    sum(offsets.square().sum() for offsets in dar(patches, (2, 2), text)).backward()
    for name, parameter in dar.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_it_starts_with_mambas_decays_and_step_sizes() -> None:
    branch = build(width=24, state=16).sequence_branch
    assert branch.A_log.exp()[3].tolist() == pytest.approx([float(n) for n in range(1, 17)], rel=1e-6)
    assert branch.D.tolist() == [1.0] * 12
    assert branch.rank == 2  # 24 / 16, rounded up
    steps = F.softplus(branch.step.bias)
    assert steps.min() >= 1e-3 * 0.999
    assert steps.max() <= 0.1 * 1.001
    assert 0.5 * 2**-0.5 < branch.step.weight.abs().max() <= 2**-0.5


def test_a_narrow_dar_still_has_one_step_channel() -> None:
    assert DAR(2, state=1).sequence_branch.rank == 1


def test_a_seed_fixes_the_start() -> None:
    first, again, other = build(seed=1).state_dict(), build(seed=1).state_dict(), build(seed=2).state_dict()
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    assert not torch.equal(first["sequence_branch.step.bias"], other["sequence_branch.step.bias"])


def test_it_has_the_number_of_parameters_that_its_parts_add_up_to() -> None:
    sequence = 384 * 192 + 192 * (3 + 1) + 192 * (24 + 2 * 16) + (24 + 1) * 192 + 192 * 16 + 192
    spatial = 384 * 192 + 192 * (9 + 1)
    assert sum(parameter.numel() for parameter in DAR(384).parameters()) == sequence + spatial + 192 * 384


@pytest.mark.parametrize("form", ["fast", "sequential"])
def test_the_chosen_scan_runs_in_full_precision_under_autocast(form: ScanForm, monkeypatch: pytest.MonkeyPatch) -> None:
    dtypes: list[torch.dtype] = []

    def spy(*inputs: Tensor) -> Tensor:
        dtypes.extend(tensor.dtype for tensor in inputs)
        return scan_sequential(*inputs)

    monkeypatch.setattr("models.methods.dar._SCANS", {form: spy})
    torch.manual_seed(0)
    with torch.autocast("cpu", torch.bfloat16):
        DAR(6, scan=form)(unit(1, 9, 6), (3, 3), unit(2, 6))
    assert dtypes == [torch.float32] * 6


def test_offsets_under_autocast_are_near_the_exact_ones() -> None:
    dar, patches, text = build(width=32), unit(1, 144, 32), unit(4, 32, seed=1)
    _, exact = dar(patches, (12, 12), text)
    with torch.autocast("cpu", torch.bfloat16):
        _, rounded = dar(patches, (12, 12), text)
    assert (rounded - exact).abs().max() < 0.03 * exact.abs().max()


def test_an_odd_width_is_refused() -> None:
    with pytest.raises(ValueError, match="width must be even, got 7"):
        DAR(7)


def test_an_unknown_scan_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no scan 'quick'; choose one of fast, sequential"):
        DAR(8, scan="quick")  # type: ignore[arg-type]
