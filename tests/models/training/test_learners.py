"""A learner's features say as much as the picture, and teaching moves what it should and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from models.backbones.towers import build_tiny_towers
from models.backbones.vit import build_tiny_backbone
from models.errors import DataError
from models.methods.daclip import DAClip, DAClipConfig
from models.methods.sca import SpatialAwareCrossAttention
from models.methods.visualad import VisualAD, VisualADConfig
from models.methods.winclip import WinClip
from models.training.labelled_losses import labelled_visualad_losses
from models.training.learners import Learner, learner_of
from tests.models.methods.tiny_daclip import strong_model

IMAGES = torch.randn(3, 3, 56, 56, generator=torch.Generator().manual_seed(1))
LABELS = torch.tensor([1, 0, 1])
KNOWN = torch.tensor([True, True, False])
MASKS = torch.zeros(3, 56, 56, dtype=torch.bool)
MASKS[0, 10:30, 15:40] = True


def visualad(seed: int = 3, **options: Any) -> VisualAD:
    torch.manual_seed(seed)
    return VisualAD(build_tiny_backbone(), VisualADConfig(layers=(2, 4), **options)).eval()


def daclip() -> DAClip:
    return strong_model("compact").eval()


MAKERS: list[Callable[[], VisualAD | DAClip]] = [visualad, daclip, lambda: strong_model("clip").eval()]
IDS = ["VisualAD", "DA-CLIP compact", "DA-CLIP"]


@pytest.mark.parametrize("make", MAKERS, ids=IDS)
def test_maps_of_features_are_those_of_the_live_picture(make: Callable[[], VisualAD | DAClip]) -> None:
    method = make()
    learner = learner_of(method, 56)
    live = method.maps(IMAGES)

    features = learner.features_of(IMAGES)
    learner.train(True)  # maps know no dropout, whatever was done before
    found = learner.maps(features)

    assert features.shape == (3, learner.feature_size)
    assert features.dtype == torch.float32
    torch.testing.assert_close(found.branch_maps, live.branch_maps, atol=1e-5, rtol=0)
    assert (found.global_scores is None) == (live.global_scores is None)
    if live.global_scores is not None:
        torch.testing.assert_close(found.global_scores, live.global_scores, atol=1e-5, rtol=0)


@pytest.mark.parametrize("make", MAKERS, ids=IDS)
def test_features_in_half_precision_change_maps_but_little(make: Callable[[], VisualAD | DAClip]) -> None:
    learner = learner_of(make(), 56)
    features = learner.features_of(IMAGES)
    found = learner.maps(features.half().float()).branch_maps
    torch.testing.assert_close(found, learner.maps(features).branch_maps, atol=5e-3, rtol=0)


@pytest.mark.parametrize("make", MAKERS, ids=IDS)
def test_features_of_one_picture_do_not_depend_on_its_batch(make: Callable[[], VisualAD | DAClip]) -> None:
    learner = learner_of(make(), 56)
    together = learner.features_of(IMAGES)
    torch.testing.assert_close(learner.features_of(IMAGES[1:2]), together[1:2], atol=1e-5, rtol=0)


def test_visualads_losses_compare_its_maps_with_the_masks_patch_by_patch() -> None:
    method = visualad(dropout=0.0)
    learner = learner_of(method, 56)
    cells = torch.nn.functional.adaptive_max_pool2d(MASKS.float(), learner.loss_px) > 0
    wanted = labelled_visualad_losses(method(IMAGES).layer_maps, LABELS, cells, KNOWN)

    found = learner.losses(learner.features_of(IMAGES), LABELS, MASKS, KNOWN)

    assert learner.loss_px == 16
    assert set(found) == {"patches", "labels"}
    for name, value in found.items():
        torch.testing.assert_close(value, wanted[name], atol=1e-5, rtol=0)


@pytest.mark.parametrize("patch_stride", [1, 2])
def test_what_was_said_about_the_last_pictures_is_kept(patch_stride: int) -> None:
    learner = learner_of(visualad(dropout=0.0), 56)
    features = learner.features_of(IMAGES)
    said = learner.maps(features[1:]).branch_maps

    def parent_loss(before: Tensor) -> float:
        torch.manual_seed(0)
        truth = (LABELS, MASKS, KNOWN)
        losses = learner.losses(features, *truth, patch_stride=patch_stride, parent_maps=before)
        return losses["parent"].item()

    assert parent_loss(said) == pytest.approx(0.0, abs=1e-7)
    assert parent_loss(said + 0.1) == pytest.approx(10.0 * 0.01, rel=1e-3)


def gradients(learner: Learner, patch_stride: int) -> dict[str, bool]:
    """Every parameter of the head, and whether a loss reaches it."""
    learner.train(True)
    torch.manual_seed(0)
    learner.head.zero_grad(set_to_none=True)
    losses = learner.losses(learner.features_of(IMAGES), LABELS, MASKS, KNOWN, patch_stride=patch_stride)
    torch.stack(list(losses.values())).sum().backward()
    named = learner.head.named_parameters()
    return {name: value.grad is not None and bool(value.grad.any()) for name, value in named}


@pytest.mark.parametrize("patch_stride", [1, 2])
def test_losses_reach_all_of_sca_and_saf_and_nothing_else_of_visualad(patch_stride: int) -> None:
    method = visualad()
    reached = gradients(learner_of(method, 56), patch_stride)

    frozen = {name for name, found in reached.items() if not found}
    assert frozen == {"anomaly_token", "normal_token", "final_norm.weight", "final_norm.bias"}
    assert not any(parameter.requires_grad for parameter in method.backbone.parameters())


@pytest.mark.parametrize("patch_stride", [1, 2])
def test_losses_reach_both_branches_and_dar(patch_stride: int) -> None:
    reached = gradients(learner_of(daclip(), 56), patch_stride)
    assert {name.split(".")[0] for name, found in reached.items() if found} == {"branches", "dar", "gate"}


def test_what_is_trained_is_sca_and_saf_or_the_whole_head_of_daclip() -> None:
    of_visualad, of_daclip = learner_of(visualad(), 56), learner_of(daclip(), 56)
    assert isinstance(of_daclip.head, torch.nn.Module)

    names = {id(value): name for name, value in of_visualad.head.named_parameters()}
    assert {names[id(p)].split(".")[0] for p in of_visualad.trainable()} == {"cross_attention", "self_alignment"}
    assert len(of_daclip.trainable()) == len(list(of_daclip.head.parameters()))
    groups = of_daclip.parameter_groups()
    assert [share for _, share in groups] == pytest.approx([0.1, 0.02])
    assert sum(len(some) for some, _ in groups) == len(of_daclip.trainable())


def test_a_picture_whose_patches_are_all_alike_has_the_same_loss_however_few_are_looked_at() -> None:
    method = visualad(dropout=0.0)
    learner = learner_of(method, 56)
    features = learner.features_of(torch.zeros(1, 3, 56, 56))
    width, count = method.backbone.width, 16
    tokens = features.unflatten(1, (2 * count + 2, width)).clone()
    tokens[:, :count] = tokens[:, :1]
    tokens[:, count : 2 * count] = tokens[:, count : count + 1]
    for attention in method.head.cross_attention.values():
        assert isinstance(attention, SpatialAwareCrossAttention)
        torch.nn.init.zeros_(attention.pos_encoding)
    normal = (torch.tensor([0]), torch.zeros(1, 56, 56, dtype=torch.bool), torch.tensor([True]))

    whole = learner.losses(tokens.flatten(1), *normal)
    part = learner.losses(tokens.flatten(1), *normal, patch_stride=2)

    torch.testing.assert_close(part["patches"], whole["patches"], atol=1e-5, rtol=0)


KEY_CHANGES: dict[str, Callable[[VisualAD], Tensor]] = {
    "anomaly_token": lambda method: method.head.anomaly_token,
    "final_norm": lambda method: method.head.final_norm.weight,
    "backbone": lambda method: method.backbone.position_table,
}


@pytest.mark.parametrize("part", KEY_CHANGES)
def test_the_key_follows_what_features_depend_on(part: str) -> None:
    method = visualad()
    before = learner_of(method, 56).key()
    with torch.no_grad():
        KEY_CHANGES[part](method).add_(0.5)
    assert learner_of(method, 56).key() != before


def test_the_key_leaves_out_what_is_trained_and_takes_in_the_size_and_the_layers() -> None:
    method = visualad()
    before = learner_of(method, 56).key()
    with torch.no_grad():
        for parameter in learner_of(method, 56).trainable():
            parameter.add_(0.5)
    assert learner_of(method, 56).key() == before
    assert learner_of(method, 42).key() != before
    other = VisualAD(method.backbone, VisualADConfig(layers=(3, 4)))
    other.head.anomaly_token, other.head.normal_token = method.head.anomaly_token, method.head.normal_token
    assert learner_of(other, 56).key() != before


def test_the_key_of_daclip_is_that_of_its_visual_tower() -> None:
    towers = build_tiny_towers(like="compact")
    first, second = (learner_of(DAClip(towers, DAClipConfig(layers=(2, 4), dar_grid=2)), 56) for _ in range(2))
    assert first.key() == second.key()
    elsewhere = DAClip(build_tiny_towers(like="compact", seed=1), DAClipConfig(layers=(2, 4), dar_grid=2))
    assert learner_of(elsewhere, 56).key() != first.key()


def test_features_found_in_inference_mode_can_be_learned_from() -> None:
    learner = learner_of(visualad(), 56)
    with torch.inference_mode():
        features = learner.features_of(IMAGES)
    torch.stack(list(learner.losses(features, LABELS, MASKS, KNOWN).values())).sum().backward()


def test_methods_with_nothing_to_train_are_refused() -> None:
    with pytest.raises(DataError, match="WinClip has nothing to train; teach VisualAD or DA-CLIP"):
        learner_of(WinClip(build_tiny_towers(like="clip")), 56)


def test_a_size_that_is_no_multiple_of_the_patch_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="must be a multiple of 14, got 57"):
        learner_of(visualad(), 57)
