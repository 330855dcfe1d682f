import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import functional_call

from models.backbones.towers import VisualFeatures, build_tiny_towers
from models.methods.daclip import DAClip, DAClipConfig, DAClipOutput
from models.training.daclip_losses import daclip_losses
from tests.models.methods.tiny_daclip import of_patches_alone

LOG_2 = math.log(2.0)


def logits_of(probabilities: list[list[list[float]]]) -> Tensor:
    """One image's (L, gh, gw) probabilities of anomalous as logits (1, L, gh, gw, 2)."""
    anomalous = torch.tensor([probabilities], dtype=torch.float64)
    return torch.stack([(1 - anomalous).log() + 3.0, anomalous.log() + 3.0], dim=-1)  # softmax does not see the 3


def output_of(static: Tensor, refined: Tensor | None = None, global_logits: Tensor | None = None) -> DAClipOutput:
    return DAClipOutput(
        static_maps=static.softmax(-1)[..., 1],
        refined_maps=None if refined is None else refined.softmax(-1)[..., 1],
        static_logits=static,
        refined_logits=refined,
        global_logits=torch.zeros(static.shape[0], 2) if global_logits is None else global_logits,
    )


def test_map_losses_of_one_2x2_map_by_hand() -> None:
    output = output_of(logits_of([[[0.8, 0.5], [0.1, 0.2]]]))
    losses = daclip_losses(output, torch.tensor([[[1, 0], [0, 0]]]))

    # (1 - p_t)^2 * -ln p_t with p_t = 0.8, 0.5, 0.9, 0.8
    focal = (0.04 * -math.log(0.8) + 0.25 * LOG_2 + 0.01 * -math.log(0.9) + 0.04 * -math.log(0.8)) / 4
    anomalous = 1 - (2 * 0.8 + 1) / (1.6 + 1 + 1)
    normal = 1 - (2 * (0.5 + 0.9 + 0.8) + 1) / (2.4 + 3 + 1)
    assert float(losses["focal"]) == pytest.approx(focal, rel=1e-6)
    assert float(losses["dice"]) == pytest.approx(anomalous + normal, rel=1e-6)
    assert list(losses) == ["global", "focal", "dice"]


def test_losses_of_maps_are_means_over_layers_and_over_images() -> None:
    first = logits_of([[[0.8, 0.5], [0.1, 0.2]], [[0.5, 0.5], [0.5, 0.5]]])
    second = logits_of([[[0.5, 0.5], [0.5, 0.5]], [[0.5, 0.5], [0.5, 0.5]]])
    masks = torch.zeros(2, 2, 2)
    masks[0, 0, 0] = 1.0
    losses = daclip_losses(output_of(torch.cat([first, second])), masks)

    sharp_focal = (2 * 0.04 * -math.log(0.8) + 0.25 * LOG_2 + 0.01 * -math.log(0.9)) / 4
    sharp_dice = (1 - 2.6 / 3.6) + (1 - 5.4 / 6.4)
    blunt_dice = (1 - 2 / 4) + (1 - 4 / 6)  # undecided everywhere, one pixel of four is anomalous
    clean_dice = (1 - 1 / 3) + (1 - 5 / 7)  # undecided everywhere, no pixel is
    assert float(losses["focal"]) == pytest.approx((sharp_focal + 3 * 0.25 * LOG_2) / 4, rel=1e-6)
    assert float(losses["dice"]) == pytest.approx((sharp_dice + blunt_dice + 2 * clean_dice) / 4, rel=1e-6)


def test_probabilities_not_logits_are_upsampled_to_the_masks_size() -> None:
    losses = daclip_losses(output_of(logits_of([[[0.2, 0.8]]])), torch.tensor([[[0, 0, 1, 1]]]))
    # bilinear, between the centres of the two patches: 0.2, 0.35, 0.65, 0.8
    focal = 2 * (0.04 * -math.log(0.8) + 0.35**2 * -math.log(0.65)) / 4
    assert float(losses["focal"]) == pytest.approx(focal, rel=1e-6)
    assert float(losses["dice"]) == pytest.approx(2 * (1 - (2 * 1.45 + 1) / (2 + 2 + 1)), rel=1e-6)


