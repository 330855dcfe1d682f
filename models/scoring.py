"""From layer maps to one anomaly map and one score.

B images, L layers, (gh, gw) patch grid, (H, W) pixels.  Pure functions: no slider ever needs the backbone again.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from models.reading import Joining


def blend_branches(branch_maps: Tensor, alpha: float) -> Tensor:
    """Blend the static and the refined maps of a method that has both.

    Args:
        branch_maps: (B, R, L, gh, gw); R is 1, or 2 for static and refined.
        alpha: share of the refined maps, in [0, 1]; with one branch it does nothing.
    Returns:
        (B, L, gh, gw), alpha * refined + (1 - alpha) * static.
    Source:
        DA-CLIP, CVPR 2026 Findings, "fusion weight of different anomaly maps"; which maps is our reconstruction.
    """
    if branch_maps.shape[1] == 1:
        return branch_maps[:, 0]
    return alpha * branch_maps[:, 1] + (1.0 - alpha) * branch_maps[:, 0]


def fuse_layers(
    layer_maps: Tensor, available: tuple[int, ...], chosen: tuple[int, ...], joining: Joining = "sum"
) -> Tensor:
    """Join the chosen layers' maps.

    Args:
        layer_maps: (B, L, gh, gw), any range.
        available: the L layers that the maps belong to, counted from 1.
        chosen: which of them to join; at least one.
        joining: "sum" (VisualAD) or "mean" (methods whose maps are probabilities).
    Returns:
        (B, gh, gw); for VisualAD within [-2 * len(chosen), 2 * len(chosen)].
    Raises:
        ValueError: a chosen layer is not available, or none is chosen.
    Source:
        VisualAD, arXiv:2603.07952, fused map H.
    """
    missing = [layer for layer in chosen if layer not in available]
    if missing or not chosen:
        raise ValueError(f"layers {chosen} must be a non-empty choice of {available}")
    summed = layer_maps[:, [available.index(layer) for layer in chosen]].sum(dim=1)
    return summed if joining == "sum" else summed / len(chosen)


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


def patch_score(patch_map: Tensor, global_scores: Tensor | None, count: int) -> Tensor:
    """Score each image by its highest patches and, where there is one, by its score as a whole.

    Args:
        patch_map: (B, gh, gw), probabilities in [0, 1].
        global_scores: (B,) in [0, 1]; None: the patches alone.
        count: how many patches are averaged, at least 1; all where there are fewer.
    Returns:
        (B,) in [0, 1]: half the global score, half the mean of the highest patches.
    Source:
        DA-CLIP, CVPR 2026 Findings (top-k = 80); the equal halves are our reconstruction.
    """
    flat = patch_map.flatten(1)
    highest = flat.topk(min(count, flat.shape[1]), dim=1, sorted=False).values.mean(dim=1)
    return highest if global_scores is None else 0.5 * global_scores + 0.5 * highest


def anomaly_map(
    layer_maps: Tensor,
    available: tuple[int, ...],
    chosen: tuple[int, ...],
    *,
    input_size_hw: tuple[int, int],
    blur_sigma: float,
    output_size_hw: tuple[int, int],
    joining: Joining = "sum",
) -> Tensor:
    """Fuse, upsample to the model's input size, smooth there, and resize to the wanted size.

    Args:
        layer_maps: (B, L, gh, gw).
        available: the L layers, counted from 1.
        chosen: the layers to join.
        input_size_hw: the size that the model saw; `blur_sigma` is in its pixels.
        blur_sigma: Gaussian standard deviation in pixels; 0 turns smoothing off.
        output_size_hw: the original picture's size.
        joining: how the layers become one.
    Returns:
        (B, H, W) at `output_size_hw`, in the units of the joined layer maps.
    """
    fused = fuse_layers(layer_maps, available, chosen, joining)
    smoothed = smooth(upsample(fused, input_size_hw), blur_sigma)
    return upsample(smoothed, output_size_hw)
