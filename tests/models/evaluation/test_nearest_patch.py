"""The nearest-patch comparator on vectors worked out by hand and on a tiny random backbone."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from models.backbones.vit import build_tiny_backbone
from models.evaluation.nearest_patch import draw_references, nearest_distances, nearest_patch_score, unit_tokens

EAST, NORTH, WEST = (1.0, 0.0), (0.0, 1.0), (-1.0, 0.0)
NORTH_EAST = (math.sqrt(0.5), math.sqrt(0.5))


def test_distance_is_to_the_nearest_patch_of_each_reference() -> None:
    tokens = torch.tensor([[EAST, WEST]])
    references = torch.tensor([[[NORTH, EAST]], [[NORTH_EAST, NORTH]]])

    distances = nearest_distances(tokens, references)

    expected = torch.tensor([[[0.0, 1.0]], [[1 - math.sqrt(0.5), 1.0]]])
    assert torch.allclose(distances, expected, atol=1e-6)


def test_score_takes_the_nearest_reference_then_the_mean_of_layers_then_the_highest_patches() -> None:
    first = [[0.2, 0.9, 0.4], [0.4, 0.3, 0.4]]
    second = [[0.6, 0.5, 0.4], [0.2, 0.7, 0.8]]

    score = nearest_patch_score(torch.tensor([first, second]), fraction=0.5)

    # Nearest: (0.2, 0.5, 0.4) and (0.2, 0.3, 0.4); mean of the layers: (0.2, 0.4, 0.4); two of three patches.
    assert score == pytest.approx(0.4)


def test_a_picture_is_at_no_distance_from_itself_and_at_some_from_another() -> None:
    backbone = build_tiny_backbone()
    images = torch.randn(2, 3, 56, 56, generator=torch.Generator().manual_seed(1))

    tokens = unit_tokens(backbone, images, layers=(2, 3))
    distances = nearest_distances(tokens[0], tokens)

    assert tokens.shape == (2, 2, 16, 32)
    assert float(distances[0].max()) < 1e-5
    assert float(distances[1].max()) > 1e-3


def test_tokens_are_those_of_the_asked_layers_at_unit_length() -> None:
    backbone = build_tiny_backbone()
    images = torch.randn(1, 3, 56, 56, generator=torch.Generator().manual_seed(1))

    tokens = unit_tokens(backbone, images, layers=(4, 1))

    kept = backbone(images, (1, 4)).patch_tokens
    assert torch.allclose(tokens[0, 0], F.normalize(kept[4][0], dim=-1), atol=1e-6)
    assert torch.allclose(tokens[0, 1], F.normalize(kept[1][0], dim=-1), atol=1e-6)


def test_references_are_drawn_repeatably_and_differ_between_seeds() -> None:
    normal = list(range(100, 200))

    drawn = [draw_references(normal, 4, seed) for seed in (0, 0, 1)]

    assert drawn[0] == drawn[1] != drawn[2]
    assert len(set(drawn[0])) == 4
    assert set(drawn[0]) <= set(normal)


def test_as_many_references_as_normal_pictures_leave_nothing_to_test() -> None:
    with pytest.raises(ValueError, match="need 1 to 2 references of 3 normal pictures, got 3"):
        draw_references([1, 5, 7], 3, seed=0)
