"""From what a method and what references say about one picture to one map, one score and their units.

The backbone has run already; this is arithmetic on maps, with the rule of `reference_fusing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from app.services.colours import ColourScale, around, common_scale
from app.services.fusing import MapReader, as_tensor, thresholds_of
from app.services.inspection import FloatMaps, ReferenceSources
from app.services.reference_fusing import (
    FEWEST_TO_COMPARE,
    Adapted,
    Units,
    fused,
    of_excess,
    of_references,
    of_zero_shot_score,
    reference_weight,
)
from app.services.scores import top_fraction_mean
from models.reading import PictureMaps

if TYPE_CHECKING:
    from app.services.references import ReferenceBuilder, References
    from models.calibration import Calibration, Thresholds
    from models.config import InspectionConfig
    from models.data.pictures import Picture
    from models.loading import LoadedModel

_LARGEST_SHOWN: Final = 3


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Sight:
    """What one source says about a picture, in its own numbers."""

    maps: PictureMaps
    reader: MapReader
    anomaly_map: FloatMaps  # (H, W)
    image_score: float
    thresholds: Thresholds | None  # its own


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class OnReferences:
    """What a method says about the references, each asked for its level and scores under any settings."""

    maps: tuple[PictureMaps, ...]
    alone: tuple[Calibration, ...]  # of its maps of each
    excess: tuple[
        Calibration, ...
    ]  # of what goes beyond the matching patches of the others; empty for fewer than three


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ZeroShot:
    """What a method says about a picture, and about the references."""

    sight: Sight
    matched_map: FloatMaps  # (H, W), what it says about the matching patches of the references
    on_references: OnReferences
    title: str  # of the method


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Combined:
    """A result in units: 0 is the normal level, 1 the threshold."""

    anomaly_map: FloatMaps
    image_score: float
    thresholds: Thresholds
    sources: ReferenceSources
    note: str


def reference_thresholds(references: References, reader: MapReader) -> Thresholds:
    """The thresholds of distances to references for a reader's settings."""
    return references.scale.thresholds(reader.chosen, top_k=reader.top_k, blur_sigma=reader.blur_sigma)


def reference_settings(settings: InspectionConfig, own_px: int, reference_px: int) -> InspectionConfig:
    """The settings for the map of references beside a method's: its layers, and the same smoothing of the picture.

    Args:
        settings: the user's.
        own_px: side of the method's input.
        reference_px: side of the references' input.
    """
    return replace(
        settings, layers=None, tile=None, prompts=None, blur_sigma=settings.blur_sigma * reference_px / own_px
    )


def calibration_of(maps: PictureMaps, model: LoadedModel) -> Calibration:
    """A method's maps of one picture, asked for the picture's own level and scores under any settings."""
    import torch

    from models.calibration import Calibration

    whole = None if maps.global_score is None else torch.tensor([maps.global_score])
    return Calibration(
        as_tensor(maps.branch_maps), model.layers, model.image_size, global_scores=whole, reading=model.preset.reading
    )


def combine(
    picture: Picture, references: References, seen: Sight, zero_shot: ZeroShot | None, asked_weight: float | None
) -> Combined:
    """Put both sources into units and fuse them; without a zero-shot method the references judge alone.

    Args:
        picture: the inspected one.
        references: what it was compared with.
        seen: the distances to them.
        zero_shot: the method beside them.
        asked_weight: the references' share; None = by the rule.
    Returns:
        The score is that of the fused map; where the method scores by more than pixels, both scores are mixed likewise.
    """
    from models.calibration import ANOMALOUS_QUANTILE, Thresholds  # pulls torch in

    assert seen.thresholds is not None
    of_refs = of_references(seen.thresholds)
    reference_map = of_refs.units.of_map(seen.anomaly_map)
    reference_score = of_refs.units.of(seen.image_score)
    if zero_shot is None:
        weight, anomaly_map, zero_shot_map, suspicious = 1.0, reference_map, None, of_refs.suspicious
        zero_shot_score = None
        image_score = reference_score
    else:
        adapted = adapt(zero_shot.on_references, zero_shot.sight.reader, zero_shot.sight.thresholds)
        weight = reference_weight(asked_weight, adapted.of_normal)
        zero_shot_map = adapted.units.of_map(zero_shot.sight.anomaly_map - zero_shot.matched_map)
        anomaly_map = fused(zero_shot_map, reference_map, weight)
        suspicious = (1.0 - weight) * adapted.suspicious + weight * of_refs.suspicious
        zero_shot_score = _zero_shot_score(zero_shot, zero_shot_map)
        image_score = _score(zero_shot, anomaly_map, zero_shot_score, reference_score, weight)
    for values in (anomaly_map, reference_map):
        values.flags.writeable = False
    notes = (*references.notes, *references.notes_on(picture))
    return Combined(
        anomaly_map=anomaly_map,
        image_score=image_score,
        thresholds=Thresholds(suspicious, 1.0, 0.0, ANOMALOUS_QUANTILE),
        sources=ReferenceSources(
            key=references.key,
            names=references.names,
            digests=references.digests,
            notes=notes,
            weight=weight,
            zero_shot_map=zero_shot_map,
            reference_map=reference_map,
            zero_shot_score=zero_shot_score,
            reference_score=reference_score,
            layer_maps=seen.reader.layer_maps(seen.maps),
            layers=seen.reader.available,
            layer_scale=_layer_scale(references, seen.reader),
        ),
        note="; ".join([_what(references, zero_shot, weight), *(note.rstrip(".") for note in notes)]),
    )


