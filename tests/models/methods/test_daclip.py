import copy
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest
import torch
from torch import Tensor

from models.backbones.towers import build_tiny_towers
from models.methods.base import AnomalyMethod, TextMethod
from models.methods.daclip import DAClip, DAClipConfig, DAClipOutput
from models.training.daclip_losses import daclip_losses
from tests.models.methods.tiny_daclip import LAYERS, Like, images_of, of_patches_alone, strong_model, tiny_model

LIKES: tuple[Like, ...] = ("clip", "compact")


def masks_of(count: int = 2) -> Tensor:
    masks = torch.zeros(count, 56, 56)
    masks[0, 10:30, 20:40] = 1.0
    return masks


def local_loss(output: DAClipOutput) -> Tensor:
    losses = daclip_losses(output, masks_of())
    return torch.stack([loss for name, loss in losses.items() if name != "global"]).sum()


def global_loss(output: DAClipOutput) -> Tensor:
    return daclip_losses(output, masks_of())["global"]


def reached(model: DAClip, loss: Callable[[DAClipOutput], Tensor]) -> set[str]:
    """The names of the head's parameters whose gradient is neither None nor exactly zero."""
    model.zero_grad()
    loss(model(images_of())).backward()
    named = model.head.named_parameters()
    return {name for name, parameter in named if parameter.grad is not None and bool(parameter.grad.any())}


@pytest.mark.parametrize("like", LIKES)
@pytest.mark.parametrize("refine_normal", [False, True])
def test_no_gradient_passes_between_the_branches(like: Like, refine_normal: bool) -> None:
    model = tiny_model(like, refine_normal=refine_normal).train()
    names = {name for name, _ in model.head.named_parameters()}
    of_global = {name for name in names if name.startswith("branches.global.")}

    assert reached(model, global_loss) == of_global
    assert reached(model, local_loss) | of_patches_alone(model) == names - of_global
    projections = {name for name in of_global if name.endswith("_projection.weight")}
    assert len(projections) == (2 if like == "compact" else 0)


@pytest.mark.parametrize("like", LIKES)
def test_a_joint_branch_is_reached_by_both_losses(like: Like) -> None:
    model = tiny_model(like, decoupled=False).train()
    joint = {name for name, _ in model.head.named_parameters() if name.startswith("branches.joint.")}
    of_dar = {name for name, _ in model.head.named_parameters()} - joint

    assert {name.split(".")[0] for name in of_dar} == {"dar", "gate"}
    assert reached(model, global_loss) == joint
    assert reached(model, local_loss) | of_patches_alone(model) == joint | of_dar


@pytest.mark.parametrize("like", LIKES)
def test_training_leaves_the_towers_bit_identical_and_in_evaluation_mode(like: Like) -> None:
    model = tiny_model(like)
    before = copy.deepcopy(model.towers.state_dict())
    head_before = copy.deepcopy(model.head.state_dict())
    optimizer = torch.optim.Adam(model.head.parameters(), lr=1e-3)
    model.train()
    for _ in range(3):
        optimizer.zero_grad()
        output = model(images_of())
        (local_loss(output) + global_loss(output)).backward()
        optimizer.step()

    assert not any(module.training for module in model.towers.modules())
    assert all(module.training for module in model.head.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.towers.state_dict().items())
    same = {name for name, value in model.head.state_dict().items() if torch.equal(value, head_before[name])}
    assert same == of_patches_alone(model)
    assert not any(module.training for module in model.eval().modules())


@pytest.mark.parametrize("like", LIKES)
def test_cached_visual_features_train_as_live_ones_do(like: Like) -> None:
    live, cached = tiny_model(like).train(), tiny_model(like).train()
    features = cached.towers.visual_features(images_of(), LAYERS)
    for model, run in ((live, lambda: live(images_of())), (cached, lambda: cached.from_features(features))):
        optimizer = torch.optim.Adam(model.head.parameters(), lr=1e-3)
        for _ in range(2):
            optimizer.zero_grad()
            output = run()
            (local_loss(output) + global_loss(output)).backward()
            optimizer.step()
    for name, value in live.head.state_dict().items():
        torch.testing.assert_close(cached.head.state_dict()[name], value, rtol=0, atol=1e-5)


@pytest.mark.parametrize("like", LIKES)
def test_the_heads_state_is_everything_that_is_trained_and_nothing_of_the_towers(like: Like) -> None:
    model, other = strong_model(like).eval(), strong_model(like, seed=1).eval()
    images = images_of()
    expected = model.maps(images).branch_maps
    assert not torch.allclose(other.maps(images).branch_maps, expected)
    other.head.load_state_dict(model.head.state_dict(), strict=True)
    torch.testing.assert_close(other.maps(images).branch_maps, expected, rtol=0, atol=1e-6)

    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trained == {f"head.{name}" for name, _ in model.head.named_parameters()}
    pointers = {value.data_ptr() for value in model.head.state_dict().values()}
    assert pointers.isdisjoint(value.data_ptr() for value in model.towers.state_dict().values())


