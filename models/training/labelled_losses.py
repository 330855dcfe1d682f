"""What teaching minimises, where some pictures have a label alone: pixel losses over known pictures, the rest over all.

B images, L layers, (H, W) pixels.  Where every picture's pixels are known, DA-CLIP's add up to `daclip_losses`;
VisualAD's are others than in training from nothing (docs/decisions.md).
"""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from models.methods.daclip import DAClipOutput
from models.methods.visualad import at_least_float32
from models.scoring import top_fraction_mean
from models.training.daclip_losses import map_losses
from models.training.losses import SCORE_FRACTION

SHARPNESS: Final = 3.0  # VisualAD's maps end at 2, where a sigmoid still leaves much to gain; so they are stretched
ANOMALOUS_WEIGHT: Final = 0.1  # of the mean over anomalous patches beside that over normal ones
LABEL_WEIGHT: Final = 0.1  # of pictures whose label alone is known


def labelled_visualad_losses(layer_maps: Tensor, labels: Tensor, cells: Tensor, known: Tensor) -> dict[str, Tensor]:
    """What VisualAD's maps say about each patch, and about pictures of which nothing but the label is known.

    The paper's losses learn from many pictures; from ten, with little time, each patch has to count.  Normal and
    anomalous patches are averaged apart, so that a small defect is not drowned, and a false alarm still weighs more.

    Args:
        layer_maps: (B, L, gh, gw) of VisualAD, in [-2, 2].
        labels: (B,), 1 = anomalous.
        cells: (B, c gh, c gw), True where anomalous; what stands there for pictures that are not known does not matter.
        known: (B,), True where a picture's pixels are marked; a confirmed normal picture's are.
    Returns:
        Scalars by name; "patches" is 0 where no picture is known, "labels" where all are.
    """
    nothing = layer_maps.new_zeros(())
    losses = {"patches": nothing, "labels": nothing}
    logits = SHARPNESS * layer_maps
    if known.any():
        marked, targets = _of_known(logits, cells, known)
        shares = F.avg_pool2d(targets.unsqueeze(1), targets.shape[-1] // marked.shape[-1])  # of a patch
        entropy = F.binary_cross_entropy_with_logits(marked, shares.expand_as(marked), reduction="none")
        per_layer = entropy.transpose(0, 1).flatten(1)
        anomalous = shares.flatten()
        losses["patches"] = (
            ANOMALOUS_WEIGHT * (per_layer @ anomalous) / anomalous.sum().clamp(min=1.0)
            + (per_layer @ (1.0 - anomalous)) / (1.0 - anomalous).sum().clamp(min=1.0)
        ).sum()
    if not known.all():
        score = top_fraction_mean(logits[~known].mean(dim=1), SCORE_FRACTION)
        losses["labels"] = LABEL_WEIGHT * F.binary_cross_entropy_with_logits(score, labels[~known].to(score.dtype))
    return losses


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
