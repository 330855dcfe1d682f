import math

import pytest
import torch

from models.methods.visualad import VisualADOutput
from models.training.losses import contrastive_loss, dice_loss, focal_loss, visualad_losses

LOG_2 = math.log(2.0)


def test_focal_loss_of_an_undecided_pixel_is_a_quarter_of_its_entropy() -> None:
    logits = torch.zeros(1, 2, 2)  # p = 0.5, so (1 - 0.5)^2 * ln 2
    targets = torch.tensor([[[0.0, 1.0], [1.0, 0.0]]])
    assert float(focal_loss(logits, targets)) == pytest.approx(0.25 * LOG_2)


def test_dice_loss_is_worked_out_per_image_and_then_averaged() -> None:
    logits = torch.zeros(2, 1, 4)  # sigmoid 0.5 everywhere: sums to 2 an image
    targets = torch.tensor([[[1.0, 1.0, 0.0, 0.0]], [[0.0, 0.0, 0.0, 0.0]]])
    # image 1: 1 - (2 * 1 + 1) / (2 + 2 + 1) = 0.4;  image 2: 1 - 1 / (2 + 0 + 1) = 2/3
    assert float(dice_loss(logits, targets)) == pytest.approx((0.4 + 2 / 3) / 2)


def test_contrastive_loss_ends_where_the_cosine_is_minus_a_half() -> None:
    normal = torch.tensor([[1.0, 0.0]])
    assert float(contrastive_loss(normal, normal)) == pytest.approx(1.5)
    sixty_degrees_beyond = torch.tensor([[-0.5, math.sqrt(0.75)]])
    assert float(contrastive_loss(sixty_degrees_beyond, normal)) == pytest.approx(0.0, abs=1e-6)


def test_all_parts_of_the_loss_by_hand_on_two_layers() -> None:
    layer_maps = torch.zeros(2, 2, 1, 1)
    layer_maps[0] = 1.0  # the anomalous image: its two layers add up to 2
    masks = torch.zeros(2, 4, 4)
    masks[0] = 1.0
    tokens = torch.eye(2)
    losses = visualad_losses(VisualADOutput(layer_maps, tokens, tokens.flip(0)), masks)

    p = 1 / (1 + math.exp(-1.0))
    focal_layer = (16 * (1 - p) ** 2 * -math.log(p) + 16 * 0.25 * LOG_2) / 32
    dice_layer = ((1 - (2 * 16 * p + 1) / (16 * p + 16 + 1)) + (1 - 1 / (8 + 1))) / 2
    assert float(losses.classification) == pytest.approx((math.log(1 + math.exp(-2.0)) + LOG_2) / 2, rel=1e-5)
    assert float(losses.focal) == pytest.approx(2 * focal_layer, rel=1e-5)
    assert float(losses.dice) == pytest.approx(2 * dice_layer, rel=1e-5)
    assert float(losses.contrastive) == pytest.approx(0.5)
    assert float(losses.total) == pytest.approx(
        float(losses.classification) + float(losses.focal) + float(losses.dice) + 0.5, rel=1e-5
    )