def look_at_references(
    references: References, maps: Sequence[PictureMaps], model: LoadedModel, builder: ReferenceBuilder
) -> OnReferences:
    """Work out what a method's maps of the references say about its habits.

    Args:
        references: at least one.
        maps: the method's, of each reference.
        model: the method.
        builder: compares the references with each other.
    """
    excess = []
    if len(maps) >= FEWEST_TO_COMPARE:
        for index, (picture, own) in enumerate(zip(references.pictures, maps, strict=True)):
            others = builder.matched_maps(picture, references, maps, without=index)
            excess.append(calibration_of(beyond(own, others), model))
    return OnReferences(maps=tuple(maps), alone=tuple(calibration_of(own, model) for own in maps), excess=tuple(excess))


def beyond(own: PictureMaps, others: PictureMaps) -> PictureMaps:
    """Maps less other maps, which are brought to their grid."""
    import torch
    import torch.nn.functional as F

    grid_hw = own.branch_maps.shape[-2:]
    resized = torch.from_numpy(others.branch_maps)
    if resized.shape[-2:] != grid_hw:
        resized = F.interpolate(resized, size=grid_hw, mode="bilinear", antialias=True)
    return PictureMaps(own.branch_maps - resized.numpy(), own.global_score)


def adapt(on_references: OnReferences, reader: MapReader, own: Thresholds | None) -> Adapted:
    """The units of a method's excess over the references, for a reader's settings."""
    alone = [thresholds_of(one, reader) for one in on_references.alone]
    excess = [thresholds_of(one, reader).pixel for one in on_references.excess]
    general = None if own is None else Units(own.normal_level, own.pixel)
    return of_excess(general, [one.normal_level for one in alone], [one.pixel for one in alone], excess)


def _zero_shot_score(zero_shot: ZeroShot, zero_shot_map: FloatMaps) -> float:
    """What the method alone scores, in units."""
    sight = zero_shot.sight
    if sight.reader.reading.score == "pixels":
        return top_fraction_mean(zero_shot_map, sight.reader.top_k)
    singles = [thresholds_of(one, sight.reader).anomalous for one in zero_shot.on_references.alone]
    return of_zero_shot_score(sight.thresholds, singles).of(sight.image_score)


def _score(
    zero_shot: ZeroShot, anomaly_map: FloatMaps, of_zero_shot: float, of_references_alone: float, weight: float
) -> float:
    reader = zero_shot.sight.reader
    if reader.reading.score == "pixels":
        return top_fraction_mean(anomaly_map, reader.top_k)
    return (1.0 - weight) * of_zero_shot + weight * of_references_alone


def _layer_scale(references: References, reader: MapReader) -> ColourScale:
    """One scale for the distances of all single layers, wide enough for each."""
    scales = []
    for layer in reader.available:
        single = references.scale.thresholds((layer,), top_k=reader.top_k, blur_sigma=reader.blur_sigma)
        scales.append(around(single.normal_level, single.anomalous))
    return common_scale(scales)


def _what(references: References, zero_shot: ZeroShot | None, weight: float) -> str:
    """What was combined, in words."""
    count = f"{len(references)} reference{'s' if len(references) > 1 else ''}"
    shown = ", ".join(references.names[:_LARGEST_SHOWN])
    named = f"{shown} and {len(references) - _LARGEST_SHOWN} more" if len(references) > _LARGEST_SHOWN else shown
    units = "0 is the level of normal pixels and 1 the threshold"
    if zero_shot is None:
        return f"compared with {count} ({named}); {units}"
    shares = f"{100 * weight:.0f} % nearest patch of {count} ({named}) and {100 * (1 - weight):.0f} % {zero_shot.title}"
    return f"{shares} beyond what it says about like patches of them; {units}"
