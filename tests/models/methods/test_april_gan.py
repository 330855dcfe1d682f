"""APRIL-GAN's prompts on plain CLIP against open_clip's own functions."""

import pytest
import torch
import torch.nn.functional as F

from models.backbones.towers import build_tiny_towers
from models.methods.april_gan import AprilGanPrompts
from models.methods.base import AnomalyMethod
from models.methods.prompt_ensemble import april_gan_prompts
from models.methods.prompts import PromptSet
from tests.models.methods.tiny_clip import GRID_HW, build_tiny_clip, pictures, plain_text, towers_of

WORDS = PromptSet(normal=("perfect {}",), anomalous=("broken {}",), templates=("a photo of a {}.",))


def test_maps_and_scores_equal_open_clips_own_functions() -> None:
    clip = build_tiny_clip()
    prompts = april_gan_prompts("bottle")
    images = pictures(2)

    method = AprilGanPrompts(towers_of(clip), (2, 4), object_name="bottle", temperature=0.05)
    found = method.maps(images)

    text = torch.stack([plain_text(clip, prompts.normal_texts()), plain_text(clip, prompts.anomalous_texts())])
    whole = F.normalize(clip.encode_image(images), dim=-1) @ text.T
    passed = clip.visual.forward_intermediates(images, indices=[1, 3], normalize_intermediates=True)
    assert found.global_scores is not None
    assert torch.allclose(found.global_scores, (whole / 0.05).softmax(-1)[:, 1], atol=1e-5)
    assert found.branch_maps.shape == (2, 1, 2, *GRID_HW)
    for position, tokens in enumerate(passed["image_intermediates"]):  # (B, width, gh, gw)
        cosines = F.normalize(tokens.permute(0, 2, 3, 1) @ clip.visual.proj, dim=-1) @ text.T
        assert torch.allclose(found.branch_maps[:, 0, position], (cosines / 0.05).softmax(-1)[..., 1], atol=1e-5)


def test_it_is_a_method_of_one_branch_whose_maps_are_float32_probabilities() -> None:
    method: AnomalyMethod = AprilGanPrompts(build_tiny_towers(), (1, 3)).with_prompts(WORDS)
    found = method.maps(torch.randn(1, 3, 56, 84))
    assert method.backbone.depth == 4
    assert (method.layers, method.branches) == ((1, 3), ("map",))
    assert found.branch_maps.shape == (1, 1, 2, 4, 6)
    assert found.branch_maps.dtype == torch.float32
    assert found.branch_maps.min() >= 0
    assert found.branch_maps.max() <= 1
    assert not found.branch_maps.requires_grad


def test_other_words_make_another_method_and_leave_the_first_as_it_is() -> None:
    first = AprilGanPrompts(build_tiny_towers(), (4,)).with_prompts(WORDS)
    images = torch.randn(1, 3, 56, 56)
    before = first.maps(images).branch_maps
    swapped = first.with_prompts(PromptSet(normal=WORDS.anomalous, anomalous=WORDS.normal, templates=WORDS.templates))
    assert torch.allclose(swapped.maps(images).branch_maps, 1 - before, atol=1e-6)
    assert torch.equal(first.maps(images).branch_maps, before)
    assert first.prompts == WORDS


def test_towers_without_a_shared_space_are_refused() -> None:
    with pytest.raises(ValueError, match="need towers that share a space"):
        AprilGanPrompts(build_tiny_towers(like="compact"), (4,))


def test_a_temperature_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="temperature must be above 0, got 0"):
        AprilGanPrompts(build_tiny_towers(), (4,), temperature=0)
