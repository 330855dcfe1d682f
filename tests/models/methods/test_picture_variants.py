"""Variants of a picture, by pixels worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from models.methods.picture_variants import augmented, augmented_self
from models.registry import get_backbone_spec

# 2 x 2 pixels a b / c d
PICTURE = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).expand(1, 3, 2, 2)


def spelt(picture: torch.Tensor) -> str:
    return "".join("abcd"[int(value) - 1] for value in picture[0, 0].flatten())


@pytest.mark.parametrize(
    ("rotations", "flips", "expected"),
    [
        (False, False, ["abcd"]),
        (True, False, ["abcd", "bdac", "dcba", "cadb"]),
        (False, True, ["abcd", "badc", "cdab", "dcba"]),
        (True, True, ["abcd", "bdac", "dcba", "cadb", "badc", "dbca", "cdab", "acbd"]),
    ],
)
def test_pictures_are_turned_and_mirrored(rotations: bool, flips: bool, expected: list[str]) -> None:
    assert [spelt(picture) for picture in augmented(PICTURE, rotations, flips)] == expected


def test_a_turned_picture_changes_its_sides() -> None:
    shapes = [tuple(picture.shape) for picture in augmented(torch.zeros(1, 3, 28, 42), rotations=True, flips=False)]

    assert shapes == [(1, 3, 28, 42), (1, 3, 42, 28), (1, 3, 28, 42), (1, 3, 42, 28)]


def test_a_picture_is_shifted_mirrored_and_made_lighter_and_darker() -> None:
    spec = replace(get_backbone_spec("dinov2-small"), patch_px=4, mean=(0.0, 0.0, 0.0), std=(1.0, 0.5, 1.0))
    pixels = torch.arange(16.0).view(1, 1, 4, 4).expand(1, 3, 4, 4) / 20
    picture = pixels / torch.tensor(spec.std).view(3, 1, 1)

    shifted, mirrored, upturned, darker, lighter = augmented_self(picture, spec) * torch.tensor(spec.std).view(3, 1, 1)

    assert (20 * shifted[0]).round().tolist() == [[0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 1], [4, 4, 4, 5]]
    assert torch.allclose(mirrored, pixels[0].flip(2))
    assert torch.allclose(upturned, pixels[0].flip(1))
    assert torch.allclose(darker, 0.9 * pixels[0])
    assert torch.allclose(lighter, 1.1 * pixels[0])


def test_brightness_is_changed_before_normalising_and_stays_within_what_a_picture_can_hold() -> None:
    spec = get_backbone_spec("dinov2-small")
    white = ((1.0 - torch.tensor(spec.mean)) / torch.tensor(spec.std)).view(1, 3, 1, 1).expand(1, 3, 14, 14)

    darker, lighter = augmented_self(white, spec, flips=False)[1:]

    grey = ((0.9 - torch.tensor(spec.mean)) / torch.tensor(spec.std)).view(3, 1, 1).expand(3, 14, 14)
    assert torch.allclose(darker, grey, atol=1e-6)
    assert torch.allclose(lighter, white[0], atol=1e-6)


def test_mirror_images_are_left_out_where_the_bank_has_them() -> None:
    assert augmented_self(torch.zeros(1, 3, 28, 28), get_backbone_spec("dinov2-small"), flips=False).shape[0] == 3
