"""From a map, a score and thresholds to a result with mask, regions and verdict."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from app.services import fusing
from app.services.fusing import MapReader, mask_at, score_threshold
from app.services.inspection import FloatMaps, Inspection, ReferenceSources, judge
from app.services.regions import find_regions

if TYPE_CHECKING:
    from app.services.colours import ColourScale
    from models.calibration import Thresholds
    from models.config import InspectionConfig
    from models.data.pictures import Picture
    from models.loading import LoadedModel
    from models.reading import PictureMaps


class Judged(Protocol):
    """What a verdict rests on."""

    @property
    def anomaly_map(self) -> FloatMaps:
        """(H, W)."""

    @property
    def image_score(self) -> float:
        """Of the picture."""

    @property
    def thresholds(self) -> Thresholds | None:
        """The calibrated ones; None = unknown."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a result took."""

    forward_s: float
    start_s: float  # by time.perf_counter
    from_cache: bool


def conclude(
    picture: Picture,
    preset: str,
    model: LoadedModel,
    settings: InspectionConfig,
    reader: MapReader,
    judged: Judged,
    maps: PictureMaps,
    *,
    cost: Cost,
    layer_scale: ColourScale | None = None,
    references: ReferenceSources | None = None,
    head: Path | None = None,
    note: str = "",
) -> Inspection:
    """Put a result together.

    Args:
        picture: the inspected one.
        preset: the name under which the model was asked for.
        model: what looked.
        settings: the user's.
        reader: how the maps were read.
        judged: map, score and thresholds in the same units.
        maps: what the model gave.
        cost: what it took.
        layer_scale: for drawing single layers; None = the model's own.
        references: the sources apart, where references took part.
        head: the file that stood in the place of the shipped head.
        note: what must be known to read the numbers.
    """
    threshold = settings.threshold
    if threshold is None and judged.thresholds is not None:
        threshold = judged.thresholds.pixel
    of_score = score_threshold(settings, judged.thresholds)
    pred_mask = mask_at(judged.anomaly_map, threshold)
    regions, region_count = find_regions(judged.anomaly_map, pred_mask)
    return Inspection(
        picture=picture,
        preset=preset,
        checkpoint=model.checkpoint_digest,
        backbone=model.backbone_source,
        layers=reader.chosen,
        available_layers=model.layers,
        layer_maps=reader.layer_maps(maps),
        anomaly_map=judged.anomaly_map,
        image_score=judged.image_score,
        threshold=threshold,
        score_threshold=of_score,
        thresholds=judged.thresholds,
        verdict=judge(judged.image_score, of_score, judged.thresholds),
        layer_scale=layer_scale or fusing.layer_scale(model),
        pred_mask=pred_mask,
        regions=regions,
        region_count=region_count,
        forward_s=cost.forward_s,
        total_s=time.perf_counter() - cost.start_s,
        from_cache=cost.from_cache,
        settings=settings,
        maps=maps,
        branches=model.branches,
        alpha=None if model.preset.alpha is None or len(model.branches) < 2 else reader.alpha,
        top_patches=reader.top_patches if reader.reading.score == "patches" else None,
        references=references,
        head=head,
        note=note,
    )
