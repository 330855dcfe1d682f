"""What text-visual alignment is drawn from, held against what DA-CLIP itself compares."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.backbones.towers import build_tiny_towers
from models.errors import DataError
from models.methods.daclip import DAClip
from models.methods.daclip_alignment import Alignment, compute_alignment
from models.methods.prompts import PromptSet
from tests.models.methods.tiny_daclip import LAYERS, Like, images_of, strong_model

LIKES: tuple[Like, ...] = ("clip", "compact")
PAPER = PromptSet()


def aligned(model: DAClip, prompts: PromptSet = PAPER, layers: tuple[int, ...] = LAYERS) -> Alignment:
    return compute_alignment(model.eval(), images_of()[0], prompts, layers)


@pytest.mark.parametrize("like", LIKES)
def test_the_points_after_the_head_give_the_static_map_and_the_global_score(like: Like) -> None:
    model = strong_model(like).eval()
    if like == "compact":  # else both branches' projections of the picture would be the identity
        for branch in (model.head.global_branch, model.head.local_branch):
            assert isinstance(branch.visual_projection, torch.nn.Linear)
            torch.nn.init.normal_(branch.visual_projection.weight)
    after = aligned(model, layers=(4,)).after
    global_text, local_text = after.texts

    def probability(seen: NDArray[np.float32], normal: NDArray[np.float32], anomalous: NDArray[np.float32]) -> Any:
        odds = np.exp(seen @ anomalous / 0.07), np.exp(seen @ normal / 0.07)
        return odds[0] / (odds[0] + odds[1])

    with torch.no_grad():
        output = model(images_of()[:1])
    patches = probability(after.patches, local_text.normal, local_text.anomalous)
    whole = probability(after.global_feature, global_text.normal, global_text.anomalous)
    np.testing.assert_allclose(patches, output.static_maps[0, LAYERS.index(4)].flatten(), atol=1e-5)
    np.testing.assert_allclose(whole, output.global_logits.softmax(dim=-1)[0, 1], atol=1e-5)


def test_a_head_without_effect_leaves_every_point_where_it_was() -> None:
    alignment = aligned(DAClip.zero_shot(build_tiny_towers(), LAYERS))

    np.testing.assert_allclose(alignment.after.patches, alignment.before.patches, atol=1e-6)
    np.testing.assert_allclose(alignment.after.global_feature, alignment.before.global_feature, atol=1e-6)
    for text in alignment.after.texts:
        np.testing.assert_allclose(text.anomalous_prompts, alignment.before.texts[0].anomalous_prompts, atol=1e-6)


@pytest.mark.parametrize("like", LIKES)
def test_all_points_have_unit_length_and_prompts_are_counted_apart(like: Like) -> None:
    alignment = aligned(strong_model(like))
    for side in (alignment.before, alignment.after):
        assert side.patches.shape[0] == 16
        for text in side.texts:
            assert (len(text.normal_prompts), len(text.anomalous_prompts)) == (6, 10)
            lengths = np.linalg.norm(np.concatenate([text.normal_prompts, text.normal[None], side.patches]), axis=1)
            np.testing.assert_allclose(lengths, 1.0, atol=1e-5)
    assert (alignment.shares_space, alignment.grid_hw) == (like == "clip", (4, 4))


def test_zeros_fill_up_the_narrower_side_before_the_head() -> None:
    before = aligned(strong_model("compact")).before
    (text,) = before.texts
    assert (before.patches.shape[1], text.normal_prompts.shape[1]) == (32, 32)
    assert not text.normal_prompts[:, 24:].any()
    assert text.normal_prompts[:, :24].all()


def test_other_words_move_their_own_points_and_leave_the_methods_words_alone() -> None:
    model = strong_model()
    own = PromptSet(anomalous=("cracked {}",))
    paper, other = aligned(model), aligned(model, own)
    assert np.array_equal(other.after.texts[0].normal, paper.after.texts[0].normal)
    assert not np.allclose(other.after.texts[0].anomalous, paper.after.texts[0].anomalous, atol=1e-3)
    assert model.prompts == PAPER


def test_a_joint_head_has_one_set_of_words() -> None:
    alignment = aligned(strong_model(decoupled=False))
    assert [text.name for text in alignment.after.texts] == ["joint"]
    assert not alignment.decoupled


def test_a_text_that_is_too_long_is_refused() -> None:
    with pytest.raises(DataError, match="is too long: it makes .* tokens"):
        aligned(strong_model(), PromptSet(object_name="very " * 100 + "long object"))
