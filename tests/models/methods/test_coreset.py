"""The greedy selection against the plain loop over all rows."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from models.methods import coreset
from models.methods.coreset import k_center, project, select


def random_rows(count: int, width: int = 3, seed: int = 0) -> Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def greedy(points: list[list[float]], count: int, first: int) -> list[int]:
    """The definition: again and again the point that is farthest from all chosen ones."""
    chosen = [first]
    while len(chosen) < count:
        farthest, place = -1.0, -1
        for index, point in enumerate(points):
            if index in chosen:
                continue
            nearest = min(math.dist(point, points[other]) for other in chosen)
            if nearest > farthest:
                farthest, place = nearest, index
        chosen.append(place)
    return chosen


@pytest.mark.parametrize("looked_at", [1, 3, 8, 512])
def test_rounds_choose_what_the_plain_loop_chooses_and_in_its_order(
    looked_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coreset, "_FARTHEST", looked_at)
    rows = random_rows(40)

    chosen = k_center(rows, 15, first=7)

    assert chosen.tolist() == greedy(rows.tolist(), 15, first=7)


def test_no_row_is_farther_from_the_chosen_ones_than_they_are_from_each_other() -> None:
    rows = random_rows(200, seed=1)

    chosen = k_center(rows, 20, first=0)

    between = torch.cdist(rows[chosen], rows[chosen]).fill_diagonal_(math.inf)
    covered = torch.cdist(rows, rows[chosen]).amin(dim=1)
    assert float(covered.max()) <= float(between.min())


def test_equal_rows_are_chosen_once_each() -> None:
    rows = torch.zeros(6, 2)

    assert sorted(k_center(rows, 6, first=2).tolist()) == [0, 1, 2, 3, 4, 5]


def test_the_rare_patch_among_many_alike_is_kept() -> None:
    rows = torch.cat([0.01 * random_rows(99), torch.full((1, 3), 5.0)])

    assert 99 in select(rows, 30, seed=3).tolist()


def test_a_seed_chooses_the_same_rows_again_and_another_seed_others() -> None:
    rows = random_rows(300, width=200)

    chosen = [select(rows, 100, seed).tolist() for seed in (0, 0, 1)]

    assert chosen[0] == chosen[1] != chosen[2]
    assert chosen[0] == sorted(set(chosen[0]))
    assert len(chosen[0]) == 100


def test_all_rows_are_kept_where_there_are_no_more() -> None:
    assert select(random_rows(5), 5, seed=0).tolist() == [0, 1, 2, 3, 4]


def test_very_many_rows_are_thinned_at_random_before_the_selection(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def watched(rows: Tensor, count: int, first: int) -> Tensor:
        seen.append(len(rows))
        return k_center(rows, count, first)

    monkeypatch.setattr(coreset, "k_center", watched)

    chosen = select(random_rows(100), 10, seed=0)

    assert seen == [40]
    assert len(set(chosen.tolist())) == 10


def test_projection_keeps_distances_in_the_mean_and_short_rows_as_they_are() -> None:
    rows = random_rows(60, width=400)
    short = random_rows(4, width=128)
    generator = torch.Generator().manual_seed(5)

    projected = project(rows, generator)

    quotient = torch.pdist(projected) / torch.pdist(rows)
    assert projected.shape == (60, 128)
    assert float(quotient.mean()) == pytest.approx(1.0, abs=0.02)
    assert float(quotient.std()) < 0.1  # about 1 / sqrt(2 * 128)
    assert project(short, generator) is short


@pytest.mark.parametrize("count", [0, 6])
def test_a_number_of_rows_that_there_are_not_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"need 1 to 5 rows, got {count}"):
        select(random_rows(5), count, seed=0)
