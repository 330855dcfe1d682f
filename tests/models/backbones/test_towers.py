from typing import Any, Literal

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from models.backbones.text import build_tiny_clip_text
from models.backbones.towers import Towers, build_tiny_towers
from models.backbones.vit import Backbone, build_tiny_backbone


def images(height: int = 56, width: int = 56) -> Tensor:
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(1))


def plain_vv_stream(backbone: Backbone, pictures: Tensor, first_block: int, layer: int) -> Tensor:
    """The V-V stream behind a layer, position by position: (B, N, d)."""
    ordinary = backbone.embed(pictures, None)
    blocks: list[Any] = list(backbone.vit.blocks)
    for block in blocks[: first_block - 1]:
        ordinary = block(ordinary)
    stream = ordinary.clone()
    for block in blocks[first_block - 1 : layer]:
        attention = block.attn
        width = backbone.width
        size = width // attention.num_heads
        values = block.norm1(ordinary) @ attention.qkv.weight[-width:].T
        values = values if attention.qkv.bias is None else values + attention.qkv.bias[-width:]
        mixed = torch.zeros_like(values)
        for b in range(len(pictures)):
            for head in range(attention.num_heads):
                v = values[b, :, head * size : (head + 1) * size]
                for position in range(len(v)):
                    likeness = torch.stack([(v[position] * other).sum() / size**0.5 for other in v])
                    weights = likeness.exp() / likeness.exp().sum()
                    mixed[b, position, head * size : (head + 1) * size] = sum(
                        weight * other for weight, other in zip(weights, v, strict=True)
                    )
        added = mixed @ attention.proj.weight.T + attention.proj.bias
        gamma = getattr(block.ls1, "gamma", torch.ones(()))
        stream = stream + added * gamma
        ordinary = block(ordinary)
    return stream[:, 1:]


@pytest.mark.parametrize("like", ["clip", "dinov2"])
def test_the_vv_stream_equals_a_plain_loop(like: Literal["clip", "dinov2"]) -> None:
    backbone = build_tiny_backbone(like=like, width=32, depth=3)
    generator = torch.Generator().manual_seed(2)
    for name, parameter in backbone.named_parameters():  # sizes at which a wrong step shows; LayerScale is not 1
        if name.endswith(("qkv.weight", "qkv.bias", "proj.bias", "gamma")):
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.4)
    projection = torch.randn(32, 32, generator=generator)
    towers = Towers(backbone, build_tiny_clip_text(), projection, vv_blocks=2)

    features = towers.visual_features(images(28, 42), (1, 2, 3)).local_features

    streams = [plain_vv_stream(backbone, images(28, 42), 2, layer) for layer in (2, 3)]
    for place, stream in enumerate(streams, start=1):
        assert torch.allclose(features[:, place], backbone.final_norm(stream) @ projection, atol=1e-5)
    ordinary = backbone(images(28, 42), (1, 3))
    assert torch.allclose(features[:, 0], backbone.final_norm(ordinary.patch_tokens[1]) @ projection, atol=1e-6)
    assert (features[:, 2] - backbone.final_norm(ordinary.patch_tokens[3]) @ projection).abs().max() > 0.1


def test_the_vv_stream_leaves_the_global_feature_alone() -> None:
    on = build_tiny_towers()
    off = Towers(on.visual, on.text, on.visual_projection, vv_blocks=0)
    assert on.vv_blocks == 2
    expected = on.visual.final_norm(on.visual(images(), (4,)).class_token) @ on.visual_projection
    for towers in (on, off):
        assert torch.equal(towers.visual_features(images(), (2, 4)).global_feature, expected)


def test_without_the_vv_stream_local_features_are_the_backbones_own_in_the_order_asked_for() -> None:
    pair = build_tiny_towers()
    towers = Towers(pair.visual, pair.text, pair.visual_projection)
    features = towers.visual_features(images(56, 84), (4, 1))
    kept = pair.visual(images(56, 84), (1, 4)).patch_tokens
    assert features.grid_hw == (4, 6)
    assert features.local_features.shape == (2, 2, 24, 32)
    for place, layer in enumerate((4, 1)):
        expected = F.linear(pair.visual.final_norm(kept[layer]), pair.visual_projection.T)  # type: ignore[union-attr]
        assert torch.allclose(features.local_features[:, place], expected, atol=1e-6)


def test_the_compact_pair_gives_normed_tokens_and_shares_no_space() -> None:
    towers = build_tiny_towers(like="compact")
    features = towers.visual_features(images(), (2, 4))
    expected = towers.visual.vit.forward_features(images())  # timm's own, the final LayerNorm included
    assert (towers.shares_space, towers.visual_dim, towers.text.embed_dim) == (False, 32, 24)
    assert torch.allclose(features.global_feature, expected[:, 0], atol=1e-6)
    assert torch.allclose(features.local_features[:, 1], expected[:, 1:], atol=1e-6)


def test_the_clip_pair_shares_a_space() -> None:
    towers = build_tiny_towers(like="clip")
    assert (towers.shares_space, towers.visual_dim, towers.text.embed_dim) == (True, 32, 32)


@pytest.mark.parametrize("like", ["clip", "compact"])
def test_a_pairs_seed_fixes_its_weights(like: Literal["clip", "compact"]) -> None:
    first, same, other = (build_tiny_towers(like=like, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad, torch.enable_grad])
def test_features_are_constants_that_a_later_training_step_may_use(mode: type[torch.inference_mode]) -> None:
    towers = build_tiny_towers()
    with mode():
        features = towers.visual_features(images(), (2, 4))
    weight = torch.ones(32, requires_grad=True)
    ((features.local_features * weight).sum() + (features.global_feature * weight).sum()).backward()
    assert not features.local_features.requires_grad
    assert weight.grad is not None
    expected = features.local_features.sum(dim=(0, 1, 2)) + features.global_feature.sum(dim=0)
    assert torch.allclose(weight.grad, expected, atol=1e-4)


def test_a_pair_is_frozen_and_stays_in_evaluation_mode() -> None:
    backbone = build_tiny_backbone(like="clip", width=64)
    backbone.requires_grad_(True).train()
    towers = Towers(backbone, build_tiny_clip_text(), torch.ones(64, 32))
    torch.nn.Sequential(towers).train()
    assert not any(module.training for module in towers.modules())
    assert not any(parameter.requires_grad for parameter in towers.parameters())


@pytest.mark.parametrize(("side_px", "layers"), [(50, (1,)), (56, (9,)), (56, (0, 1)), (56, ())])
def test_a_wrong_size_or_layer_is_refused(side_px: int, layers: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"multiples of 14, got 50 x 50|layers must lie in 1\.\.4"):
        build_tiny_towers().visual_features(images(side_px, side_px), layers)


def test_parts_that_do_not_fit_are_refused() -> None:
    pair = build_tiny_towers()
    with pytest.raises(ValueError, match=r"shape \(64, 32\), got \(32, 64\)"):
        Towers(pair.visual, pair.text, torch.ones(32, 64))
    with pytest.raises(ValueError, match=r"vv_blocks must lie in 0\.\.4, got 5"):
        Towers(pair.visual, pair.text, None, vv_blocks=5)
