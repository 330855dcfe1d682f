"""The result of inspecting one picture, and the rule behind its verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from app.services.colours import ColourScale
    from app.services.regions import Region
    from models.calibration import Thresholds
    from models.config import InspectionConfig
    from models.data.pictures import Picture

FloatMaps = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Inspection:
    """What was found in one picture, with everything needed to say how."""

    picture: Picture
    preset: str
    checkpoint: str  # SHA-256 of the head file, hex
    backbone: str  # where the backbone's weights came from
    layers: tuple[int, ...]  # the chosen ones, counted from 1
    available_layers: tuple[int, ...]
    layer_maps: FloatMaps  # (L available, gh, gw)
    anomaly_map: FloatMaps  # (H, W) at the picture's size, before any colour scaling
    image_score: float  # mean of the highest `settings.top_k` of anomaly_map
    threshold: float | None  # the one that was applied; None = there is none
    thresholds: Thresholds | None  # the calibrated ones; None = the checkpoint carries none
    verdict: str  # "normal", "suspicious", "anomalous" or "uncalibrated"
    layer_scale: ColourScale  # for drawing single layers; fixed per model
    pred_mask: NDArray[np.bool_]  # (H, W), anomaly_map >= threshold
    regions: tuple[Region, ...]  # the largest ones first
    region_count: int  # including those that `regions` leaves out
    forward_s: float  # what the backbone and head took, now or when the maps were remembered
    total_s: float
    from_cache: bool  # True: the backbone did not run this time
    settings: InspectionConfig
    note: str = ""  # what must be known to read these numbers; "" for an ordinary inspection


def judge(image_score: float, threshold: float | None, thresholds: Thresholds | None) -> str:
    """The verdict on a score; a threshold set by hand only moves where "anomalous" begins.

    Args:
        image_score: in the units of the fused map.
        threshold: where "anomalous" begins; None = unknown.
        thresholds: the calibrated ones; None = the checkpoint carries none.
    """
    if threshold is None:
        return "uncalibrated"
    if image_score >= threshold:
        return "anomalous"
    if thresholds is not None and image_score >= thresholds.suspicious:
        return "suspicious"
    return "normal"
