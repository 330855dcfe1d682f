"""VisualAD's losses, all of weight 1.  B images, L layers, (H, W) pixels.  Source: arXiv:2603.07952, eq. 14 to 19."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from models.methods.visualad import VisualADOutput, at_least_float32
from models.scoring import top_fraction_mean, upsample

PixelLoss = Callable[[Tensor, Tensor], Tensor]

LOSS_NAMES: Final = ("classification", "focal", "dice", "contrastive")
CONTRASTIVE_MARGIN: Final = 0.5
FOCAL_GAMMA: Final = 2.0
DICE_SMOOTH: Final = 1.0
SCORE_FRACTION: Final = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Losses:
    """The parts of one batch's loss, each a scalar."""

    classification: Tensor
    focal: Tensor
    dice: Tensor
    contrastive: Tensor

    @property
    def total(self) -> Tensor:
        """Their sum."""
        return self.sum_of(LOSS_NAMES)

    def sum_of(self, names: tuple[str, ...]) -> Tensor:
        """The sum of some of them, for ablations (Table 10)."""
        parts: list[Tensor] = [getattr(self, name) for name in names]
        return torch.stack(parts).sum()


def visualad_losses(output: VisualADOutput, masks: Tensor) -> Losses:
    """Compare one forward pass with the masks.

    Args:
        output: of VisualAD, layer maps (B, L, gh, gw).
        masks: (B, H, W), 1 where anomalous, else 0; an image is anomalous if any pixel is.
    Returns:
        Losses.
    """
    targets = masks.to(output.layer_maps.dtype)
    labels = targets.flatten(1).amax(dim=1)
    layer_maps = output.layer_maps
    upsampled = upsample(layer_maps.flatten(0, 1), (masks.shape[1], masks.shape[2])).unflatten(0, layer_maps.shape[:2])
    score = top_fraction_mean(upsampled.sum(dim=1), SCORE_FRACTION)
    return Losses(
        classification=F.binary_cross_entropy_with_logits(score, labels),
        focal=sum_over_layers(focal_loss, upsampled, targets),
        dice=sum_over_layers(dice_loss, upsampled, targets),
        contrastive=contrastive_loss(output.anomaly_token, output.normal_token),
    )


def focal_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary focal loss with gamma 2 and no class weight, mean over all pixels of (B, H, W)."""
    entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return ((1.0 - torch.exp(-entropy)) ** FOCAL_GAMMA * entropy).mean()


def dice_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """1 - Dice of the sigmoid against the mask with smoothing 1: per image of (B, H, W), then the mean."""
    predicted = logits.sigmoid().flatten(1)
    actual = targets.flatten(1)
    overlap = 2.0 * (predicted * actual).sum(dim=1) + DICE_SMOOTH
    return (1.0 - overlap / (predicted.sum(dim=1) + actual.sum(dim=1) + DICE_SMOOTH)).mean()


def contrastive_loss(anomaly_token: Tensor, normal_token: Tensor) -> Tensor:
    """Push the two tokens, (B, d) each, at least to a cosine of -0.5: max(0, cos + 0.5), mean over images."""
    cosine = F.cosine_similarity(at_least_float32(anomaly_token), at_least_float32(normal_token), dim=-1)
    return (cosine + CONTRASTIVE_MARGIN).clamp(min=0.0).mean()


def sum_over_layers(loss: PixelLoss, layer_maps: Tensor, targets: Tensor) -> Tensor:
    """Add a pixel loss over the layers of (B, L, H, W)."""
    return torch.stack([loss(layer_map, targets) for layer_map in layer_maps.unbind(dim=1)]).sum()
