"""Measure references on the solar cells (elpv): zero-shot, references alone, and both fused, by how many are shown.

Every draw of references is nested: k references are the first k of the largest draw, and all of that draw are left out
of its test, so that columns differ by nothing but k.  Features of every cell are computed once and kept on disk; seeds
and shots then cost distances alone.  Maps, units and scores are those of `Inspector.inspect` at the model's input size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from app.services.fusing import MapReader, reader_of, thresholds_of
from app.services.inspection import FloatMaps
from app.services.picture_features import PictureFeatures
from app.services.reference_fusing import Adapted, fused, of_references, reference_weight
from app.services.reference_inspection import adapt, look_at_references, reference_settings, reference_thresholds
from app.services.references import ReferenceBuilder, References, patch_values
from app.services.reports import Track, untracked
from app.services.scores import top_fraction_mean
from models.config import InspectionConfig
from models.data.pictures import load_picture
from models.errors import DataError
from models.evaluation.elpv import CELL_TYPES, ElpvCell
from models.evaluation.metrics import ranking_metrics
from models.reading import PictureMaps

if TYPE_CHECKING:
    from torch import Tensor

    from models.data.pictures import Picture

ZERO_SHOT, REFERENCES, FUSED, MUTUAL = "zero-shot", "references", "fused", "mutual"
DEFAULT_SHOTS: Final = (0, 1, 2, 4, 8, 16)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceBenchRequest:
    """What to measure."""

    cell_types: tuple[str, ...] = CELL_TYPES
    shots: tuple[int, ...] = DEFAULT_SHOTS
    seeds: int = 3  # draws; their seeds are 0, 1, ...
    limit: int | None = None  # at most so many cells of each type and label
    mutual: int = 200  # unlabelled cells that judge each other; 0 leaves it out
    mutual_anomalous: float = 0.25  # share of them
    compare_with: int | None = None  # with so many others at most; None = with all


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceRow:
    """One cell of the table: image AUROC over the draws."""

    method: str
    group: str
    shots: int
    auroc: float  # mean
    lowest: float
    highest: float
    n_normal: int
    n_anomalous: int


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """The cells of one type, with the features of each on disk."""

    group: str
    features: PictureFeatures
    paths: tuple[Path, ...]
    digests: tuple[str, ...]
    anomalous: NDArray[np.bool_]

    def picture(self, index: int) -> Picture:
        """One cell."""
        return load_picture(self.paths[index])


@dataclass(frozen=True, slots=True, eq=False)
class _Shot:
    """What was learnt from the first k references of a draw."""

    count: int
    reference: Adapted
    zero_shot: Adapted


@dataclass(frozen=True, slots=True, eq=False)
class _Draw:
    """One draw of references: the bank of all, and what each number of them says."""

    members: tuple[int, ...]  # indices of cells
    rows: Tensor  # (L, K * N, D), reference by reference
    values: Tensor  # (K * N, V), what the zero-shot method says about each patch
    shots: tuple[_Shot, ...]


def read_features(cells: Sequence[ElpvCell], group: str, features: PictureFeatures, track: Track = untracked) -> Cells:
    """Compute what the cache does not hold yet of the cells of one type."""
    of_type = [cell for cell in cells if cell.cell_type == group]
    digests = []
    for cell in track(of_type, desc=f"features, {group}", total=len(of_type)):
        picture = load_picture(cell.path)
        features.add(picture)
        digests.append(picture.digest)
    return Cells(
        group=group,
        features=features,
        paths=tuple(cell.path for cell in of_type),
        digests=tuple(digests),
        anomalous=np.array([cell.anomalous for cell in of_type]),
    )


def measure_references(
    cells: Cells, request: ReferenceBenchRequest, builder: ReferenceBuilder, track: Track = untracked
) -> list[ReferenceRow]:
    """Fill the rows of one cell type.

    Raises:
        DataError: too few normal cells to draw from.
    """
    shots = sorted({count for count in request.shots if count > 0})
    draws = [_drawn(cells, shots, seed, builder) for seed in range(request.seeds)]
    scores = {
        (method, count): np.zeros((request.seeds, len(cells.digests)))
        for count in [0, *shots]
        for method in ((ZERO_SHOT,) if not count else (REFERENCES, FUSED))
    }
    for index in track(range(len(cells.digests)), desc=f"scores, {cells.group}", total=len(cells.digests)):
        zero_shot_map = _zero_shot_map(cells, index)
        own_score = top_fraction_mean(zero_shot_map, _zero_shot_reader(cells).top_k)
        tokens = cells.features.tokens(cells.digests[index])
        for seed, draw in enumerate(draws):
            scores[ZERO_SHOT, 0][seed, index] = own_score
            for shot, (reference_map, matched_map) in zip(
                draw.shots, _reference_maps(cells, tokens, draw), strict=True
            ):
                in_units = shot.reference.units.of_map(reference_map)
                weight = reference_weight(None, shot.zero_shot.of_normal)
                both = fused(shot.zero_shot.units.of_map(zero_shot_map - matched_map), in_units, weight)
                top_k = _zero_shot_reader(cells).top_k
                scores[REFERENCES, shot.count][seed, index] = top_fraction_mean(in_units, top_k)
                scores[FUSED, shot.count][seed, index] = top_fraction_mean(both, top_k)
    return [_row(cells, draws, method, count, values) for (method, count), values in scores.items()]


def measure_mutual(cells: Cells, request: ReferenceBenchRequest, track: Track = untracked) -> ReferenceRow:
    """Let unlabelled cells of one type judge each other; seed 0 draws them."""
    from models.methods.mutual import mutual_maps

    anomalous = round(request.mutual * request.mutual_anomalous)
    rng = np.random.default_rng(0)
    kinds = ((True, anomalous), (False, request.mutual - anomalous))
    for label, count in kinds:
        if count > int((cells.anomalous == label).sum()):
            raise DataError(f"There are too few {cells.group} cells for {request.mutual} with defects in a quarter.")
    chosen = np.concatenate(
        [rng.choice(np.flatnonzero(cells.anomalous == label), n, replace=False) for label, n in kinds]
    )
    chosen = rng.permutation(chosen)
    found = mutual_maps(
        lambda place: cells.features.tokens(cells.digests[chosen[place]]),
        len(chosen),
        compare_with=request.compare_with,
    )
    reader = _reference_reader(cells)
    scores = [
        top_fraction_mean(_as_map(distances, cells, reader), reader.top_k)
        for distances in track(found, desc=f"mutual, {cells.group}", total=len(chosen))
    ]
    metrics = ranking_metrics(np.array(scores), cells.anomalous[chosen])
    assert metrics.auroc is not None
    return ReferenceRow(
        method=MUTUAL,
        group=cells.group,
        shots=0,
        auroc=metrics.auroc,
        lowest=metrics.auroc,
        highest=metrics.auroc,
        n_normal=metrics.n_normal,
        n_anomalous=metrics.n_anomalous,
    )


def _drawn(cells: Cells, shots: Sequence[int], seed: int, builder: ReferenceBuilder) -> _Draw:
    import torch

    normal = np.flatnonzero(~cells.anomalous)
    largest = max(shots, default=0)
    if largest >= len(normal):
        raise DataError(f"{largest} references leave no normal {cells.group} cell to test; take fewer.")
    members = tuple(int(index) for index in np.random.default_rng(seed).permutation(normal)[:largest])
    pictures = [cells.picture(index) for index in members]
    made = [builder.build(pictures[:count]) for count in shots]
    if not pictures:
        return _Draw((), torch.zeros(0), torch.zeros(0), ())
    rows = torch.cat([builder.tokens(picture) for picture in pictures], dim=1)
    said = [cells.features.maps(picture.digest) for picture in pictures]
    values = patch_values(said, cells.features.describer.grid_hw)
    return _Draw(members, rows, values, tuple(_shot(cells, references, builder) for references in made))


def _shot(cells: Cells, references: References, builder: ReferenceBuilder) -> _Shot:
    reader, features = _zero_shot_reader(cells), cells.features
    own = features.model.calibration
    said = [features.maps(digest) for digest in references.digests]
    on_references = look_at_references(references, said, features.model, builder)
    return _Shot(
        count=len(references),
        reference=of_references(reference_thresholds(references, _reference_reader(cells))),
        zero_shot=adapt(on_references, reader, None if own is None else thresholds_of(own, reader)),
    )


def _reference_maps(cells: Cells, tokens: Tensor, draw: _Draw) -> Iterator[tuple[FloatMaps, FloatMaps]]:
    """For each k the distances to the first k references, and what the method says about like patches of them.

    Every reference is compared once: minima and sums go on from one k to the next.
    """
    import torch

    from models.methods.matched import matched_sums
    from models.methods.nearest_patch import nearest

    patches, done = tokens.shape[1], 0
    distances = tokens.new_full(tokens.shape[:2], 2.0)
    weighted, weights = torch.zeros(patches, draw.values.shape[1]), torch.zeros(patches, 1)
    for shot in draw.shots:
        new = slice(done * patches, shot.count * patches)
        rows = draw.rows[:, new]
        further = torch.stack([nearest(own, others) for own, others in zip(tokens, rows, strict=True)])
        distances = distances.minimum(further)
        sums = matched_sums(tokens, rows, draw.values[new])
        weighted, weights, done = weighted + sums[0], weights + sums[1], shot.count
        yield _as_map(distances, cells, _reference_reader(cells)), _matched_map(cells, weighted / weights)


def _matched_map(cells: Cells, values: Tensor) -> FloatMaps:
    model, (gh, gw) = cells.features.model, cells.features.describer.grid_hw
    maps = PictureMaps(values.T.reshape(len(model.branches), len(model.layers), gh, gw).contiguous().numpy())
    return _zero_shot_reader(cells).anomaly_map(maps, size_hw=(model.image_size, model.image_size))


def _as_map(distances: Tensor, cells: Cells, reader: MapReader) -> FloatMaps:
    maps = PictureMaps(distances.unflatten(1, cells.features.describer.grid_hw).unsqueeze(0).numpy())
    side = cells.features.model.image_size
    return reader.anomaly_map(maps, size_hw=(side, side))


def _zero_shot_map(cells: Cells, index: int) -> FloatMaps:
    side = cells.features.model.image_size
    return _zero_shot_reader(cells).anomaly_map(cells.features.maps(cells.digests[index]), size_hw=(side, side))


def _settings(cells: Cells) -> InspectionConfig:
    preset = cells.features.model.preset
    return InspectionConfig(top_k=preset.top_k, blur_sigma=preset.blur_sigma)


def _zero_shot_reader(cells: Cells) -> MapReader:
    return reader_of(cells.features.model, _settings(cells))


def _reference_reader(cells: Cells) -> MapReader:
    from app.services.patch_tokens import reference_model
    from models.presets import NEAREST_PATCH_PRESET

    describer = cells.features.describer
    settings = reference_settings(_settings(cells), cells.features.model.image_size, describer.image_size)
    return reader_of(reference_model(NEAREST_PATCH_PRESET, describer), settings)


def _row(cells: Cells, draws: Sequence[_Draw], method: str, count: int, scores: NDArray[np.float64]) -> ReferenceRow:
    results = []
    for draw, values in zip(draws, scores, strict=True):
        tested = np.setdiff1d(np.arange(len(values)), draw.members)
        results.append(ranking_metrics(values[tested], cells.anomalous[tested]))
    found = [result.auroc for result in results if result.auroc is not None]
    return ReferenceRow(
        method=method,
        group=cells.group,
        shots=count,
        auroc=float(np.mean(found)),
        lowest=min(found),
        highest=max(found),
        n_normal=results[0].n_normal,
        n_anomalous=results[0].n_anomalous,
    )
