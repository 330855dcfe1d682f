"""DA-CLIP's losses, all of weight 1.  B images, L layers, (H, W) pixels.

Unofficial reconstruction: cross-entropy for the global space, focal and Dice for the local one [R].
Source: DA-CLIP, CVPR 2026 Findings, supplementary.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from models.methods.daclip import DAClipOutput
from models.methods.visualad import at_least_float32
from models.scoring import upsample
from models.training.losses import dice_loss, focal_loss, sum_over_layers


def daclip_losses(output: DAClipOutput, masks: Tensor) -> dict[str, Tensor]:
    """Compare one forward pass with the masks.

    Args:
        output: of DAClip.
        masks: (B, H, W), 1 where anomalous, else 0; an image is anomalous if any pixel is.
    Returns:
        Scalars by name: "global", "focal" and "dice", and "refined_focal" and "refined_dice" if there are refined maps;
        those of maps are means over the layers, and Dice is that of the anomalous class plus that of the normal one.
    """
    targets = masks.to(at_least_float32(output.static_logits).dtype)
    labels = targets.flatten(1).any(dim=1).long()
    losses = {"global": F.cross_entropy(at_least_float32(output.global_logits), labels)}
    losses["focal"], losses["dice"] = map_losses(output.static_logits, targets)
    if output.refined_logits is not None:
        losses["refined_focal"], losses["refined_dice"] = map_losses(output.refined_logits, targets)
    return losses


def map_losses(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Focal and Dice of (B, L, gh, gw, 2) logits against (B, H, W)."""
    anomalous = _upsampled_logits(logits, (targets.shape[1], targets.shape[2]))
    layers = logits.shape[1]
    focal = sum_over_layers(focal_loss, anomalous, targets) / layers
    dice = sum_over_layers(dice_loss, anomalous, targets) + sum_over_layers(dice_loss, -anomalous, 1.0 - targets)
    return focal, dice / layers


def _upsampled_logits(logits: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """The logits whose sigmoid is the upsampled probability of "anomalous": (B, L, gh, gw, 2) to (B, L, H, W).

    Both classes' probabilities are upsampled, so that neither is one minus a number near one: a pixel that is surely
    wrong keeps its gradient.
    """
    probabilities = at_least_float32(logits).softmax(dim=-1).clamp(min=torch.finfo(torch.float32).tiny)
    normal, anomalous = (upsample(maps.flatten(0, 1), size_hw) for maps in probabilities.unbind(dim=-1))
    combined: Tensor = (anomalous.log() - normal.log()).unflatten(0, logits.shape[:2])
    return combined
