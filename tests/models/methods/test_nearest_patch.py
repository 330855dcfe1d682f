"""The memory bank against plain loops over patches."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from models.methods import nearest_patch
from models.methods.nearest_patch import bank_maps, build_bank, leave_one_out, nearest

LAYERS = (6, 9)


def unit(*shape: int, seed: int = 0) -> Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def references(counts: Sequence[int] = (5, 7, 6), width: int = 4) -> list[Tensor]:
    return [unit(len(LAYERS), count, width, seed=seed) for seed, count in enumerate(counts, start=10)]


def looped(tokens: Tensor, others: Sequence[Tensor]) -> Tensor:
    """Cosine distance to the nearest patch of any other picture, one pair at a time."""
    maps = torch.zeros(tokens.shape[:2], dtype=torch.float64)
    for layer in range(tokens.shape[0]):
        for patch in range(tokens.shape[1]):
            maps[layer, patch] = min(
                1.0 - sum(a * b for a, b in zip(tokens[layer, patch].tolist(), row, strict=True))
                for other in others
                for row in other[layer].tolist()
            )
    return maps.float()


def test_maps_are_distances_to_the_nearest_patch_of_all_references() -> None:
    shown, tokens = references(), unit(2, 8, 4)

    maps = bank_maps(tokens, build_bank(shown, LAYERS))

    assert torch.allclose(maps, looped(tokens, shown), atol=1e-6)


def test_an_excluded_reference_does_not_count() -> None:
    shown, tokens = references(), unit(2, 8, 4)

    maps = bank_maps(tokens, build_bank(shown, LAYERS), exclude=1)

    assert torch.allclose(maps, looped(tokens, [shown[0], shown[2]]), atol=1e-6)


def test_opposite_patches_are_at_distance_2_and_equal_ones_at_0() -> None:
    east = torch.tensor([[[1.0, 0.0]], [[0.6, 0.8]]])

    bank = build_bank([east], LAYERS)

    assert torch.allclose(bank_maps(-east, bank), torch.full((2, 1), 2.0), atol=1e-6)
    assert torch.allclose(bank_maps(east, bank), torch.zeros(2, 1), atol=1e-6)


def test_a_bank_in_many_parts_gives_what_a_whole_one_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    bank, tokens = build_bank(references(), LAYERS), unit(2, 8, 4)
    whole = bank_maps(tokens, bank), leave_one_out(references(), bank)

    monkeypatch.setattr(nearest_patch, "_PRODUCT_LIMIT", 16)
    parts = bank_maps(tokens, bank), leave_one_out(references(), bank)

    assert torch.allclose(parts[0], whole[0], atol=1e-6)
    assert torch.allclose(torch.cat(parts[1], dim=1), torch.cat(whole[1], dim=1), atol=1e-6)


def test_each_reference_is_left_out_of_its_own_comparison() -> None:
    shown = references()

    maps = leave_one_out(shown, build_bank(shown, LAYERS))

    assert [tuple(own.shape) for own in maps] == [(2, 5), (2, 7), (2, 6)]
    for index, own in enumerate(maps):
        others = [other for place, other in enumerate(shown) if place != index]
        assert torch.allclose(own, looped(shown[index], others), atol=1e-6)


def test_a_reference_is_left_out_with_its_turned_versions() -> None:
    shown, turned = references((4, 4)), references((6, 6), width=4)
    bank = build_bank([torch.cat(pair, dim=1) for pair in zip(shown, turned, strict=True)], LAYERS)

    maps = leave_one_out(shown, bank)

    assert torch.allclose(maps[0], looped(shown[0], [shown[1], turned[1]]), atol=1e-6)
    assert torch.allclose(maps[1], looped(shown[1], [shown[0], turned[0]]), atol=1e-6)


def test_above_the_limit_a_coreset_is_kept_whose_rows_know_their_reference() -> None:
    shown = references()

    bank = build_bank(shown, LAYERS, limit=9)

    assert bank.tokens.shape == (2, 9, 4)
    assert not bank.is_complete
    for layer in range(2):
        for row, owner in zip(bank.tokens[layer], bank.reference_of[layer], strict=True):
            assert bool((shown[int(owner)][layer] == row).all(dim=1).any())


def test_leaving_one_out_of_a_coreset_never_comes_nearer_than_all_the_others() -> None:
    shown = references()

    maps = leave_one_out(shown, build_bank(shown, LAYERS, limit=9))

    for index, own in enumerate(maps):
        others = [other for place, other in enumerate(shown) if place != index]
        assert bool((own >= looped(shown[index], others) - 1e-6).all())


def test_a_bank_below_the_limit_is_whole_and_remembers_what_it_is_told() -> None:
    bank = build_bank(references((4, 6)), LAYERS, grids_hw=[(2, 2), (2, 3)], digests=["a", "b"])

    assert bank.is_complete
    assert bank.reference_of.tolist() == [[0, 0, 0, 0, 1, 1, 1, 1, 1, 1]] * 2
    assert (bank.layers, bank.counts, bank.grids_hw, bank.digests) == (
        LAYERS,
        (4, 6),
        ((2, 2), (2, 3)),
        ("a", "b"),
    )


def crowded(count: int, seed: int) -> Tensor:
    """Patches so near each other that bfloat16 cannot always tell which is nearest."""
    return F.normalize(unit(1, 32, seed=1) + 0.3 * unit(count, 32, seed=seed), dim=-1)


def test_bfloat16_finds_almost_the_nearest_and_never_a_distance_too_small() -> None:
    tokens, rows = crowded(50, seed=2), crowded(700, seed=3)

    distances = nearest(tokens, rows, bfloat16=True)

    exact = (1.0 - tokens.double() @ rows.double().T).amin(dim=1)
    assert float((exact - distances).max()) < 1e-6
    # Subtracting before rounding is what oneDNN does; elsewhere a step of bfloat16 near 1 is lost.
    assert float((distances - exact).max()) < (1e-3 if nearest_patch._has_bfloat16() else 5e-3)


def test_bfloat16_gives_the_winner_its_distance_in_float32() -> None:
    rows = unit(20, 32, seed=4)
    tokens = F.normalize(rows[:5] + 0.01 * unit(5, 32, seed=5), dim=-1)

    distances = nearest(tokens, rows, bfloat16=True)

    expected = [1.0 - float(token.double() @ row.double()) for token, row in zip(tokens, rows, strict=False)]
    assert distances.tolist() == pytest.approx(expected, abs=1e-6)


def test_pairs_of_references_are_compared_both_ways_in_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest_patch, "_WORTH_HALVING", 0)
    monkeypatch.setattr(nearest_patch, "_has_bfloat16", lambda: True)
    shown = references((30, 40, 50), width=32)

    maps = leave_one_out(shown, build_bank(shown, LAYERS))

    for index, own in enumerate(maps):
        others = torch.cat([other for place, other in enumerate(shown) if place != index], dim=1)
        exact = (1.0 - shown[index].double() @ others.double().transpose(1, 2)).amin(dim=2)
        # Distances of 0.3 to 0.8, whose steps in bfloat16 are 1/512 and 1/256.
        assert float((own - exact).abs().max()) < 5e-3


def test_a_processor_without_bfloat16_stays_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest_patch, "_WORTH_HALVING", 0)
    monkeypatch.setattr(nearest_patch, "_has_bfloat16", lambda: False)
    tokens, rows = crowded(50, seed=2), crowded(700, seed=3)

    distances = nearest(tokens, rows)

    assert torch.equal(distances, nearest(tokens, rows, bfloat16=False))


def test_a_bank_of_no_reference_or_no_patch_or_other_layers_is_refused() -> None:
    with pytest.raises(ValueError, match="need at least one reference and one patch, got 0 and 10"):
        build_bank([], LAYERS, limit=10)
    with pytest.raises(ValueError, match="need at least one reference and one patch, got 3 and 0"):
        build_bank(references(), LAYERS, limit=0)
    with pytest.raises(ValueError, match="tokens must be of the 3 layers"):
        build_bank(references(), (3, 6, 9))


def test_maps_of_other_layers_or_beside_nothing_are_refused() -> None:
    bank = build_bank(references((5,)), LAYERS)

    with pytest.raises(ValueError, match="tokens of 1 layers do not fit a bank of 2"):
        bank_maps(unit(1, 8, 4), bank)
    with pytest.raises(ValueError, match="no patches beside those of reference 0"):
        bank_maps(unit(2, 8, 4), bank, exclude=0)


def test_a_single_reference_cannot_be_left_out() -> None:
    shown = references((5,))

    with pytest.raises(ValueError, match="need the bank's 1 references, at least two, got 1"):
        leave_one_out(shown, build_bank(shown, LAYERS))
