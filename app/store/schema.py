"""The tables, as the program's queries see them; how they come about is in `migrations`.

`images`, `proposals` and `revisions` are only ever added to.  `standings` holds what the queue asks for, one row an
image; it follows from the others and is brought up to date in the transaction that changes them.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, MetaData, String, Table, Text, UniqueConstraint

METADATA: Final = MetaData()
_TIME: Final = String(32)  # ISO 8601 in UTC with microseconds, so that text sorts as time does

WORKSPACE: Final = Table(
    "workspace",
    METADATA,
    Column("id", Integer, primary_key=True),  # always 1
    Column("schema_version", Integer, nullable=False),
    Column("identity", String(32), nullable=False),  # ties the database to its folder
    Column("version", Integer, nullable=False),  # grows with every image, proposal and revision
)

IMAGES: Final = Table(
    "images",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("height", Integer, nullable=False),
    Column("width", Integer, nullable=False),
    Column("file_bytes", Integer, nullable=False),
    Column("added_at", _TIME, nullable=False),
    Column("added_by", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("note", Text, nullable=False),
    Index("images_by_name", "name", "digest"),
)

PROPOSALS: Final = Table(
    "proposals",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("image_id", ForeignKey("images.id"), nullable=False),
    Column("preset", Text, nullable=False),
    Column("checkpoint", Text, nullable=False),
    Column("settings", Text, nullable=False),
    Column("image_score", Float, nullable=False),
    Column("threshold", Float),
    Column("suspicious", Float),
    Column("verdict", Text, nullable=False),
    Column("mask_digest", String(64), nullable=False),
    Column("area_px", Integer, nullable=False),
    Column("proposed_at", _TIME, nullable=False),
    Index("proposals_by_image", "image_id", "id"),
    Index("proposals_by_mask", "mask_digest"),
)

REVISIONS: Final = Table(
    "revisions",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("image_id", ForeignKey("images.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("kind", String(8), nullable=False),
    Column("label", String(16)),
    Column("mask_digest", String(64)),
    Column("area_px", Integer, nullable=False),
    Column("regions", Text, nullable=False),  # JSON: [left, top, right, bottom, area, x, y, class] each
    Column("author", Text, nullable=False),
    Column("saved_at", _TIME, nullable=False),
    Column("source_kind", String(16), nullable=False),
    Column("preset", Text, nullable=False),
    Column("checkpoint", Text, nullable=False),
    Column("settings", Text, nullable=False),
    Column("proposal_id", ForeignKey("proposals.id")),
    Column("detail", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("based_on", Integer, nullable=False),
    Column("save_id", Text),
    UniqueConstraint("image_id", "number"),
    UniqueConstraint("image_id", "save_id"),
    Index("revisions_by_mask", "mask_digest"),
)

STANDINGS: Final = Table(
    "standings",
    METADATA,
    Column("image_id", ForeignKey("images.id"), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("last_number", Integer, nullable=False),  # of the newest revision, deletions included; 0 for none
    Column("revision_id", ForeignKey("revisions.id")),  # the live one
    Column("proposal_id", ForeignKey("proposals.id")),  # the newest one
    Column("image_score", Float),
    Column("uncertainty", Float),  # |score - threshold|: the smaller, the less certain
    Column("version", Integer, nullable=False),  # of the workspace when this image last got something
    Index("standings_by_state", "state"),
    Index("standings_by_version", "version"),
)

# The order in which images are best labelled, worked out anew from time to time; an annotation takes its image out.
BENEFITS: Final = Table(
    "benefits",
    METADATA,
    Column("image_id", ForeignKey("images.id"), primary_key=True),
    Column("place", Integer, nullable=False),  # 0 comes first
    Column("value", Float, nullable=False),
    Column("reason", Text, nullable=False),
    Column("uncertain", Float),
    Column("disagreement", Float),
    Column("novelty", Float),
)

DEFECT_CLASSES: Final = Table(
    "defect_classes",
    METADATA,
    Column("name", String(100), primary_key=True),
)
