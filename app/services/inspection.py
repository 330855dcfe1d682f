"""The result of inspecting one picture, and the rule behind its verdict."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from app.services.colours import ColourScale
    from app.services.regions import Region
    from models.calibration import Thresholds
    from models.config import InspectionConfig
    from models.data.pictures import Picture
    from models.reading import PictureMaps

FloatMaps = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ReferenceSources:
    """What references had to do with a result: both maps apart, in the units of the fused one."""

    key: str  # of the References
    names: tuple[str, ...]
    digests: tuple[str, ...]
    notes: tuple[str, ...]  # sentences: on the references, and on this picture beside them
    weight: float  # share of the reference map that was used, in [0, 1]
    zero_shot_map: FloatMaps | None  # (H, W); None: the references alone judged
    reference_map: FloatMaps  # (H, W)
    zero_shot_score: float | None  # of the method alone, in the same units; None: the references alone judged
    reference_score: float  # of the references alone
    layer_maps: FloatMaps  # (L, gh, gw), distances
    layers: tuple[int, ...]  # the L layers, counted from 1
    layer_scale: ColourScale  # for drawing those


@dataclass(frozen=True, slots=True, eq=False)
class Inspection:
    """What was found in one picture, with everything needed to say how."""

    picture: Picture
    preset: str
    checkpoint: str  # SHA-256 of the head file, hex
    backbone: str  # where the backbone's weights came from
    layers: tuple[int, ...]  # the chosen ones, counted from 1
    available_layers: tuple[int, ...]
    layer_maps: FloatMaps  # (L available, gh, gw), the branches blended
    anomaly_map: FloatMaps  # (H, W) at the picture's size, before any colour scaling
    image_score: float  # of the highest pixels of anomaly_map, or of the highest patches and the picture as a whole
    threshold: float | None  # the one that was applied to the map; None = there is none
    score_threshold: float | None  # the one that was applied to the score; the same unless scores have other units
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
    maps: PictureMaps  # what the model gave; its branches apart
    branches: tuple[str, ...]  # names of the maps' branches
    alpha: float | None = None  # share of the refined maps that was used; None: the method has none
    top_patches: int | None = None  # how many patches the score averages; None: it averages pixels
    references: ReferenceSources | None = None  # None: there were none
    head: Path | None = None  # the file that stood in the place of the shipped head; None: none did
    note: str = ""  # what must be known to read these numbers; "" for an ordinary inspection

    @property
    def version(self) -> str:
        """The id of the taught version that looked; "": the shipped head, or one that was given at the start."""
        return "" if self.head is None else self.checkpoint

    @property
    def references_key(self) -> str | None:
        """Which references were used; None: none."""
        return None if self.references is None else self.references.key

    @property
    def zero_shot_map(self) -> FloatMaps | None:
        """(H, W), what the method alone sees, in units (1 = threshold); None without references."""
        return None if self.references is None else self.references.zero_shot_map

    @property
    def reference_map(self) -> FloatMaps | None:
        """(H, W), what the references alone show, in the same units; None without references."""
        return None if self.references is None else self.references.reference_map


def judge(image_score: float, threshold: float | None, thresholds: Thresholds | None) -> str:
    """The verdict on a score; a threshold set by hand only moves where "anomalous" begins.

    Args:
        image_score: of the picture.
        threshold: where "anomalous" begins, in units of the score; None = unknown.
        thresholds: the calibrated ones; None = the checkpoint carries none.
    """
    if threshold is None:
        return "uncalibrated"
    if image_score >= threshold:
        return "anomalous"
    if thresholds is not None and image_score >= thresholds.suspicious:
        return "suspicious"
    return "normal"
