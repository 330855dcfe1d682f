import pytest
import torch
import torch.nn.functional as F
from timm.models.vision_transformer import VisionTransformer

from models.backbones import Backbone
from models.backbones.vit import build_tiny_backbone


def images(side_px: int) -> torch.Tensor:
    return torch.randn(2, 3, side_px, side_px, generator=torch.Generator().manual_seed(1))


def test_without_extra_tokens_it_computes_what_timm_computes() -> None:
    backbone = build_tiny_backbone(depth=3)
    features = backbone(images(56), layers=(3,))
    expected = backbone.vit.forward_features(images(56))
    assert torch.equal(backbone.final_norm(features.patch_tokens[3]), expected[:, 1:])


def test_layer_l_is_the_output_of_block_l() -> None:
    backbone = build_tiny_backbone(depth=3)
    sequence = backbone.embed(images(56), None)
    sequence = backbone.vit.blocks[1](backbone.vit.blocks[0](sequence))
    features = backbone(images(56), layers=(2,))
    assert torch.equal(features.patch_tokens[2], sequence[:, 1:])


def test_extra_tokens_stand_before_the_class_token_and_change_the_patches() -> None:
    backbone = build_tiny_backbone()
    tokens = torch.randn(2, backbone.width, generator=torch.Generator().manual_seed(2))
    sequence = backbone.embed(images(56), tokens)
    assert sequence.shape == (2, 2 + 1 + 16, backbone.width)
    assert torch.equal(sequence[0, :2], tokens)
    with_tokens = backbone(images(56), (4,), tokens).patch_tokens[4]
    without = backbone(images(56), (4,)).patch_tokens[4]
    assert not torch.allclose(with_tokens, without)


def test_bilinear_positions_equal_torchs_interpolation_of_the_table() -> None:
    backbone = build_tiny_backbone(image_px=56)  # a grid of 4 x 4
    clip_like = Backbone(backbone.vit, "bilinear")
    table = backbone.position_table[0, 1:].reshape(4, 4, -1).permute(2, 0, 1)
    expected = F.interpolate(table[None], size=(6, 8), mode="bilinear", align_corners=False)[0]
    assert torch.allclose(clip_like.patch_positions((6, 8))[0], expected.permute(1, 2, 0).reshape(48, -1))


def test_any_grid_equals_timms_own_dynamic_size() -> None:
    backbone = build_tiny_backbone(image_px=56)
    dynamic = VisionTransformer(
        img_size=56, patch_size=14, embed_dim=32, depth=4, num_heads=4, init_values=1.0, num_classes=0,
        dynamic_img_size=True,
    ).eval()  # fmt: skip
    dynamic.load_state_dict(backbone.vit.state_dict())
    ours = backbone.final_norm(backbone(images(98), (4,)).patch_tokens[4])
    assert torch.allclose(ours, dynamic.forward_features(images(98))[:, 1:], atol=1e-5)


@pytest.mark.parametrize(("side_px", "layers"), [(50, (1,)), (56, (9,)), (56, ())])
def test_a_wrong_size_or_layer_is_refused(side_px: int, layers: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"multiples of 14|layers must lie in 1\.\.4"):
        build_tiny_backbone()(images(side_px), layers)
