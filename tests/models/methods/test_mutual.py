"""Mutual scoring against plain loops on tiny random tokens."""

from __future__ import annotations

import weakref

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from models.methods.mutual import aggregated, mutual_maps, others_of


def pictures(count: int = 6, layers: int = 2, patches: int = 5, width: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return F.normalize(torch.randn(count, layers, patches, width, generator=generator), dim=-1)


def looped(tokens: Tensor, index: int, others: list[int], kept: int) -> list[list[float]]:
    """Each patch: its distance to the nearest patch of each other picture, mean of the lowest few."""
    layers = []
    for own, level in zip(tokens[index].tolist(), range(tokens.shape[1]), strict=True):
        patches = []
        for patch in own:
            distances = []
            for other in others:
                rows = tokens[other, level].tolist()
                distances.append(min(1.0 - sum(a * b for a, b in zip(patch, row, strict=True)) for row in rows))
            patches.append(sum(sorted(distances)[:kept]) / kept)
        layers.append(patches)
    return layers


@pytest.mark.parametrize(("lowest_share", "kept"), [(0.3, 1), (0.6, 3), (1.0, 5)])
def test_a_patch_scores_the_mean_of_its_lowest_distances_to_the_other_pictures(lowest_share: float, kept: int) -> None:
    tokens = pictures()

    maps = list(mutual_maps(tokens.__getitem__, 6, lowest_share=lowest_share))

    assert len(maps) == 6
    for index, found in enumerate(maps):
        others = [other for other in range(6) if other != index]
        assert torch.allclose(found, torch.tensor(looped(tokens, index, others, kept)), atol=1e-6)


def test_a_planted_odd_patch_scores_highest_of_all() -> None:
    generator = torch.Generator().manual_seed(1)
    tokens = F.normalize(torch.tensor([1.0, 0.0, 0.0]) + 0.1 * torch.randn(8, 1, 9, 3, generator=generator), dim=-1)
    tokens[3, 0, 4] = torch.tensor([0.0, 1.0, 0.0])

    maps = torch.stack(list(mutual_maps(tokens.__getitem__, 8)))

    assert int(maps.argmax()) == 3 * 9 + 4
    assert float(maps.flatten().topk(2).values[1]) < 0.1 < 0.5 < float(maps.max())


def test_a_variation_that_a_third_of_the_pictures_share_stays_normal_and_one_of_few_does_not() -> None:
    usual, variation = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    shared = [variation if index in (0, 1, 2, 3) else usual for index in range(11)]
    lone = [variation if index in (0, 1) else usual for index in range(11)]

    scores = [float(next(mutual_maps(torch.stack(kind).view(11, 1, 1, 2).__getitem__, 11))) for kind in (shared, lone)]

    # Three of the ten others are averaged: all three alike, or one alike and two at distance 1.
    assert scores == pytest.approx([0.0, 2 / 3], abs=1e-6)


def test_a_picture_is_compared_with_so_many_others_drawn_by_the_seed() -> None:
    tokens = pictures(count=9)

    maps = list(mutual_maps(tokens.__getitem__, 9, lowest_share=0.5, compare_with=4, seed=2))

    for index, found in enumerate(maps):
        others = list(others_of(index, 9, 4, seed=2))
        assert torch.allclose(found, torch.tensor(looped(tokens, index, others, kept=2)), atol=1e-6)


def test_the_others_are_never_the_picture_itself_and_the_same_for_the_same_seed() -> None:
    draws = [[others_of(index, 50, 10, seed) for index in range(50)] for seed in (0, 0, 1)]

    assert draws[0] == draws[1] != draws[2]
    assert len(set(draws[0])) == 50  # each picture has others of its own
    for index, others in enumerate(draws[0]):
        assert len(set(others)) == 10
        assert index not in others
    assert others_of(2, 4, 10, seed=0) == others_of(2, 4, None, seed=0) == (0, 1, 3)


def test_no_more_than_two_pictures_are_held_at_once() -> None:
    tokens = pictures()
    held: weakref.WeakSet[Tensor] = weakref.WeakSet()
    most = 0

    def tokens_of(index: int) -> Tensor:
        nonlocal most
        copied = tokens[index].clone()
        held.add(copied)
        most = max(most, len(held))
        return copied

    list(mutual_maps(tokens_of, 6))

    assert most == 2


def test_half_precision_tokens_are_taken_as_they_are() -> None:
    tokens = pictures().half()

    maps = next(mutual_maps(tokens.__getitem__, 6, lowest_share=1.0))

    assert maps.dtype == torch.float32
    assert torch.allclose(maps, torch.tensor(looped(tokens.float(), 0, [1, 2, 3, 4, 5], 5)), atol=1e-6)


def test_neighbours_are_averaged_and_the_mean_has_unit_length() -> None:
    grid = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])

    pooled = aggregated(grid.unsqueeze(0), (2, 3), 3)

    # Left column sees 4 patches with one (0, 1), the middle all 6 with two, the right 4 with two.
    sums = torch.tensor([[3.0, 1.0], [4.0, 2.0], [2.0, 2.0]] * 2)
    assert torch.allclose(pooled[0], sums / sums.norm(dim=1, keepdim=True), atol=1e-6)
    assert torch.equal(aggregated(grid.unsqueeze(0), (2, 3), 1)[0], grid)


def test_neighbourhoods_without_a_middle_are_refused() -> None:
    with pytest.raises(ValueError, match="size must be odd and at least 1, got 2"):
        aggregated(torch.zeros(1, 4, 2), (2, 2), 2)


@pytest.mark.parametrize(
    ("count", "share", "compare_with"), [(1, 0.3, None), (4, 0.0, None), (4, 1.5, None), (4, 0.3, 0)]
)
def test_what_cannot_be_compared_is_refused_at_once(count: int, share: float, compare_with: int | None) -> None:
    with pytest.raises(ValueError, match="need two pictures, one to compare with and a share"):
        mutual_maps(pictures().__getitem__, count, lowest_share=share, compare_with=compare_with)
