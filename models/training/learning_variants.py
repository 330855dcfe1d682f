"""Copies of a labelled picture whose label stays true: moved and lit a little differently.

H and W are the picture's sides, in pixels.  Pure functions; what comes out depends on the picture and the seed alone.
"""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

Rgb = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

_LARGEST_SHIFT: Final = 0.02  # of a side
_LARGEST_ZOOM: Final = 0.04
_LARGEST_CHANGE_OF_LIGHT: Final = 0.1  # of brightness and of contrast
_DRAWS: Final = 8  # of one variant, until its marked region is inside


def variants(rgb: Rgb, mask: Mask | None, count: int, seed: int, flips: bool = False) -> list[tuple[Rgb, Mask | None]]:
    """Vary a picture; the first is the picture itself.

    A variant whose marked region would leave the picture is drawn anew, and left out if it keeps leaving.  Without a
    mask nothing says where an anomaly would be: such a picture is only made smaller, so that all of it stays in sight.

    Args:
        rgb: (H, W, 3).
        mask: (H, W), True where anomalous; None: the pixels are not known.
        count: how many there may be, the picture itself included; at least 1.
        seed: together with the picture it decides what is drawn.
        flips: mirror images and quarter turns may be drawn too; they are wrong for print, for instance.
    Returns:
        1 to `count` pairs; quarter turns are (W, H, 3) and (W, H).
    """
    if count < 1:
        raise ValueError(f"count must be 1 or more, got {count}")
    if mask is not None and mask.shape != rgb.shape[:2]:
        raise ValueError(f"the mask must be {rgb.shape[:2]} like the picture, got {mask.shape}")
    found: list[tuple[Rgb, Mask | None]] = [(rgb, mask)]
    digest = int.from_bytes(hashlib.sha256(rgb.tobytes()).digest(), "big")
    for index in range(1, count):
        generator = np.random.default_rng((seed, digest, index))
        for _ in range(_DRAWS):
            variant = _varied(rgb, mask, generator, flips)
            if mask is None or variant[1] is None or not mask.any() or variant[1].any():
                found.append(variant)
                break
    return found


def _varied(rgb: Rgb, mask: Mask | None, generator: np.random.Generator, flips: bool) -> tuple[Rgb, Mask | None]:
    zoom, shift = _draw_movement(generator, whole=mask is None)
    image = torch.from_numpy(np.array(rgb)).permute(2, 0, 1).float()
    moved = _relit(_moved(image, zoom, shift, "bilinear"), generator)
    varied = moved.round().clamp(0.0, 255.0).to(torch.uint8)
    varied_mask = None
    if mask is not None:
        varied_mask = _moved(torch.from_numpy(np.array(mask)).float()[None], zoom, shift, "nearest") > 0.5
    if flips:
        turns, mirrored = int(generator.integers(4)), bool(generator.integers(2))
        varied = _turned(varied, turns, mirrored)
        varied_mask = None if varied_mask is None else _turned(varied_mask, turns, mirrored)
    pixels: Rgb = varied.permute(1, 2, 0).contiguous().numpy()
    return pixels, None if varied_mask is None else varied_mask[0].contiguous().numpy()


def _draw_movement(generator: np.random.Generator, *, whole: bool) -> tuple[float, tuple[float, float]]:
    """How large the picture becomes and how far it moves right and down, as a share of its sides.

    Args:
        generator: drawn from.
        whole: keep all of the picture in sight.
    """
    if whole:
        zoom = 1.0 - float(generator.uniform(0.0, _LARGEST_ZOOM))
        room = (1.0 - zoom) / 2
    else:
        zoom = 1.0 + float(generator.uniform(-_LARGEST_ZOOM, _LARGEST_ZOOM))
        room = _LARGEST_SHIFT
    right, down = (float(share) for share in generator.uniform(-room, room, 2))
    return zoom, (right, down)


def _moved(image: Tensor, zoom: float, shift: tuple[float, float], mode: str) -> Tensor:
    """Zoom about the middle and shift (C, H, W); what lies beyond the border is a reflection."""
    # In coordinates from -1 to 1: where in the picture each pixel of the result is taken from.
    right, down = (2.0 * share / zoom for share in shift)
    take_from = torch.tensor([[[1.0 / zoom, 0.0, -right], [0.0, 1.0 / zoom, -down]]])
    grid = F.affine_grid(take_from, [1, 1, *image.shape[-2:]], align_corners=False)
    return F.grid_sample(image[None], grid, mode=mode, padding_mode="reflection", align_corners=False)[0]


def _relit(image: Tensor, generator: np.random.Generator) -> Tensor:
    """Change brightness and contrast of (3, H, W) in 0..255."""
    low, high = 1.0 - _LARGEST_CHANGE_OF_LIGHT, 1.0 + _LARGEST_CHANGE_OF_LIGHT
    brightness, contrast = (float(factor) for factor in generator.uniform(low, high, 2))
    mean = image.mean()
    return (image - mean) * contrast + mean * brightness


def _turned(image: Tensor, turns: int, mirrored: bool) -> Tensor:
    turned = image.rot90(turns, dims=(1, 2))
    return turned.flip(2) if mirrored else turned
