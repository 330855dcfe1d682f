"""Measure a preset on the held-out synthetic world, where every choice is made."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from app.services.layer_map_files import LayerMapSet, read_layer_maps, save_layer_maps, stacked
from app.services.reports import (
    Engine,
    EvaluationRequest,
    Report,
    ReportRow,
    Track,
    chosen_layers,
    map_and_score,
    resized,
    scoring_of,
    untracked,
)
from models.errors import DataError
from models.evaluation.synthetic import FamilyResult, SyntheticEvaluation, held_out_samples
from models.registry import get_preset

MAPS_FILE: Final = "synthetic.npz"


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticRequest(EvaluationRequest):
    """What to measure on the held-out synthetic world."""

    count: int = 200
    seed: int = 0


def evaluate_synthetic(request: SyntheticRequest, engine: Engine, track: Track = untracked) -> Report:
    """Measure image scores and pixel maps on held-out synthetic pictures: all together, and each anomaly family apart.

    Raises:
        DataError: the asked layers or the saved maps do not fit.
        WeightsError: the model's weights are missing.
    """
    start_s = time.perf_counter()
    maps = _kept(request.from_maps) if request.from_maps is not None else _made(request, engine, track)
    assert maps.gt_masks is not None
    layers = chosen_layers(request.settings, maps.layers, maps.preset)
    scoring = scoring_of(request.settings, maps.preset, maps.branch_maps.shape[1])
    low, high = get_preset(maps.preset).reading.fused_range(len(layers))
    evaluation = SyntheticEvaluation(low=low, high=high)
    for index in track(range(len(maps.names)), desc="scores", total=len(maps.names)):
        anomaly_map, score = map_and_score(
            maps.picture(index), maps.preset, maps.layers, layers, maps.image_size, request.settings
        )
        evaluation.add(anomaly_map, score, maps.gt_masks[index], maps.groups[index] or None)
    result = evaluation.result()
    return Report(
        data=f"synthetic, held out: {len(maps.names)} pictures, {maps.names[0]} to {maps.names[-1]}",
        preset=maps.preset,
        checkpoint=maps.checkpoint,
        backbone=maps.backbone,
        image_size=maps.image_size,
        layers=layers,
        top_k=scoring.top_k,
        alpha=scoring.alpha,
        top_patches=scoring.top_patches,
        blur_sigma=request.settings.blur_sigma,
        rows=tuple(_family_row(maps.preset, family) for family in (result.overall, *result.families)),
        seconds=time.perf_counter() - start_s,
    )


def _made(request: SyntheticRequest, engine: Engine, track: Track) -> LayerMapSet:
    """Run the model on every picture; layer maps and masks are kept (0.3 MB a picture), pictures are not."""
    model = resized(engine.model(request.preset), request.image_size)
    chosen_layers(request.settings, model.layers, request.preset)  # refuse what is wrong before the forward passes
    scoring_of(request.settings, request.preset, len(model.branches))
    samples = held_out_samples(request.count, request.seed, model.image_size)
    found = [
        (model.picture_maps(sample.image), sample.mask, sample.anomaly_family or "")
        for sample in track(samples, desc="synthetic", total=request.count)
    ]
    branch_maps, global_scores = stacked([maps for maps, _, _ in found])
    kept = LayerMapSet(
        branch_maps=branch_maps,
        global_scores=global_scores,
        layers=model.layers,
        image_size=model.image_size,
        names=tuple(f"seed {request.seed + index}" for index in range(request.count)),
        groups=tuple(family for _, _, family in found),
        anomalous=np.array([family != "" for _, _, family in found]),
        gt_masks=np.stack([mask for _, mask, _ in found]),
        preset=request.preset,
        checkpoint=model.checkpoint_digest,
        backbone=model.backbone_source,
    )
    if request.save_maps is not None:
        save_layer_maps(request.save_maps / MAPS_FILE, kept)
    return kept


def _kept(path: Path) -> LayerMapSet:
    maps = read_layer_maps(path)
    if maps.gt_masks is None:
        raise DataError(f"{path} holds no masks, so it is not of the synthetic world; give a {MAPS_FILE}.")
    return maps


def _family_row(preset: str, result: FamilyResult) -> ReportRow:
    return ReportRow(
        method=get_preset(preset).method,
        group=result.family,
        image=result.image,
        pixel=result.pixel,
        pro=result.pro,
        aupro=result.aupro,
    )
