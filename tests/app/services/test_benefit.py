"""What labelling an image is expected to bring, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from app.services.benefit import (
    disagreement_of_layers,
    disagreement_of_methods,
    nearest_distances,
    rank,
    uncertainty,
    usual_distance,
)

NAN = float("nan")
NOTHING = np.empty((0, 2), np.float32)


def rows(*points: tuple[float, float]) -> NDArray[np.float32]:
    return np.array(points, dtype=np.float32).reshape(-1, 2)


@pytest.mark.parametrize(
    ("score", "spread", "expected"),
    [(0.5, 0.25, 1.0), (0.75, 0.25, 0.5), (0.0, 0.25, 1 / 3), (0.5, 0.0, 1.0), (0.6, 0.0, 0.0)],
)
def test_uncertainty_falls_with_the_distance_in_spreads(score: float, spread: float, expected: float) -> None:
    assert uncertainty(score, 0.5, spread) == pytest.approx(expected)


def test_layers_that_say_opposite_things_disagree_most() -> None:
    assert disagreement_of_layers([0.5, 0.5, 0.5]) == 0.0
    assert disagreement_of_layers([0.0, 1.0, 0.0, 1.0]) == 1.0
    assert disagreement_of_layers([0.0, 0.5]) == 0.5


def test_methods_disagree_on_images_that_they_rank_apart() -> None:
    one = {str(number): float(number) for number in range(9)}
    other = {**one, "0": 10.0}  # last here, first there; the others move up by one of eight places

    found = disagreement_of_methods({"one": one, "other": other, "too few": {"1": 0.0, "2": 1.0}})

    assert found["0"] == 1.0
    assert found["1"] == found["8"] == pytest.approx(0.125)


def test_methods_that_saw_few_images_together_are_not_compared() -> None:
    assert disagreement_of_methods({"one": {"a": 0.0, "b": 1.0}, "other": {"a": 1.0, "b": 0.0}}) == {}


def test_the_usual_distance_is_that_of_all_pairs() -> None:
    points = rows((0, 0), (3, 4), (0, 4), (7, 1))
    pairs = [np.sum((one - other) ** 2) for one in points for other in points]

    assert usual_distance(points) == pytest.approx(np.sqrt(np.mean(pairs)))
    assert usual_distance(points[:1]) == 0.0


def test_distances_are_to_the_nearest_labelled_image() -> None:
    found = nearest_distances(rows((0, 0), (3, 4), (NAN, NAN)), rows((0, 1), (3, 0)))

    assert found[:2].tolist() == pytest.approx([1.0, 4.0])
    assert np.isnan(found[2])
    assert np.isinf(nearest_distances(rows((0, 0)), NOTHING)).all()


def test_the_benefit_is_the_weighted_mean_of_what_is_known() -> None:
    uncertain, disagreement = np.array([1.0, 0.5, NAN]), np.array([0.5, NAN, NAN])

    ranking = rank(uncertain, disagreement, np.full((3, 2), np.nan, np.float32), NOTHING)

    # (0.4 * 1 + 0.2 * 0.5) / 0.6; then 0.5 alone; then nothing.
    assert ranking.value.tolist() == pytest.approx([0.5 / 0.6, 0.5, 0.0])
    assert ranking.order.tolist() == [0, 1, 2]
    assert np.isnan(ranking.novelty).all()


def test_images_like_a_labelled_one_come_last() -> None:
    points = rows((0, 0), (0, 6), (0, 3))

    ranking = rank(np.full(3, 0.5), np.full(3, 0.5), points, rows((0, 0)))

    assert ranking.order.tolist() == [1, 2, 0]
    assert ranking.novelty[0] == 0.0
    # Of (0, 0) twice, (0, 3) and (0, 6): the mean is (0, 2.25), the variance 6.1875; the usual distance is the root of
    # twice that.
    assert ranking.novelty[2] == pytest.approx(3.0 / np.sqrt(12.375))


def test_the_first_ones_are_unlike_each_other_even_where_nothing_is_labelled() -> None:
    left, right = [(0.0, float(number) / 100) for number in range(5)], [(9.0, 0.0)]
    uncertain = np.array([0.9, 0.88, 0.86, 0.84, 0.82, 0.7])

    ranking = rank(uncertain, np.full(6, NAN), rows(*left, *right), NOTHING)

    assert ranking.order[:2].tolist() == [0, 5]
    assert ranking.novelty[[0, 5]].tolist() == [1.0, 1.0]


def test_the_benefit_falls_along_the_order_and_the_tail_follows_it() -> None:
    random = np.random.default_rng(0)
    points = random.normal(size=(60, 2)).astype(np.float32)
    points[::7] = np.nan

    ranking = rank(random.random(60), random.random(60), points, rows((0, 0)), first=10)

    assert sorted(ranking.order.tolist()) == list(range(60))
    assert (np.diff(ranking.value[ranking.order]) <= 1e-12).all()


def test_pictures_that_are_all_alike_have_nothing_new() -> None:
    ranking = rank(np.array([0.1, 0.2]), np.full(2, NAN), rows((1, 1), (1, 1)), rows((1, 1)))

    assert (ranking.order.tolist(), ranking.novelty.tolist()) == ([1, 0], [0.0, 0.0])


def test_nothing_to_order_is_no_error() -> None:
    ranking = rank(np.array([]), np.array([]), NOTHING, rows((0, 0)))

    assert ranking.order.tolist() == []
