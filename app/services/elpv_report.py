"""Measure a preset on the solar cells (elpv), and beside it what the nearest patch of a few normal cells reaches."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

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
from models.data.pictures import load_picture
from models.errors import DataError
from models.evaluation.elpv import CELL_TYPES, ElpvCell, find_elpv, limited, read_cells
from models.evaluation.metrics import ranking_metrics
from models.registry import get_backbone_spec, get_preset

if TYPE_CHECKING:
    from torch import Tensor

MAPS_FILE: Final = "elpv.npz"


@dataclass(frozen=True, slots=True, kw_only=True)
class ElpvRequest(EvaluationRequest):
    """What to measure on the solar cells."""

    cell_types: tuple[str, ...] = CELL_TYPES
    limit: int | None = None  # at most so many cells of each type and label
    head: bool = True  # False: only the nearest-patch comparison, which needs no head
    references: int = 0  # K of the nearest-patch comparison; 0 leaves it out
    seeds: int = 3  # how many draws of references are averaged


def evaluate_elpv(request: ElpvRequest, engine: Engine, track: Track = untracked) -> Report:
    """Measure image scores on solar cells with defect probability 0 against 1, each cell type apart.

    Raises:
        DataError: the cells are not installed, or saved maps or the asked layers do not fit.
        WeightsError: the model's weights are missing.
    """
    if not request.head and not request.references:
        raise DataError("There is nothing to measure without the head; ask for the comparison with --references K.")
    start_s = time.perf_counter()
    maps = _elpv_maps(request, engine, track) if request.head else None
    image_size = maps.image_size if maps else request.image_size or get_preset(request.preset).image_size
    scoring = scoring_of(request.settings, maps.preset, maps.branch_maps.shape[1]) if maps else None
    rows = _head_rows(maps, request, track) if maps else []
    if request.references:
        rows += _nearest_patch_rows(request, image_size, engine, track)
    return Report(
        data="elpv",
        preset=maps.preset if maps else request.preset,
        checkpoint=maps.checkpoint if maps else "",
        backbone=maps.backbone if maps else "",
        image_size=image_size,
        layers=chosen_layers(request.settings, maps.layers, maps.preset) if maps else (),
        top_k=scoring.top_k if scoring else None,
        alpha=scoring.alpha if scoring else None,
        top_patches=scoring.top_patches if scoring else None,
        blur_sigma=request.settings.blur_sigma,
        rows=tuple(rows),
        seconds=time.perf_counter() - start_s,
    )


def _elpv_maps(request: ElpvRequest, engine: Engine, track: Track) -> LayerMapSet:
    if request.from_maps is not None:
        return read_layer_maps(request.from_maps)
    cells = _cells(request)
    model = resized(engine.model(request.preset), request.image_size)
    chosen_layers(request.settings, model.layers, request.preset)  # refuse what is wrong before the forward passes
    scoring_of(request.settings, request.preset, len(model.branches))
    branch_maps, global_scores = stacked(
        [model.picture_maps(load_picture(cell.path).rgb) for cell in track(cells, desc="elpv", total=len(cells))]
    )
    maps = LayerMapSet(
        branch_maps=branch_maps,
        global_scores=global_scores,
        layers=model.layers,
        image_size=model.image_size,
        names=tuple(cell.path.name for cell in cells),
        groups=tuple(cell.cell_type for cell in cells),
        anomalous=np.array([cell.anomalous for cell in cells]),
        preset=request.preset,
        checkpoint=model.checkpoint_digest,
        backbone=model.backbone_source,
    )
    if request.save_maps is not None:
        save_layer_maps(request.save_maps / MAPS_FILE, maps)
    return maps


def _cells(request: ElpvRequest) -> list[ElpvCell]:
    return limited(read_cells(find_elpv(), request.cell_types), request.limit)


def _head_rows(maps: LayerMapSet, request: ElpvRequest, track: Track) -> list[ReportRow]:
    chosen = chosen_layers(request.settings, maps.layers, maps.preset)
    scores = np.array(
        [
            map_and_score(maps.picture(index), maps.preset, maps.layers, chosen, maps.image_size, request.settings)[1]
            for index in track(range(len(maps.names)), desc="scores", total=len(maps.names))
        ]
    )
    groups = np.array(maps.groups)
    return [
        ReportRow(
            method=get_preset(maps.preset).method,
            group=group,
            image=ranking_metrics(scores[groups == group], maps.anomalous[groups == group]),
        )
        for group in dict.fromkeys(maps.groups)
        if group in request.cell_types
    ]


def _nearest_patch_rows(request: ElpvRequest, image_size: int, engine: Engine, track: Track) -> list[ReportRow]:
    cells_of = {name: [c for c in _cells(request) if c.cell_type == name] for name in request.cell_types}
    for name, cells in cells_of.items():
        if not 1 <= request.references < sum(not cell.anomalous for cell in cells):
            raise DataError(f"{request.references} references leave no normal {name} cell to test; take fewer.")
    tokens_of = _token_reader(request.preset, image_size, engine)
    return [_nearest_patch_row(request, name, cells, tokens_of, track) for name, cells in cells_of.items()]


def _nearest_patch_row(
    request: ElpvRequest, name: str, cells: list[ElpvCell], tokens_of: Callable[[Path], Tensor], track: Track
) -> ReportRow:
    from models.evaluation.nearest_patch import compare

    comparison = compare(
        lambda index: tokens_of(cells[index].path),
        [cell.anomalous for cell in cells],
        references=request.references,
        seeds=request.seeds,
        indices=track(range(len(cells)), desc=f"nearest patch, {name}", total=len(cells)),
    )
    return ReportRow(
        method=f"nearest patch, {request.references}-shot, {request.seeds} draws",
        group=name,
        image=comparison.mean,
        auroc_range=comparison.auroc_range,
    )


def _token_reader(preset: str, image_size: int, engine: Engine) -> Callable[[Path], Tensor]:
    from models.evaluation.nearest_patch import unit_tokens
    from models.preprocessing import to_input

    backbone, spec = engine.backbone(preset), get_backbone_spec(get_preset(preset).backbone)
    device = next(backbone.parameters()).device

    def tokens_of(path: Path) -> Tensor:
        images = to_input(load_picture(path).rgb, (image_size, image_size), spec).unsqueeze(0)
        return unit_tokens(backbone, images.to(device))[0]

    return tokens_of
