"""VisualAD against plain arithmetic written from the paper's equations, and its size."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from models.backbones.vit import build_tiny_backbone
from models.methods.sca import SpatialAwareCrossAttention, resize_position_table
from models.methods.visualad import VisualAD, VisualADConfig, VisualADHead


@pytest.mark.parametrize(("width", "expected"), [(1024, 31_522_836), (768, 18_923_540), (384, 5_922_836)])
def test_the_head_has_exactly_the_papers_number_of_parameters(width: int, expected: int) -> None:
    with torch.device("meta"):
        head = VisualADHead(width, VisualADConfig(layers=(6, 12, 18, 24)))
    assert sum(parameter.numel() for parameter in head.parameters()) == expected


def plain_cosine(left: Tensor, right: Tensor) -> float:
    return float((left * right).sum() / (left.norm() * right.norm()))


def plain_refined(sca: SpatialAwareCrossAttention, token: Tensor, patches: Tensor) -> Tensor:
    """SCA in loops: (d,) and (N, d) to (d,)."""
    width = len(token)
    gate_weights, gate_biases = sca.gate.state_dict().values()
    mix = torch.zeros(width)
    for anchor in range(len(sca.anchor_queries)):
        query = sca.q_norm(sca.q_proj.weight @ sca.anchor_queries[anchor])
        logits = []
        for index, patch in enumerate(patches):
            key = sca.k_norm(sca.k_proj.weight @ (patch + sca.pos_encoding[0, index]))
            logits.append(float(query @ key) / math.sqrt(width))
        attention = torch.tensor(logits).softmax(0)
        value = sum((a * (sca.v_proj.weight @ p) for a, p in zip(attention, patches, strict=True)), torch.zeros(width))
        gate = torch.sigmoid(gate_weights[anchor] @ token + gate_biases[anchor])
        mix = mix + gate * value
    return token + sca.res_scale * (sca.out_proj.weight @ mix + sca.out_proj.bias)


def test_layer_maps_equal_a_plain_reference_in_loops() -> None:
    torch.manual_seed(0)
    model = VisualAD(build_tiny_backbone(), VisualADConfig(layers=(2, 4), anchors=3)).eval()
    for sca in model.head.cross_attention.values():
        assert isinstance(sca, SpatialAwareCrossAttention)
        torch.nn.init.constant_(sca.res_scale, 0.7)  # 0.01 would hide a wrong SCA
    images = torch.randn(1, 3, 42, 56)

    with torch.no_grad():
        maps = model(images).layer_maps
        tokens = torch.stack([model.head.anomaly_token, model.head.normal_token]) + model.backbone.position_table[0, 0]
        features = model.backbone(images, (2, 4), tokens)
        norm = model.head.final_norm
        anomalous, normal = norm(features.extra_tokens)[0]
        for position, layer in enumerate((2, 4)):
            patches = norm(features.patch_tokens[layer])[0]
            sca = model.head.cross_attention[f"layer_{layer}"]
            assert isinstance(sca, SpatialAwareCrossAttention)
            mlp = model.head.self_alignment[f"layer_{layer}"].state_dict()
            towards = plain_refined(sca, anomalous, patches)
            away = plain_refined(sca, normal, patches)
            for index, patch in enumerate(patches):
                hidden = mlp["mlp.0.weight"] @ patch + mlp["mlp.0.bias"]
                hidden = hidden * 0.5 * (1 + torch.erf(hidden / math.sqrt(2)))
                aligned = mlp["mlp.3.weight"] @ hidden + mlp["mlp.3.bias"]
                expected = plain_cosine(aligned, towards) - plain_cosine(aligned, away)
                assert float(maps[0, position].flatten()[index]) == pytest.approx(expected, abs=1e-5)


def test_maps_stand_on_the_patch_grid_and_stay_in_their_range() -> None:
    model = VisualAD(build_tiny_backbone(), VisualADConfig(layers=(1, 3))).eval()
    maps = model.layer_maps(torch.randn(2, 3, 42, 70))
    assert maps.shape == (2, 2, 3, 5)
    assert maps.abs().max() <= 2.0


def test_the_final_norm_starts_as_the_backbones() -> None:
    backbone = build_tiny_backbone()
    torch.nn.init.normal_(backbone.final_norm.weight)
    model = VisualAD(backbone, VisualADConfig(layers=(4,)))
    assert torch.equal(model.head.final_norm.weight, backbone.final_norm.weight)
    assert model.head.final_norm.weight is not backbone.final_norm.weight


def test_train_positions_starts_from_the_class_tokens_position_and_gives_the_same_maps() -> None:
    torch.manual_seed(0)
    fixed = VisualAD(build_tiny_backbone(), VisualADConfig(layers=(4,))).eval()
    torch.manual_seed(0)
    trained = VisualAD(build_tiny_backbone(), VisualADConfig(layers=(4,), train_positions=True)).eval()
    images = torch.randn(1, 3, 56, 56)
    assert torch.equal(fixed.layer_maps(images), trained.layer_maps(images))
    assert "token_positions" in dict(trained.head.named_parameters())


def test_more_patches_than_position_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 1536 patches"):
        SpatialAwareCrossAttention(8).gather(torch.zeros(1, 1537, 8))


def test_a_position_table_keeps_its_values_where_the_grid_grows() -> None:
    table = torch.zeros(1, 20, 1)
    table[0, :4, 0] = torch.tensor([0.0, 4.0, 0.0, 4.0])  # 2 x 2, rising to the right
    resize_position_table(table, 2, 4)
    assert table[0, :16, 0].reshape(4, 4).tolist() == [[0.0, 1.0, 3.0, 4.0]] * 4
    assert table[0, 16:].abs().sum() == 0


def test_at_another_size_only_the_position_tables_change_and_the_backbone_is_shared() -> None:
    torch.manual_seed(0)
    model = VisualAD(build_tiny_backbone(), VisualADConfig(layers=(2, 4))).eval()
    before = {name: value.clone() for name, value in model.head.state_dict().items()}
    larger = model.at_size(56, 84)

    assert larger.backbone is model.backbone
    assert not larger.training
    changed = {name for name, value in larger.head.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {f"cross_attention.layer_{layer}.pos_encoding" for layer in (2, 4)}
    assert all(torch.equal(value, before[name]) for name, value in model.head.state_dict().items())


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"layers": ()}, r"strictly ascending and counted from 1, got \(\)"),
        ({"layers": (0, 2)}, r"got \(0, 2\)"),
        ({"layers": (2, 2)}, r"got \(2, 2\)"),
        ({"layers": (4, 2)}, r"got \(4, 2\)"),
        ({"layers": (2,), "anchors": 0}, "anchors must be 1 or more, got 0"),
        ({"layers": (2,), "dropout": 1.0}, r"dropout must be in \[0, 1\), got 1.0"),
        ({"layers": (2,), "dropout": -0.1}, r"dropout must be in \[0, 1\), got -0.1"),
        ({"layers": (2,), "dropout": math.nan}, r"dropout must be in \[0, 1\), got nan"),
    ],
)
def test_a_configuration_without_sense_is_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        VisualADConfig(**settings)


def test_the_edges_of_a_configuration_are_allowed() -> None:
    config = VisualADConfig(layers=(1,), anchors=1, dropout=0.0)

    assert (config.layers, config.anchors, config.dropout) == ((1,), 1, 0.0)
