"""The whole of VisualAD, backbone and losses included, against loops that share no code with it; and its gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from models import scoring
from models.backbones.vit import build_tiny_backbone
from models.methods.saf import SAF_VARIANTS, SafVariant, SelfAlignment
from models.methods.sca import SpatialAwareCrossAttention
from models.methods.visualad import VisualAD, VisualADConfig, VisualADHead, VisualADOutput
from models.training.losses import LOSS_NAMES, visualad_losses
from tests.models.methods import plain_visualad as plain

Like = Literal["clip", "dinov2"]
DEPTH, LAYERS = 3, (1, 3)


def random_model(like: Like, width: int = 16) -> VisualAD:
    """Every parameter is random: ones and zeros would hide a missing LayerScale, bias or norm."""
    backbone = build_tiny_backbone(like=like, width=width, depth=DEPTH, image_px=42)
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in backbone.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
        model = VisualAD(backbone, VisualADConfig(layers=LAYERS, anchors=2)).eval()
        for parameter in model.head.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return model


def plain_forward(model: VisualAD, like: Like, images: Tensor) -> list[plain.Plain]:
    vit = {name: value.double() for name, value in model.backbone.vit.state_dict().items()}
    head = {name: value.detach().double() for name, value in model.head.state_dict().items()}
    return [plain.forward(vit, head, plain.KINDS[like], LAYERS, DEPTH, image.double()) for image in images]


def assert_equal(model: VisualAD, images: Tensor, masks: Tensor, expected: list[plain.Plain], within: float) -> None:
    size_hw = (images.shape[2], images.shape[3])
    with torch.no_grad():
        output = model(images)
        fused = scoring.anomaly_map(
            output.layer_maps, LAYERS, LAYERS, input_size_hw=size_hw, blur_sigma=2.0, output_size_hw=size_hw
        )
        scores = scoring.top_fraction_mean(fused, 0.05)
        losses = visualad_losses(output, masks)
    for index, one in enumerate(expected):
        smoothed = plain.anomaly_map(one.layer_maps, size_hw, 2.0)
        for ours, theirs in (
            (output.layer_maps[index], torch.stack(one.layer_maps)),
            (output.anomaly_token[index], one.anomalous),
            (output.normal_token[index], one.normal),
            (fused[index], smoothed),
        ):
            torch.testing.assert_close(ours.double(), theirs, atol=within, rtol=within)
        assert float(scores[index]) == pytest.approx(plain.image_score(smoothed, 0.05), abs=within)
    by_hand = plain.losses(expected, masks)
    for name in LOSS_NAMES:
        assert float(getattr(losses, name)) == pytest.approx(by_hand[name], abs=within), name


@pytest.mark.parametrize("like", ["clip", "dinov2"])
@pytest.mark.parametrize("size_hw", [(42, 42), (28, 56)])  # the second has positions resized down and across
def test_maps_tokens_score_and_losses_equal_the_plain_reference(like: Like, size_hw: tuple[int, int]) -> None:
    model = random_model(like)
    images = torch.randn(2, 3, *size_hw)
    masks = torch.zeros(2, *size_hw)
    masks[0, 5:20, 8:30] = 1.0

    expected = plain_forward(model, like, images)

    assert min(float(layer_map.std()) for one in expected for layer_map in one.layer_maps) > 0.01  # it is of something
    assert_equal(model, images, masks, expected, within=1e-5)
    # timm resizes positions in float32, whatever they are: 1e-12 would hold but for that.
    assert_equal(model.double(), images.double(), masks, expected, within=1e-6)


def numbers(*shape: int, seed: int = 0) -> Tensor:
    values = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return values.requires_grad_()


def gradients_agree(function: Callable[..., Tensor], *inputs: Tensor) -> bool:
    agree: bool = torch.autograd.gradcheck(function, inputs, eps=1e-6, atol=1e-6, rtol=1e-4)
    return agree


def random_parameters(module: nn.Module, leave_out: tuple[str, ...] = ()) -> tuple[list[str], list[Tensor]]:
    named = [(name, value) for name, value in module.named_parameters() if not name.endswith(leave_out or ("?",))]
    return [name for name, _ in named], [numbers(*value.shape, seed=at) for at, (_, value) in enumerate(named)]


class WholeSca(SpatialAwareCrossAttention):
    """Both halves of SCA in one call."""

    def forward(self, token: Tensor, gathered: Tensor) -> Tensor:
        return super().forward(token, self.gather(gathered))


def test_gradients_of_sca_are_those_of_finite_differences() -> None:
    sca = WholeSca(4, anchors=2, dropout=0.0).double()
    names, values = random_parameters(sca, ("pos_encoding",))

    def refined(token: Tensor, patches: Tensor, used_rows: Tensor, *parameters: Tensor) -> Tensor:
        table = torch.cat([used_rows, sca.pos_encoding[0, len(used_rows) :].detach()])[None]
        given = dict(zip(names, parameters, strict=True)) | {"pos_encoding": table}
        return functional_call(sca, given, (token, patches))  # type: ignore[no-any-return]

    inputs = (numbers(2, 4, seed=90), numbers(2, 5, 4, seed=91), numbers(5, 4, seed=92))
    assert gradients_agree(refined, *inputs, *values)


@pytest.mark.parametrize("variant", [variant for variant in SAF_VARIANTS if variant != "none"])
def test_gradients_of_saf_are_those_of_finite_differences(variant: SafVariant) -> None:
    saf = SelfAlignment(4, variant, dropout=0.0).double()
    names, values = random_parameters(saf)

    def alignment(patches: Tensor, *parameters: Tensor) -> Tensor:
        return functional_call(saf, dict(zip(names, parameters, strict=True)), (patches,))  # type: ignore[no-any-return]

    assert gradients_agree(alignment, numbers(2, 3, 4, seed=93), *values)


def test_gradients_of_a_layers_map_are_those_of_finite_differences() -> None:
    head = VisualADHead(4, VisualADConfig(layers=(2,), anchors=2, dropout=0.0)).double()

    def maps(patches: Tensor, tokens: Tensor) -> Tensor:
        return head.layer_map(2, patches, tokens)[0]

    assert gradients_agree(maps, numbers(2, 5, 4, seed=1), numbers(2, 2, 4, seed=2))


@pytest.mark.parametrize("like", ["clip", "dinov2"])
def test_gradients_of_the_tokens_through_the_frozen_backbone_are_those_of_finite_differences(like: Like) -> None:
    model = random_model(like, width=8).double()
    images = numbers(1, 3, 42, 28, seed=3).detach()

    def maps(anomaly_token: Tensor, normal_token: Tensor, norm_weight: Tensor) -> Tensor:
        given = {"head.anomaly_token": anomaly_token, "head.normal_token": normal_token}
        return functional_call(model, given | {"head.final_norm.weight": norm_weight}, (images,)).layer_maps  # type: ignore[no-any-return]

    assert gradients_agree(maps, numbers(8, seed=4), numbers(8, seed=5), numbers(8, seed=6))


@pytest.mark.parametrize("name", [*LOSS_NAMES, "total"])
def test_gradients_of_each_loss_are_those_of_finite_differences(name: str) -> None:
    masks = torch.zeros(2, 6, 6)
    masks[0, 1:4, 2:5] = 1.0

    def loss(layer_maps: Tensor, anomaly_token: Tensor, normal_token: Tensor) -> Tensor:
        one: Tensor = getattr(visualad_losses(VisualADOutput(layer_maps, anomaly_token, normal_token), masks), name)
        return one

    assert gradients_agree(loss, numbers(2, 2, 3, 3, seed=7), numbers(2, 4, seed=8), numbers(2, 4, seed=9))
