"""From layer maps to one anomaly map and one score.

B images, L layers, (gh, gw) patch grid, (H, W) pixels.  Pure functions: no slider ever needs the backbone again.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def fuse_layers(layer_maps: Tensor, available: tuple[int, ...], chosen: tuple[int, ...]) -> Tensor:
    """Sum the chosen layers' maps.

    Args:
        layer_maps: (B, L, gh, gw), any range.
        available: the L layers that the maps belong to, counted from 1.
        chosen: which of them to add; at least one.
    Returns:
        (B, gh, gw), the sum; for VisualAD within [-2 * len(chosen), 2 * len(chosen)].
    Raises:
        ValueError: a chosen layer is not available, or none is chosen.
    Source:
        VisualAD, arXiv:2603.07952, fused map H.
    """
    missing = [layer for layer in chosen if layer not in available]
    if missing or not chosen:
        raise ValueError(f"layers {chosen} must be a non-empty choice of {available}")
    return layer_maps[:, [available.index(layer) for layer in chosen]].sum(dim=1)


def upsample(maps: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """Resize maps bilinearly (align_corners=False): (B, h, w) to (B, H, W), same range."""
    if tuple(maps.shape[-2:]) == tuple(size_hw):
        return maps
    return F.interpolate(maps.unsqueeze(1), size=size_hw, mode="bilinear", align_corners=False).squeeze(1)


def smooth(maps: Tensor, sigma_px: float) -> Tensor:
    """Blur maps with a Gaussian whose kernel reaches four sigma; borders are reflected.

    Args:
        maps: (B, H, W), any range.
        sigma_px: standard deviation in pixels; 0 returns the maps as they are.
    Returns:
        (B, H, W), same range.
    """
    rows, columns = (_blur_matrix(side, sigma_px, maps) for side in maps.shape[-2:])
    return rows @ maps @ columns.T


def _blur_matrix(side: int, sigma_px: float, like: Tensor) -> Tensor:
    """The Gaussian along one axis as a (side, side) matrix: products are faster than long, thin convolutions."""
    radius = min(int(4.0 * sigma_px + 0.5), side - 1)
    if radius < 1:
        return torch.eye(side, dtype=like.dtype, device=like.device)
    offsets = torch.arange(-radius, radius + 1, device=like.device)
    kernel = torch.exp(-0.5 * (offsets / sigma_px) ** 2).to(like.dtype)
    sources = (torch.arange(side, device=like.device).unsqueeze(1) + offsets).abs()
    sources = torch.where(sources >= side, 2 * (side - 1) - sources, sources)  # reflected at the last pixel
    weights = (kernel / kernel.sum()).expand(side, -1)
    return torch.zeros(side, side, dtype=like.dtype, device=like.device).scatter_add_(1, sources, weights)


def top_fraction_mean(values: Tensor, fraction: float = 0.01) -> Tensor:
    """Score each image by the mean of its highest values; steadier than the maximum.

    Args:
        values: (B, ...), any range; all trailing axes are pooled.
        fraction: share that is averaged, in (0, 1]; rounded up, so at least one value.
    Returns:
        (B,), same range as `values`.
    Raises:
        ValueError: `fraction` is outside (0, 1].
    Source:
        VisualAD, arXiv:2603.07952, image score S with r = 0.01 (industrial) or 0.05 (medical).
    """
    if not 0.0 < fraction <= 1.0:
        raise ValueError(f"fraction must be in (0, 1], got {fraction}")
    flat = values.flatten(1)
    return flat.topk(math.ceil(fraction * flat.shape[1]), dim=1, sorted=False).values.mean(dim=1)


def anomaly_map(
    layer_maps: Tensor,
    available: tuple[int, ...],
    chosen: tuple[int, ...],
    *,
    input_size_hw: tuple[int, int],
    blur_sigma: float,
    output_size_hw: tuple[int, int],
) -> Tensor:
    """Fuse, upsample to the model's input size, smooth there, and resize to the wanted size.

    Args:
        layer_maps: (B, L, gh, gw).
        available: the L layers, counted from 1.
        chosen: the layers to add.
        input_size_hw: the size that the model saw; `blur_sigma` is in its pixels.
        blur_sigma: Gaussian standard deviation in pixels; 0 turns smoothing off.
        output_size_hw: the original picture's size.
    Returns:
        (B, H, W) at `output_size_hw`, in the units of the layer maps' sum.
    """
    fused = fuse_layers(layer_maps, available, chosen)
    smoothed = smooth(upsample(fused, input_size_hw), blur_sigma)
    return upsample(smoothed, output_size_hw)
