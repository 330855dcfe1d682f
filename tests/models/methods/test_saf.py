"""Each form of SAF against its equation, written plainly, and its size."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from models.backbones.vit import build_tiny_backbone
from models.methods.saf import SAF_VARIANTS, SafVariant, SelfAlignment
from models.methods.visualad import VisualAD, VisualADConfig


def gelu(value: float) -> float:
    return value * 0.5 * (1.0 + math.erf(value / math.sqrt(2.0)))


def leaky(value: float) -> float:
    return value if value > 0 else 0.01 * value


def affine(state: dict[str, Tensor], name: str, vector: list[float]) -> list[float]:
    weight, bias = state[f"mlp.{name}.weight"].tolist(), state[f"mlp.{name}.bias"].tolist()
    return [sum(w * v for w, v in zip(row, vector, strict=True)) + b for row, b in zip(weight, bias, strict=True)]


def plain(variant: SafVariant, state: dict[str, Tensor], patch: list[float]) -> list[float]:
    if variant == "none":
        return patch
    hidden = affine(state, "0", patch)
    if variant == "linear":
        return hidden
    activation = leaky if variant == "leaky_relu" else gelu
    aligned = affine(state, "3", [activation(value) for value in hidden])
    return [p + a for p, a in zip(patch, aligned, strict=True)] if variant == "mlp_residual" else aligned


@pytest.mark.parametrize("variant", SAF_VARIANTS)
def test_a_variant_computes_its_equation(variant: SafVariant) -> None:
    torch.manual_seed(3)
    alignment = SelfAlignment(8, variant).double().eval()
    for parameter in alignment.parameters():
        torch.nn.init.normal_(parameter)  # zero biases would hide a missing one
    patches = torch.randn(1, 5, 8, dtype=torch.float64)

    aligned = alignment(patches)

    expected = [plain(variant, alignment.state_dict(), patch) for patch in patches[0].tolist()]
    assert torch.allclose(aligned[0], torch.tensor(expected, dtype=torch.float64), atol=1e-12)


@pytest.mark.parametrize(
    ("variant", "parameters"),
    [
        ("none", 0),
        ("linear", 8 * 8 + 8),
        ("mlp", 2 * (8 * 8 + 8)),
        ("mlp_residual", 2 * (8 * 8 + 8)),
        ("adapter", (8 * 2 + 2) + (2 * 8 + 8)),
        ("leaky_relu", 2 * (8 * 8 + 8)),
    ],
)
def test_a_variant_has_the_size_that_its_equation_gives(variant: SafVariant, parameters: int) -> None:
    assert sum(parameter.numel() for parameter in SelfAlignment(8, variant).parameters()) == parameters


def test_an_unknown_variant_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no SAF 'mlpp'; choose one of none, linear, mlp"):
        SelfAlignment(8, "mlpp")  # type: ignore[arg-type]  # that is the point


def test_without_sca_and_saf_a_map_is_the_difference_of_two_cosines_of_the_backbones_own_tokens() -> None:
    torch.manual_seed(0)
    model = VisualAD(build_tiny_backbone(), VisualADConfig(layers=(2,), sca=False, saf="none")).eval()
    images = torch.randn(1, 3, 28, 28)

    (layer_map,) = model.layer_maps(images)[0]

    tokens = torch.stack([model.head.anomaly_token, model.head.normal_token]) + model.backbone.class_position
    features = model.backbone(images, (2,), tokens)
    anomalous, normal = model.head.final_norm(features.extra_tokens)[0].detach()
    for index, patch in enumerate(model.head.final_norm(features.patch_tokens[2])[0].detach()):
        towards = patch @ anomalous / (patch.norm() * anomalous.norm())
        away = patch @ normal / (patch.norm() * normal.norm())
        assert float(layer_map.flatten()[index]) == pytest.approx(float(towards - away), abs=1e-5)
    # Two tokens and one LayerNorm of width 32 are all that is left to train.
    assert sum(parameter.numel() for parameter in model.head.parameters()) == 4 * 32
