"""Other ways the same normal picture might have been taken: turned, mirrored, shifted, lighter or darker.

H and W are the sides of the model's input, in pixels.  Pure functions.
"""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from models.registry import BackboneSpec

_BRIGHTNESSES: Final = (0.9, 1.1)


def augmented(image: Tensor, rotations: bool, flips: bool) -> list[Tensor]:
    """Turn and mirror a reference, for objects that may lie any way round.

    Args:
        image: (1, 3, H, W), any range.
        rotations: add the picture turned by 90, 180 and 270 degrees.
        flips: add the mirror images of all there are; without rotations the picture turned by 180 degrees as well,
            which is both mirror images in one.
    Returns:
        1, 4 or 8 different pictures, the given one first; those turned by 90 or 270 degrees are (1, 3, W, H).
    """
    turned = [image.rot90(turns, dims=(2, 3)) for turns in range(4 if rotations else 1)]
    if not flips:
        return turned
    mirrored = [picture.flip(3) for picture in turned]
    return [*turned, *mirrored] if rotations else [image, image.flip(3), image.flip(2), image.flip((2, 3))]


def augmented_self(image: Tensor, spec: BackboneSpec, *, flips: bool = True) -> Tensor:
    """Vary a reference as another picture of the same object would vary, where there are too few to compare.

    Args:
        image: (1, 3, H, W), normalised for the backbone.
        spec: of the backbone; its patch is what the shift is half of.
        flips: include mirror images; leave them out where the bank holds them, since they would be at no distance.
    Returns:
        (5, 3, H, W), or (3, 3, H, W) without flips: shifted right and down by half a patch, edges repeated;
        mirrored left-right; mirrored top-bottom; 0.9 and 1.1 times as bright.
    """
    height, width = image.shape[-2:]
    half = spec.patch_px // 2
    shifted = F.pad(image, (half, 0, half, 0), mode="replicate")[..., :height, :width]
    mirrored = [image.flip(3), image.flip(2)] if flips else []
    return torch.cat([shifted, *mirrored, *(_brightened(image, factor, spec) for factor in _BRIGHTNESSES)])


def _brightened(image: Tensor, factor: float, spec: BackboneSpec) -> Tensor:
    mean = image.new_tensor(spec.mean).view(3, 1, 1)
    std = image.new_tensor(spec.std).view(3, 1, 1)
    return (((image * std + mean) * factor).clamp(0.0, 1.0) - mean) / std
