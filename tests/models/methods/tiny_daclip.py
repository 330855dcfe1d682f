"""Small random DA-CLIP models for tests."""

from typing import Any, Literal

import torch
from torch import Tensor

from models.backbones.towers import build_tiny_towers
from models.methods.daclip import DAClip, DAClipConfig

Like = Literal["clip", "compact"]
LAYERS = (2, 4)


def tiny_model(like: Like = "clip", seed: int = 0, **options: Any) -> DAClip:
    torch.manual_seed(seed)
    return DAClip(build_tiny_towers(like=like), DAClipConfig(layers=LAYERS, adapter_tokens=3, dar_grid=3, **options))


def strong_model(like: Like = "clip", **options: Any) -> DAClip:
    """With scales of 1: at 1e-3 a wrong text would hardly show."""
    return tiny_model(like, scale_init=1.0, gate_init=1.0, **options)


def images_of(count: int = 2) -> Tensor:
    return torch.randn(count, 3, 56, 56, generator=torch.Generator().manual_seed(7))


def of_patches_alone(model: DAClip) -> set[str]:
    """What of DAR makes the offsets of patches alone, which DA-CLIP does not use: its convolution over the grid."""
    dar, width = model.head.dar, model.towers.visual_dim
    assert dar is not None
    patches, text = (torch.randn(1, count, width, dtype=model.head.gate.dtype) for count in (16, 2))
    gradients = torch.autograd.grad(
        dar(patches, (4, 4), text)[1].square().sum(), list(dar.parameters()), materialize_grads=True
    )
    named = zip(dar.named_parameters(), gradients, strict=True)
    unused = {f"dar.{name}" for (name, _), gradient in named if not gradient.any()}
    assert len(unused) <= 2
    return unused