def test_the_refined_maps_losses_are_worked_out_likewise_and_apart() -> None:
    static, refined = logits_of([[[0.5, 0.5]]]), logits_of([[[0.9, 0.1]]])
    masks = torch.tensor([[[1, 0]]])
    losses = daclip_losses(output_of(static, refined), masks)
    swapped = daclip_losses(output_of(refined, static), masks)

    assert float(losses["focal"]) == pytest.approx(0.25 * LOG_2)
    assert float(losses["refined_focal"]) == pytest.approx(0.01 * -math.log(0.9))
    assert float(losses["dice"]) == pytest.approx(2 * (1 - 2 / 3))
    assert float(losses["refined_dice"]) == pytest.approx(2 * (1 - 2.8 / 3))
    assert [float(swapped[name]) for name in ("focal", "dice")] == [
        float(losses[name]) for name in ("refined_focal", "refined_dice")
    ]


def test_the_global_loss_is_the_cross_entropy_of_whether_any_pixel_is_anomalous() -> None:
    masks = torch.zeros(2, 2, 2, dtype=torch.bool)
    masks[1, 1, 0] = True
    logits = torch.tensor([[2.0, 1.0], [0.5, 0.0]])
    losses = daclip_losses(output_of(torch.zeros(2, 1, 2, 2, 2), global_logits=logits), masks)
    expected = (math.log(1 + math.exp(-1.0)) + math.log(1 + math.exp(0.5))) / 2
    assert float(losses["global"]) == pytest.approx(expected, rel=1e-6)


def test_a_pixel_that_is_surely_wrong_keeps_its_gradient() -> None:
    # -28 is as far as cosines over a temperature of 0.07 reach; in float32 1 - p is then exactly 1.
    for wrong, mask in ((-28.0, 1.0), (28.0, 0.0)):
        static = torch.tensor([0.0, wrong]).expand(1, 1, 2, 2, 2).clone().requires_grad_()
        losses = daclip_losses(output_of(static), torch.full((1, 2, 2), mask))
        losses["focal"].backward()
        assert static.grad is not None
        assert losses["focal"].item() == pytest.approx(28.0, rel=1e-5)
        assert float(static.grad[..., 1].abs().sum()) == pytest.approx(1.0, rel=1e-4)


@pytest.mark.parametrize("like", ["clip", "compact"])
def test_gradients_through_the_whole_model_equal_finite_differences(like: Any) -> None:
    torch.manual_seed(3)
    config = DAClipConfig(
        layers=(1, 3), adapter_tokens=2, dar_grid=2, dar_state=2, refine_normal=True, scale_init=0.5, gate_init=0.5
    )
    model = DAClip(build_tiny_towers(like=like), config).double()
    model.set_prompts(replace(model.prompts, templates=("{}",), normal=("{}",), anomalous=("{} hurt", "odd {}")))
    dim = model.towers.visual_dim
    features = VisualFeatures(torch.randn(2, dim).double(), torch.randn(2, 2, 9, dim).double(), (3, 3))
    masks = torch.zeros(2, 6, 6)
    masks[0, 2:5, 1:3] = 1.0
    unused = of_patches_alone(model)
    named = {name: value for name, value in model.head.named_parameters() if name not in unused}
    names, start = list(named), [value.detach().clone() for value in named.values()]
    directions = [torch.randn_like(values) / values.numel() ** 0.5 for values in start]

    def loss_at(*steps: Tensor) -> Tensor:
        moved = {
            f"head.{name}": values + step * direction
            for name, values, step, direction in zip(names, start, steps, directions, strict=True)
        }
        output = functional_call(_FromFeatures(model), {f"model.{k}": v for k, v in moved.items()}, (features,))
        return torch.stack(list(daclip_losses(output, masks).values())).sum()

    steps = tuple(torch.zeros((), dtype=torch.float64, requires_grad=True) for _ in names)
    assert all(float(gradient.abs()) > 0 for gradient in torch.autograd.grad(loss_at(*steps), steps))
    assert torch.autograd.gradcheck(loss_at, steps, eps=1e-6, atol=1e-7, rtol=1e-4)


class _FromFeatures(torch.nn.Module):
    """`from_features` as a forward, which is what functional_call calls."""

    def __init__(self, model: DAClip) -> None:
        super().__init__()
        self.model = model

    def forward(self, features: VisualFeatures) -> DAClipOutput:
        return self.model.from_features(features)
