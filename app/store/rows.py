"""From the database's rows to records and back.  Pure functions."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import RowMapping

from app.store.records import Benefit, NewProposal, NewRevision, Proposal, Region, Revision, Source, StoredImage


def time_text(moment: datetime) -> str:
    """As it is stored: ISO 8601 in UTC, always of the same length."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def stored_text(text: str) -> str:
    """A text that every database takes: what no Unicode text may hold (file names do) is replaced."""
    return text.replace("\0", "?").encode("utf-8", "replace").decode()


def image_of(row: RowMapping) -> StoredImage:
    """A row of `images`."""
    return StoredImage(
        digest=row["digest"],
        name=row["name"],
        size_hw=(row["height"], row["width"]),
        file_bytes=row["file_bytes"],
        added_at=datetime.fromisoformat(row["added_at"]),
        added_by=row["added_by"],
        origin=row["origin"],
        note=row["note"],
    )


def image_row(image: StoredImage) -> dict[str, Any]:
    """The values of a row of `images`."""
    return {
        "digest": image.digest,
        "name": image.name,
        "height": image.size_hw[0],
        "width": image.size_hw[1],
        "file_bytes": image.file_bytes,
        "added_at": time_text(image.added_at),
        "added_by": image.added_by,
        "origin": image.origin,
        "note": image.note,
    }


def proposal_of(row: RowMapping, image_digest: str) -> Proposal:
    """A row of `proposals`."""
    return Proposal(
        id=row["id"],
        image_digest=image_digest,
        preset=row["preset"],
        checkpoint=row["checkpoint"],
        settings=row["settings"],
        image_score=row["image_score"],
        threshold=row["threshold"],
        suspicious=row["suspicious"],
        verdict=row["verdict"],
        mask_digest=row["mask_digest"],
        proposed_at=datetime.fromisoformat(row["proposed_at"]),
    )


def proposal_row(new: NewProposal, mask_digest: str, proposed_at: datetime) -> dict[str, Any]:
    """The values of a row of `proposals`, without its image."""
    return {
        "preset": stored_text(new.preset),
        "checkpoint": stored_text(new.checkpoint),
        "settings": stored_text(new.settings),
        "image_score": float(new.image_score),
        "threshold": None if new.threshold is None else float(new.threshold),
        "suspicious": None if new.suspicious is None else float(new.suspicious),
        "verdict": stored_text(new.verdict),
        "mask_digest": mask_digest,
        "area_px": int(new.mask.sum()),
        "proposed_at": time_text(proposed_at),
    }


def revision_of(row: RowMapping, image_digest: str) -> Revision:
    """A row of `revisions`."""
    return Revision(
        image_digest=image_digest,
        number=row["number"],
        kind=row["kind"],
        label=row["label"],
        mask_digest=row["mask_digest"],
        area_px=row["area_px"],
        regions=_regions_of(row["regions"]),
        author=row["author"],
        saved_at=datetime.fromisoformat(row["saved_at"]),
        source=Source(
            kind=row["source_kind"],
            preset=row["preset"],
            checkpoint=row["checkpoint"],
            settings=row["settings"],
            proposal_id=row["proposal_id"],
            detail=row["detail"],
        ),
        note=row["note"],
        based_on=row["based_on"],
        save_id=row["save_id"] or "",
    )


def revision_row(new: NewRevision, area_px: int, regions: Iterable[Region], saved_at: datetime) -> dict[str, Any]:
    """The values of a row of `revisions`, without its image, number and mask."""
    source = new.source
    return {
        "kind": "save",
        "label": new.label,
        "mask_digest": None,
        "area_px": area_px,
        "regions": _regions_text(regions),
        "author": stored_text(new.author),
        "saved_at": time_text(saved_at),
        "source_kind": stored_text(source.kind),
        "preset": stored_text(source.preset),
        "checkpoint": stored_text(source.checkpoint),
        "settings": stored_text(source.settings),
        "proposal_id": source.proposal_id,
        "detail": stored_text(source.detail),
        "note": stored_text(new.note),
        "based_on": new.based_on,
        "save_id": stored_text(new.save_id) or None,
    }


def benefit_of(row: RowMapping) -> Benefit:
    """A row of `benefits`."""
    return Benefit(
        value=row["value"],
        reason=row["reason"],
        uncertain=row["uncertain"],
        disagreement=row["disagreement"],
        novelty=row["novelty"],
    )


def benefit_row(benefit: Benefit) -> dict[str, Any]:
    """The values of a row of `benefits`, without its image and place."""
    return {
        "value": benefit.value,
        "reason": stored_text(benefit.reason),
        "uncertain": benefit.uncertain,
        "disagreement": benefit.disagreement,
        "novelty": benefit.novelty,
    }


def _regions_text(regions: Iterable[Region]) -> str:
    rows = [
        [*region.box_xyxy, region.area_px, *region.point_xy, stored_text(region.defect_class)] for region in regions
    ]
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"))


def _regions_of(text: str) -> tuple[Region, ...]:
    return tuple(
        Region((left, top, right, bottom), area_px, (x, y), defect_class)
        for left, top, right, bottom, area_px, x, y, defect_class in json.loads(text)
    )
