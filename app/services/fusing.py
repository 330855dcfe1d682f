"""What the inspector does with layer maps once the model has run: fusing, thresholds, masks.  Pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from app.services.colours import ColourScale, around
from app.services.inspection import FloatMaps
from models.errors import DataError

if TYPE_CHECKING:
    from models.calibration import Thresholds
    from models.config import InspectionConfig
    from models.loading import LoadedModel


def fuse_at_size(
    layer_maps: FloatMaps,
    available: tuple[int, ...],
    chosen: tuple[int, ...],
    *,
    input_px: int,
    blur_sigma: float,
    size_hw: tuple[int, int],
) -> FloatMaps:
    """`models.scoring.anomaly_map` for one picture: (L, gh, gw) in, (H, W) out."""
    import torch  # not at import: the page must be up before torch is

    from models.scoring import anomaly_map

    with torch.inference_mode():
        fused = anomaly_map(
            torch.from_numpy(layer_maps.copy()).unsqueeze(0),
            available,
            chosen,
            input_size_hw=(input_px, input_px),
            blur_sigma=blur_sigma,
            output_size_hw=size_hw,
        )
    result: FloatMaps = fused[0].numpy()
    return result


def chosen_layers(wanted: tuple[int, ...] | None, model: LoadedModel) -> tuple[int, ...]:
    """The wanted layers in ascending order; None means the model's own choice.

    Raises:
        DataError: the model has no such layer.
    """
    if wanted is None:
        return model.default_layers
    available = model.layers
    missing = sorted(set(wanted) - set(available))
    if missing:
        raise DataError(
            f"This model has no layer {', '.join(map(str, missing))}; choose among {', '.join(map(str, available))}."
        )
    return tuple(sorted(set(wanted)))


def calibrated(model: LoadedModel, layers: tuple[int, ...], settings: InspectionConfig) -> Thresholds | None:
    """The model's thresholds for these settings; None = it carries none."""
    if model.calibration is None:
        return None
    return model.calibration.thresholds(layers, top_k=settings.top_k, blur_sigma=settings.blur_sigma)


def layer_scale(model: LoadedModel) -> ColourScale:
    """One scale for all single layers, wide enough for each, at the preset's own settings."""
    if model.calibration is None:
        return ColourScale(0.0, 1.0)
    preset = model.preset
    scales = [
        around(single.normal_level, single.anomalous)
        for single in (
            model.calibration.thresholds((layer,), top_k=preset.top_k, blur_sigma=preset.blur_sigma)
            for layer in model.layers
        )
    ]
    return ColourScale(min(scale.low for scale in scales), max(scale.high for scale in scales))


def mask_at(anomaly_map: FloatMaps, threshold: float | None) -> NDArray[np.bool_]:
    """Where the map reaches the threshold; without one, nowhere."""
    if threshold is None:
        return np.zeros(anomaly_map.shape, dtype=np.bool_)
    mask: NDArray[np.bool_] = anomaly_map >= threshold
    return mask
