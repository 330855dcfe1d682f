"""What a workspace takes and gives: plain frozen records, without a database behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]  # (H, W), True where something is odd
Label = Literal["normal", "anomalous", "unsure"]
State = Literal["new", "proposed", "corrected", "confirmed", "unsure"]
Sort = Literal["newest", "oldest", "score", "uncertainty", "benefit", "name"]
RevisionKind = Literal["save", "delete"]
LABELS: Final[tuple[Label, ...]] = get_args(Label)
STATES: Final[tuple[State, ...]] = get_args(State)
SORTS: Final[tuple[Sort, ...]] = get_args(Sort)


@dataclass(frozen=True, slots=True)
class StoredImage:
    """A picture file of the workspace."""

    digest: str  # SHA-256 of the file's bytes, hexadecimal
    name: str  # as it was first added
    size_hw: tuple[int, int]  # pixels, upright
    file_bytes: int
    added_at: datetime  # UTC
    added_by: str
    origin: str  # where it came from, for people
    note: str  # the rules that were used to read it; "" for an ordinary picture


@dataclass(frozen=True, slots=True)
class Added:
    """The answer to adding an image."""

    image: StoredImage
    is_new: bool  # False: these very bytes were there already


@dataclass(frozen=True, slots=True)
class DefectClass:
    """The name of a region's defect, attached through one of the region's pixels."""

    point_xy: tuple[int, int]
    name: str  # not empty, 100 characters at most


@dataclass(frozen=True, slots=True)
class Region:
    """One 8-connected part of a mask."""

    box_xyxy: tuple[int, int, int, int]  # right and bottom exclusive
    area_px: int
    point_xy: tuple[int, int]  # a pixel of the region
    defect_class: str  # "" for none


@dataclass(frozen=True, slots=True)
class Source:
    """How an annotation came about."""

    kind: str = "hand"  # "proposal", "hand", "import", "restore" or "api"
    preset: str = ""
    checkpoint: str = ""
    settings: str = ""  # JSON
    proposal_id: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, eq=False)  # eq=False: an array has no single truth value
class NewRevision:
    """An annotation to save."""

    label: Label
    mask: Mask | None  # at the image's size; None: nobody marked the pixels
    author: str
    classes: tuple[DefectClass, ...] = ()
    source: Source = Source()
    note: str = ""
    based_on: int = 0  # number of the revision that its author saw; 0 for none
    save_id: str = ""  # the same one twice is the same save, which is then answered again; "" for none


@dataclass(frozen=True, slots=True)
class Revision:
    """A saved annotation, or the deletion of one."""

    image_digest: str
    number: int  # counts from 1 within its image
    kind: RevisionKind
    label: Label | None  # None for a deletion
    mask_digest: str | None
    area_px: int
    regions: tuple[Region, ...]  # largest first
    author: str
    saved_at: datetime  # UTC
    source: Source
    note: str
    based_on: int
    save_id: str


@dataclass(frozen=True, slots=True)
class Saved:
    """The answer to a save."""

    revision: Revision
    overtaken: tuple[Revision, ...]  # what was saved between `based_on` and this revision, oldest first
    repeated: bool  # this save_id was known: nothing was saved, `revision` is the one of the first time


@dataclass(frozen=True, slots=True, eq=False)
class NewProposal:
    """What a model suggests for an image."""

    preset: str
    checkpoint: str
    settings: str  # JSON
    image_score: float
    threshold: float | None
    suspicious: float | None
    verdict: str
    mask: Mask


@dataclass(frozen=True, slots=True)
class Proposal:
    """A stored suggestion of a model."""

    id: int
    image_digest: str
    preset: str
    checkpoint: str
    settings: str  # JSON
    image_score: float
    threshold: float | None
    suspicious: float | None
    verdict: str
    mask_digest: str
    proposed_at: datetime  # UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class Benefit:
    """What labelling an image is expected to bring; the parts are in [0, 1], None where nothing is known of one."""

    value: float  # of all parts together, in [0, 1]
    reason: str  # a few words for people
    uncertain: float | None = None  # 1 = its score is the threshold
    disagreement: float | None = None  # 1 = layers or methods contradict each other
    novelty: float | None = None  # 1 = it looks like nothing that is labelled


@dataclass(frozen=True, slots=True)
class QueueItem:
    """An image and how far it is."""

    image: StoredImage
    state: State
    newest: Revision | None  # the live one, without its regions
    proposal: Proposal | None  # the newest one
    benefit: Benefit | None = None  # None: never ranked, or annotated since


@dataclass(frozen=True, slots=True)
class QueuePage:
    """A part of the queue."""

    items: tuple[QueueItem, ...]
    total: int  # images that match the filter
    counts: Mapping[State, int]  # of the whole workspace; every state has its number
    version: int  # of the workspace when this was read
