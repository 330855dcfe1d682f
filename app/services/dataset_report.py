"""Measure a preset on a data set's folder: each class apart, and the unweighted mean of the classes.

One picture is in memory at a time, and the pixels of one class as histograms: memory does not grow with the set.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from app.services.overlap import overlap_warnings, trained_classes
from app.services.reports import (
    Engine,
    EvaluationRequest,
    Report,
    ReportRow,
    Track,
    chosen_layers,
    resized,
    scoring_of,
    untracked,
)
from app.services.tiled import TILED_EVALUATION, map_and_score_of
from models.data.datasets import DataSet, Sample, read_dataset, read_mask
from models.data.pictures import load_picture
from models.errors import DataError
from models.evaluation.histograms import PixelHistograms
from models.evaluation.metrics import RankingMetrics, ranking_metrics
from models.evaluation.pro import aupro, pro
from models.evaluation.published import PUBLISHED, published_set
from models.registry import get_preset

if TYPE_CHECKING:
    from app.services.inspection import FloatMaps
    from models.loading import LoadedModel

OnMap = Callable[["Sample", "FloatMaps", float], None]  # told each picture's map at the model's input size, and score


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderRequest(EvaluationRequest):
    """Which folder to measure on."""

    folder: Path
    layout: str = "auto"
    class_names: tuple[str, ...] | None = None  # None: all
    head_path: Path | None = None  # the head's file, which names the classes that it has seen; None: not known


def evaluate_folder(
    request: FolderRequest, engine: Engine, track: Track = untracked, on_map: OnMap = lambda *_: None
) -> Report:
    """Measure image scores, and pixel maps where every anomalous picture of a class has a mask.

    Raises:
        DataError: the folder is of no known layout or has no such class, or the asked layers do not fit.
        PictureError: a picture or mask cannot be read.
        WeightsError: the model's weights are missing.
    """
    start_s = time.perf_counter()
    found = read_dataset(request.folder, request.layout).of(split="test", class_names=request.class_names)
    if not found.samples:
        raise DataError(f"{request.folder} holds no test pictures; `python -m app data check` counts what it holds.")
    model = resized(engine.model(request.preset), request.image_size)
    layers = chosen_layers(request.settings, model.layers, request.preset)
    scoring = scoring_of(request.settings, request.preset, len(model.branches))
    ordered = sorted(found.samples, key=lambda sample: (sample.class_name, str(sample.path)))
    tracked = track(ordered, desc="pictures", total=len(ordered))
    rows = [
        _class_row(name, samples, model, layers, request, on_map)
        for name, samples in groupby(tracked, key=lambda sample: sample.class_name)
    ]
    mean = [mean_row(rows)] if len(rows) > 1 else []
    return Report(
        data=f"{found.name}: {len(ordered):,} test pictures",
        preset=request.preset,
        checkpoint=model.checkpoint_digest,
        backbone=model.backbone_source,
        image_size=model.image_size,
        layers=layers,
        top_k=scoring.top_k,
        alpha=scoring.alpha,
        top_patches=scoring.top_patches,
        blur_sigma=request.settings.blur_sigma,
        rows=(*rows, *mean, *published_rows(found, request.preset)),
        seconds=time.perf_counter() - start_s,
        warnings=(
            *overlap_warnings(model.trained_on, trained_classes(request.head_path), found),
            *([TILED_EVALUATION] if request.settings.tile is not None else []),
        ),
    )


def _class_row(
    name: str,
    samples: Iterable[Sample],
    model: LoadedModel,
    layers: tuple[int, ...],
    request: FolderRequest,
    on_map: OnMap,
) -> ReportRow:
    pixels = PixelHistograms(*model.preset.reading.fused_range(len(layers)))
    scores, labels, marked = [], [], True
    for sample in samples:
        anomaly_map, score = map_and_score_of(model, load_picture(sample.path).rgb, layers, request.settings)
        on_map(sample, anomaly_map, score)
        scores.append(score)
        labels.append(sample.is_anomalous)
        marked = marked and (sample.mask_path is not None or not sample.is_anomalous)
        if marked:
            pixels.add(anomaly_map, read_mask(sample, anomaly_map.shape))
    with_pixels = marked and any(labels)
    return ReportRow(
        method=get_preset(request.preset).method,
        group=name,
        image=ranking_metrics(scores, labels),
        pixel=pixels.metrics() if with_pixels else None,
        pro=pro(pixels) if with_pixels else None,
        aupro=aupro(pixels) if with_pixels else None,
    )


def mean_row(rows: Sequence[ReportRow]) -> ReportRow:
    """The unweighted mean of the classes; each metric over the classes that it applies to."""
    return ReportRow(
        method=rows[0].method,
        group="mean",
        image=_mean_ranking([row.image for row in rows]),
        pixel=_mean_ranking([row.pixel for row in rows if row.pixel is not None]),
        pro=_mean([row.pro for row in rows]),
        aupro=_mean([row.aupro for row in rows]),
    )


def _mean_ranking(metrics: Sequence[RankingMetrics]) -> RankingMetrics:
    return RankingMetrics(
        n_normal=sum(metric.n_normal for metric in metrics),
        n_anomalous=sum(metric.n_anomalous for metric in metrics),
        auroc=_mean([metric.auroc for metric in metrics]),
        average_precision=_mean([metric.average_precision for metric in metrics]),
        f1_max=_mean([metric.f1_max for metric in metrics]),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def published_rows(found: DataSet, preset: str) -> list[ReportRow]:
    """What the papers print for this set, the preset's own method first; none unless every class is measured."""
    named = published_set(found.class_names)
    if named is None:
        return []
    own = get_preset(preset).published
    return [
        ReportRow(
            method=f"published: {row.title}",
            group="mean",
            image=RankingMetrics(
                n_normal=0, n_anomalous=0, auroc=row.image_auroc, average_precision=row.image_ap, f1_max=row.image_f1
            ),
            pixel=RankingMetrics(
                n_normal=0, n_anomalous=0, auroc=row.pixel_auroc, average_precision=row.pixel_ap, f1_max=row.pixel_f1
            ),
            pro=row.pro,
        )
        for row in sorted(PUBLISHED[named], key=lambda row: row.method != own)
    ]
