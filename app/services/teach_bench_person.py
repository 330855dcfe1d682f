"""What a simulated person paints on a defect of which nothing is known but that it is there.

Two rules, both stated before any solar cell was looked at.  Arrays are (S, S) at the size of the model's input.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

if TYPE_CHECKING:
    from torch import Tensor

RegionRule = Literal["map", "normals"]
REGION_RULES: Final[tuple[RegionRule, ...]] = get_args(RegionRule)
PAINTED_SHARE: Final = 0.02  # of the pixels lie above the value that the painted region begins with
KNOWN_NORMALS: Final = 8  # pictures that the rule "normals" compares with
_EIGHT: Final = np.ones((3, 3), dtype=np.bool_)


def top_region(anomaly_map: NDArray[np.floating], share: float = PAINTED_SHARE) -> NDArray[np.bool_]:
    """The largest 8-connected region above the value that a share of the pixels exceeds; never empty."""
    above = anomaly_map >= np.quantile(anomaly_map, 1.0 - share)
    regions, count = ndimage.label(above, _EIGHT)
    sizes = np.bincount(regions.ravel(), minlength=count + 1)
    sizes[0] = 0
    largest: NDArray[np.bool_] = regions == int(sizes.argmax())
    return largest


def difference_from_normals(
    tokens: Tensor, normals: Sequence[Tensor], side_px: int, sigma_px: float
) -> NDArray[np.float32]:
    """Where a picture differs from normal ones, as somebody sees it who knows those.

    Args:
        tokens: (L, N, D) of a square grid, unit length.
        normals: the same of each normal picture.
        side_px: of the map.
        sigma_px: of its smoothing.
    """
    import torch

    from models.evaluation.nearest_patch import nearest_distances
    from models.scoring import smooth, upsample

    distances = nearest_distances(tokens, torch.stack(list(normals))).amin(dim=0).mean(dim=0)
    grid = round(distances.numel() ** 0.5)
    found: NDArray[np.float32] = smooth(upsample(distances.view(1, grid, grid), (side_px, side_px)), sigma_px)[
        0
    ].numpy()
    return found


def resized_mask(mask: NDArray[np.bool_], size_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """A mask at the size of the picture; the nearest pixel decides."""
    image = Image.fromarray(mask).resize((size_hw[1], size_hw[0]), Image.Resampling.NEAREST)
    return np.asarray(image, dtype=np.bool_)