def test_maps_are_static_then_refined_with_the_global_score_beside_them() -> None:
    model = strong_model().eval()
    result = model.maps(images_of())
    with torch.no_grad():
        output = model(images_of())

    assert model.branches == ("static", "refined")
    assert result.branch_maps.shape == (2, 2, 2, 4, 4)
    assert result.branch_maps.dtype == torch.float32
    assert output.refined_maps is not None
    torch.testing.assert_close(result.branch_maps[:, 0], output.static_maps, rtol=0, atol=1e-6)
    torch.testing.assert_close(result.branch_maps[:, 1], output.refined_maps, rtol=0, atol=1e-6)
    assert not torch.allclose(output.refined_maps, output.static_maps)
    assert result.global_scores is not None
    normal, anomalous = output.global_logits.unbind(dim=1)
    torch.testing.assert_close(result.global_scores, (anomalous - normal).sigmoid())


def test_it_is_a_method_that_compares_with_words() -> None:
    model = tiny_model()
    method: AnomalyMethod = model
    assert isinstance(method, TextMethod)
    assert method.backbone is model.towers.visual
    assert method.layers == LAYERS


def test_without_dar_there_are_static_maps_alone() -> None:
    model = tiny_model(dar=False).eval()
    assert model.branches == ("static",)
    assert model.maps(images_of()).branch_maps.shape == (2, 1, 2, 4, 4)
    assert model.from_features(model.towers.visual_features(images_of(), LAYERS)).refined_logits is None
    assert not [name for name in model.head.state_dict() if not name.startswith("branches.")]


def test_a_shut_gate_makes_the_refined_maps_the_static_ones() -> None:
    result = tiny_model(gate_init=0.0).eval().maps(images_of())
    torch.testing.assert_close(result.branch_maps[:, 1], result.branch_maps[:, 0], rtol=0, atol=1e-6)


def test_a_picture_need_not_be_square() -> None:
    images = torch.randn(1, 3, 28, 70)
    assert tiny_model().eval().maps(images).branch_maps.shape == (1, 2, 2, 2, 5)


def test_class_embeddings_have_unit_length_and_differ_between_branches() -> None:
    of_global, of_local = strong_model().eval().text_features()
    lengths = torch.cat([of_global.pair, of_local.pair]).norm(dim=-1)
    torch.testing.assert_close(lengths, torch.ones(4))
    assert not torch.allclose(of_global.pair, of_local.pair)


def test_towers_that_share_no_space_have_no_zero_shot_model() -> None:
    with pytest.raises(ValueError, match="zero-shot needs towers that share a space"):
        DAClip.zero_shot(build_tiny_towers(like="compact"), LAYERS)


def test_projections_begin_as_the_identity_for_pictures_and_orthogonal_for_texts() -> None:
    assert not [name for name in tiny_model("clip").head.state_dict() if "projection" in name]
    state = tiny_model("compact").head.state_dict()
    texts = [state[f"branches.{branch}.text_projection.weight"] for branch in ("global", "local")]
    for text, branch in zip(texts, ("global", "local"), strict=True):
        assert torch.equal(state[f"branches.{branch}.visual_projection.weight"], torch.eye(32))
        assert text.shape == (32, 24)
        torch.testing.assert_close(text.T @ text, torch.eye(24))
    assert not torch.equal(*texts)


def test_adapters_begin_at_the_configs_scale_but_at_1_where_nothing_else_carries_the_text() -> None:
    for residual, expected in ((True, 0.25), (False, 1.0)):
        head = tiny_model(residual=residual, scale_init=0.25).head
        assert [branch.adapter.scale.item() for branch in (head.global_branch, head.local_branch)] == [expected] * 2


def test_a_config_is_a_key_and_survives_as_a_dict() -> None:
    config = DAClipConfig(layers=(6, 12, 18, 24), adapter="simple", adapter_layers=(1, 2))
    assert {config: 1}[DAClipConfig(**asdict(config))] == 1


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"layers": ()}, "layers must be one or more, ascending"),
        ({"layers": (4, 2)}, "layers must be one or more, ascending"),
        ({"layers": (2, 2)}, "layers must be one or more, ascending"),
        ({"layers": (1,), "adapter": "other"}, "adapter must be one of"),
        ({"layers": (1,), "temperature": 0.0}, "temperature must be above 0, got 0.0"),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(options: dict[str, Any], found: str) -> None:
    with pytest.raises(ValueError, match=found):
        DAClipConfig(**options)
