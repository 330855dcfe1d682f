"""The methods' losses where some pictures have a label alone: pixel losses over known pictures, the rest over all.

B images, L layers, (H, W) pixels.  Where every picture's pixels are known, they add up to `visualad_losses` and
`daclip_losses`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from models.methods.daclip import DAClipOutput
from models.methods.visualad import VisualADOutput, at_least_float32
from models.scoring import top_fraction_mean, upsample
from models.training.daclip_losses import map_losses
from models.training.losses import SCORE_FRACTION, contrastive_loss, dice_loss, focal_loss, sum_over_layers


def labelled_visualad_losses(output: VisualADOutput, labels: Tensor, masks: Tensor, known: Tensor) -> dict[str, Tensor]:
    """VisualAD's four losses, all of weight 1.

    Args:
        output: of VisualAD, layer maps (B, L, gh, gw).
        labels: (B,), 1 = anomalous.
        masks: (B, H, W), True where anomalous; what stands there for pictures that are not known does not matter.
        known: (B,), True where a picture's pixels are marked; a confirmed normal picture's are.
    Returns:
        Scalars by name; those of pixels are 0 where no picture is known.
    """
    layer_maps = output.layer_maps
    upsampled = upsample(layer_maps.flatten(0, 1), (masks.shape[1], masks.shape[2])).unflatten(0, layer_maps.shape[:2])
    score = top_fraction_mean(upsampled.sum(dim=1), SCORE_FRACTION)
    marked, targets = _of_known(upsampled, masks, known)
    return {
        "classification": F.binary_cross_entropy_with_logits(score, labels.to(score.dtype)),
        "focal": sum_over_layers(focal_loss, marked, targets) if len(targets) else score.new_zeros(()),
        "dice": sum_over_layers(dice_loss, marked, targets) if len(targets) else score.new_zeros(()),
        "contrastive": contrastive_loss(output.anomaly_token, output.normal_token),
    }


def labelled_daclip_losses(output: DAClipOutput, labels: Tensor, masks: Tensor, known: Tensor) -> dict[str, Tensor]:
    """DA-CLIP's losses, all of weight 1: those of `daclip_losses`, pixels' over known pictures alone.

    Args:
        output: of DAClip.
        labels: (B,), 1 = anomalous.
        masks: (B, H, W), True where anomalous; what stands there for pictures that are not known does not matter.
        known: (B,), True where a picture's pixels are marked.
    Returns:
        Scalars by name; those of pixels are 0 where no picture is known.
    """
    global_logits = at_least_float32(output.global_logits)
    losses = {"global": F.cross_entropy(global_logits, labels.long())}
    for prefix, logits in (("", output.static_logits), ("refined_", output.refined_logits)):
        if logits is not None:
            marked, targets = _of_known(logits, masks, known)
            none = global_logits.new_zeros(())
            focal, dice = map_losses(marked, targets) if len(targets) else (none, none)
            losses[f"{prefix}focal"], losses[f"{prefix}dice"] = focal, dice
    return losses


def _of_known(values: Tensor, masks: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """The known pictures' values and their masks as targets; nothing is copied where all are known."""
    if not bool(known.all()):
        values, masks = values[known], masks[known]
    return values, masks.to(torch.promote_types(values.dtype, torch.float32))
