"""What one job teaches: its examples, with the features that are needed computed or found."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from app.services.taught_pictures import PixelDigests, Split, Taught, gather, split
from app.services.teaching_examples import (
    Example,
    SyntheticCounts,
    copies,
    correction,
    mask_file,
    measured_synthetic,
    of_folder,
    replay,
)
from app.services.teaching_plan import Pupils
from models.errors import DataError

if TYPE_CHECKING:
    from app.services.teaching_course import Features
    from app.services.teaching_parent import Parent
    from app.store.job_records import TeachRequest
    from app.store.workspace import Workspace

Told = Callable[[str, float], object]  # what is done now, and which share of it all


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """Everything that is looked at."""

    pupils: Pupils
    replay: list[Example]  # learnt from beside the corrections
    synthetic: list[Example]  # never learnt from; the normal ones first
    normals: int  # how many of those are normal
    notes: tuple[str, ...]


def choose(workspace: Workspace, parent: Parent) -> tuple[Taught, Split]:
    """What is labelled, and which of it checks.

    Raises:
        DataError: too little is labelled.
    """
    taught = gather(workspace, PixelDigests(workspace, workspace.jobs.features_folder))
    return taught, split(taught.pictures, parent.taught, parent.held_out)


def prepare(
    workspace: Workspace,
    request: TeachRequest,
    parent: Parent,
    chosen: tuple[Taught, Split],
    counts: SyntheticCounts,
    features: Features,
    told: Told,
) -> Lesson:
    """Make the examples and compute the features that are missing.

    Args:
        workspace: whose pictures.
        request: what was asked for.
        parent: at the size that is taught.
        chosen: of `choose`.
        counts: of synthetic pictures.
        features: of the parent's frozen part; in full mode only those of measured synthetic pictures are kept.
        told: of every picture; it may raise.
    Raises:
        StoreError, PictureError, DataError: a picture or the cache cannot be used.
    """
    side, (taught, parts), quick = parent.model.image_size, chosen, request.mode == "quick"
    notes = list(taught.notes)
    pictures = parts.taught
    if not quick:
        pictures = tuple(picture for picture in pictures if picture.is_marked)
        if not pictures:
            raise DataError("Full teaching needs pictures whose pixels are marked; mark some, or teach quick.")
        if len(pictures) < len(parts.taught):
            notes.append("Full teaching leaves out anomalous pictures without marked pixels.")
    masks = mask_file(workspace.jobs.features_folder, side)
    folder = None if request.replay_folder is None else Path(request.replay_folder)
    done, total = 0, _total(parts, counts, folder)

    def seen(examples: Iterator[Example], what: str, *, kept: bool) -> list[Example]:
        nonlocal done
        found = []
        for example in examples:
            if kept:
                features.keep(example)
            done += 1
            told(f"looks at {what}, picture {done} of about {total}", min(done / total, 1.0))
            found.append(example)
        return found

    corrections = {
        picture.pixels: seen(
            iter(copies(workspace, picture, side, seed=request.seed, flips=request.flips)
                 if quick else [correction(workspace, picture, side)]),
            "your corrections", kept=quick,
        )
        for picture in pictures
    }  # fmt: skip
    checked = seen((correction(workspace, one, side) for one in parts.checked), "your corrections", kept=quick)
    replayed: list[Example] = []
    if quick:
        from_folder = of_folder(folder, side) if folder is not None else iter(())
        replayed = seen(chain(replay(counts, side, masks), from_folder), "pictures to replay", kept=True)
    synthetic = seen(measured_synthetic(counts, side, masks), "synthetic pictures to check with", kept=True)
    masks.close()
    return Lesson(Pupils(parts, corrections, checked), replayed, synthetic, counts.normals, tuple(notes))


def key_of(request: TeachRequest, parent: Parent, parts: Split, settings: str) -> str:
    """A digest of everything that decides what a job's courses do."""
    described = {
        "request": request.as_json(),
        "parent": parent.digest,
        "side": parent.model.image_size,
        "how": parts.how,
        "taught": [[one.digest, one.number] for one in parts.taught],
        "checked": [[one.digest, one.number] for one in parts.checked],
        "settings": settings,
    }
    return hashlib.sha256(json.dumps(described, sort_keys=True, default=str).encode()).hexdigest()


def _total(parts: Split, counts: SyntheticCounts, folder: Path | None) -> int:
    of_folder_at_most = 16 if folder is not None else 0
    return (
        2 * len(parts.taught)
        + len(parts.checked)
        + of_folder_at_most
        + sum((counts.replay, counts.normals, counts.anomalous))
    )
