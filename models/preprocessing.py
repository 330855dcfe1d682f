"""From a picture's pixels to a model's input."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from models.registry import BackboneSpec


def to_input(rgb: npt.NDArray[Any], size_hw: tuple[int, int], spec: BackboneSpec) -> Tensor:
    """Resize a picture bicubically to the model's size, its aspect not kept, and normalise it.

    Args:
        rgb: (H, W, 3) uint8.
        size_hw: the model's input size.
        spec: whose mean and standard deviation to use.
    Returns:
        (3, *size_hw) float32.
    """
    height, width = size_hw
    resized = Image.fromarray(rgb).resize((width, height), Image.Resampling.BICUBIC)
    return normalise(torch.from_numpy(np.asarray(resized).copy()).permute(2, 0, 1), spec)


def normalise(images: Tensor, spec: BackboneSpec) -> Tensor:
    """Scale uint8 pixels (..., 3, H, W) to [0, 1], subtract the backbone's mean and divide by its deviation."""
    mean = torch.tensor(spec.mean).view(3, 1, 1)
    std = torch.tensor(spec.std).view(3, 1, 1)
    return (images.float() / 255.0 - mean) / std
