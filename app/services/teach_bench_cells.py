"""Teach on solar cells (elpv) as a simulated person would: what corrections bring on cells that are never shown.

Only image labels exist there.  The person confirms normal cells and paints the top region of true defects by one of the
rules of `teach_bench_person`.  What is taught is drawn from a pool of cells that is never tested.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from app.services.before_after import reader_of_preset
from app.services.reports import Track, untracked
from app.services.teach_bench import Classroom, Exam, Labelled, Outcome, Results, in_turn
from app.services.teach_bench_person import (
    KNOWN_NORMALS,
    RegionRule,
    difference_from_normals,
    resized_mask,
    top_region,
)
from models.data.pictures import load_picture
from models.errors import DataError
from models.evaluation.elpv import ElpvCell
from models.evaluation.metrics import ranking_metrics

if TYPE_CHECKING:
    from app.services.picture_features import PictureFeatures
    from models.data.pictures import Picture

DEFAULT_COUNTS: Final = (0, 5, 10, 20, 50)
POOL: Final = 75  # cells of each label that may be shown; a third where there are few
SHOWN_NORMALS: Final = 4  # to the nearest patch that teaching is compared with
TAUGHT, ZERO_SHOT, NEAREST = "taught", "zero-shot", "nearest patch"
_CELLS: Final = "cells"


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveRow:
    """One point of a curve: image AUROC over the seeds."""

    group: str
    method: str
    count: int  # pictures shown
    auroc: float  # mean
    lowest: float
    highest: float
    better: int  # how many versions teaching itself called better
    n_normal: int
    n_anomalous: int


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """The cells of one type: those that may be shown, and those that are tested."""

    group: str
    features: PictureFeatures
    paths: tuple[Path, ...]
    digests: tuple[str, ...]  # in `features`
    anomalous: NDArray[np.bool_]
    pool: NDArray[np.int64]  # places; of each label equally many
    tested: NDArray[np.int64]

    def picture(self, place: int) -> Picture:
        """One cell."""
        return load_picture(self.paths[place])


def read_cells_apart(
    known: Sequence[ElpvCell], group: str, features: PictureFeatures, track: Track = untracked
) -> Cells:
    """Compute what is missing of the cells of one type, and set the pool apart; the same cells always give the same.

    Raises:
        DataError: there are too few cells of a label.
    """
    cells = [cell for cell in known if cell.cell_type == group]
    anomalous = np.array([cell.anomalous for cell in cells], dtype=np.bool_)
    rng, pool = np.random.default_rng(0), []
    for label in (False, True):
        places = np.flatnonzero(anomalous == label)
        count = min(POOL, len(places) // 3)
        if not count:
            raise DataError(f"There are too few {group} cells to set some apart; raise --limit.")
        pool.append(rng.permutation(places)[:count])
    size = min(map(len, pool))
    shown = np.concatenate([places[:size] for places in pool])
    digests = []
    for cell in track(cells, desc=f"features, {group}", total=len(cells)):
        picture = load_picture(cell.path)
        features.add(picture)
        digests.append(picture.digest)
    return Cells(
        group=group,
        features=features,
        paths=tuple(cell.path for cell in cells),
        digests=tuple(digests),
        anomalous=anomalous,
        pool=shown,
        tested=np.setdiff1d(np.arange(len(cells)), np.concatenate(pool)),
    )


def measure_cells(
    cells: Cells,
    classroom: Classroom,
    results: Results,
    *,
    counts: Sequence[int],
    seeds: int,
    rule: RegionRule,
    track: Track = untracked,
) -> list[CurveRow]:
    """The curve of one cell type, with what it is compared with, on the same cells.

    Raises:
        DataError: more corrections are asked for than the pool has; or what teaching raises.
    """
    most = len(cells.pool)
    if (max(counts) + 1) // 2 * 2 > most:
        raise DataError(f"Only {most} {cells.group} cells are set apart to be shown, not {max(counts)}; take fewer.")
    tested = {_CELLS: _tested(cells, classroom)}
    rows = [_row(cells, ZERO_SHOT, 0, [classroom.untaught(tested)], [])]
    drawn = [_drawn(cells, seed) for seed in range(seeds)]
    rows.append(_nearest_row(cells, [normal[:SHOWN_NORMALS] for normal, _ in drawn]))
    labels = [_labelled(cells, classroom, normal, anomalous, max(counts), rule) for normal, anomalous in drawn]
    course = [(count, seed) for count in sorted(counts) if count for seed in range(seeds)]
    found: dict[int, list[Outcome]] = {}
    for count, seed in track(course, desc=f"teaching, {cells.group}", total=len(course)):
        outcome = results.get_or_measure(
            lambda count=count, seed=seed: classroom.teach(labels[seed][:count], seed, tested),  # type: ignore[misc]
            cells=[cells.digests[place] for place in (*cells.pool, *cells.tested)],
            rule=rule,
            count=count,
            seed=seed,
        )
        found.setdefault(count, []).append(outcome)
    return [*rows, *(_row(cells, TAUGHT, count, outcomes, []) for count, outcomes in found.items())]


def _tested(cells: Cells, classroom: Classroom) -> Exam:
    found = []
    for place in cells.tested:
        image = classroom.add(cells.paths[place].read_bytes(), cells.paths[place].name)
        found.append(classroom.tested(image, anomalous=bool(cells.anomalous[place])))
    return Exam(tuple(found))


def _drawn(cells: Cells, seed: int) -> tuple[list[int], list[int]]:
    """Normal and anomalous places of the pool in the order in which a person meets them."""
    order = np.random.default_rng(seed).permutation(cells.pool)
    return (
        [int(place) for place in order if not cells.anomalous[place]],
        [int(place) for place in order if cells.anomalous[place]],
    )


def _labelled(
    cells: Cells, classroom: Classroom, normal: Sequence[int], anomalous: Sequence[int], most: int, rule: RegionRule
) -> list[Labelled]:
    """What the person does with the first cells of a draw."""
    pairs = (most + 1) // 2

    def stored(place: int, mask: NDArray[np.bool_] | None) -> Labelled:
        path = cells.paths[place]
        return Labelled(classroom.add(path.read_bytes(), path.name), mask)

    painted = [stored(place, _painted(cells, place, normal[:KNOWN_NORMALS], rule)) for place in anomalous[:pairs]]
    return in_turn([stored(place, None) for place in normal[:pairs]], painted)


def _painted(cells: Cells, place: int, normal: Sequence[int], rule: RegionRule) -> NDArray[np.bool_]:
    features, model = cells.features, cells.features.model
    side = model.image_size
    if rule == "map":
        found = reader_of_preset(model).anomaly_map(features.maps(cells.digests[place]), size_hw=(side, side))
    else:
        known = [features.tokens(cells.digests[one]) for one in normal]
        found = difference_from_normals(features.tokens(cells.digests[place]), known, side, model.preset.blur_sigma)
    height, width = cells.picture(place).rgb.shape[:2]
    return resized_mask(top_region(found), (height, width))


def _nearest_row(cells: Cells, draws: Sequence[Sequence[int]]) -> CurveRow:
    import torch

    from models.evaluation.nearest_patch import nearest_distances, nearest_patch_score

    banks = [torch.stack([cells.features.tokens(cells.digests[place]) for place in draw]) for draw in draws]
    scores = np.zeros((len(draws), len(cells.tested)))
    for column, place in enumerate(cells.tested):
        tokens = cells.features.tokens(cells.digests[place])
        scores[:, column] = [nearest_patch_score(nearest_distances(tokens, bank)) for bank in banks]
    anomalous = cells.anomalous[cells.tested]
    found = [ranking_metrics(values, anomalous).auroc or 0.0 for values in scores]
    return _row(cells, NEAREST, len(draws[0]), [], found)


def _row(cells: Cells, method: str, count: int, outcomes: Sequence[Outcome], found: list[float]) -> CurveRow:
    aurocs = [*found, *(outcome.measures[_CELLS].image_auroc or 0.0 for outcome in outcomes)]
    anomalous = int(cells.anomalous[cells.tested].sum())
    return CurveRow(
        group=cells.group,
        method=method,
        count=count,
        auroc=float(np.mean(aurocs)),
        lowest=min(aurocs),
        highest=max(aurocs),
        better=sum(outcome.sentence.startswith("It got better") for outcome in outcomes),
        n_normal=len(cells.tested) - anomalous,
        n_anomalous=anomalous,
    )
