"""What is asked of the database, on a connection that reads.  Long answers come in parts, never whole."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, RowMapping, func, select, tuple_

from app.store.blobs import is_digest
from app.store.errors import StoreError, UnknownImageError
from app.store.records import Proposal, Revision, StoredImage
from app.store.rows import image_of, proposal_of, revision_of
from app.store.schema import DEFECT_CLASSES, IMAGES, PROPOSALS, REVISIONS, STANDINGS, WORKSPACE

PART: Final = 200  # rows that are read at once
MAX_INTEGER: Final = 2**31 - 1  # that every database takes


def version(connection: Connection) -> int:
    """The number that grows with every change."""
    return int(connection.execute(select(WORKSPACE.c.version)).scalar_one())


def find_image(connection: Connection, digest: str) -> StoredImage | None:
    """The image with this digest, if there is one."""
    if not is_digest(digest):  # also what a database would stumble over
        return None
    row = connection.execute(select(IMAGES).where(IMAGES.c.digest == digest)).mappings().one_or_none()
    return None if row is None else image_of(row)


def image(connection: Connection, digest: str) -> StoredImage:
    """The image with this digest.

    Raises:
        UnknownImageError: there is none.
    """
    found = find_image(connection, digest)
    if found is None:
        raise unknown_image(digest)
    return found


def images_after(connection: Connection, image_id: int) -> list[tuple[int, StoredImage]]:
    """The next part of all images, oldest first, with their ids; start with 0."""
    query = select(IMAGES).where(IMAGES.c.id > image_id).order_by(IMAGES.c.id).limit(PART)
    return [(row["id"], image_of(row)) for row in connection.execute(query).mappings()]


def standing(connection: Connection, digest: str) -> RowMapping:
    """The row of `standings` of an image.

    Raises:
        UnknownImageError: there is no such image.
    """
    query = select(STANDINGS).join(IMAGES, IMAGES.c.id == STANDINGS.c.image_id).where(IMAGES.c.digest == digest)
    row = connection.execute(query).mappings().one_or_none() if is_digest(digest) else None
    if row is None:
        raise unknown_image(digest)
    return row


def newest(connection: Connection, digest: str) -> Revision | None:
    """The live revision of an image.

    Raises:
        UnknownImageError: there is no such image.
    """
    revision_id = standing(connection, digest)["revision_id"]
    query = select(REVISIONS).where(REVISIONS.c.id == revision_id)
    row = None if revision_id is None else connection.execute(query).mappings().one()
    return None if row is None else revision_of(row, digest)


def history(connection: Connection, digest: str) -> tuple[Revision, ...]:
    """All revisions of an image, newest first.

    Raises:
        UnknownImageError: there is no such image.
    """
    image_id = standing(connection, digest)["image_id"]
    query = select(REVISIONS).where(REVISIONS.c.image_id == image_id).order_by(REVISIONS.c.number.desc())
    return tuple(revision_of(row, digest) for row in connection.execute(query).mappings())


def revision_row(connection: Connection, digest: str, number: int) -> RowMapping:
    """The row of `revisions` with an image's revision.

    Raises:
        UnknownImageError: there is no such image.
        StoreError: it has no revision of that number.
    """
    image_id = standing(connection, digest)["image_id"]
    query = select(REVISIONS).where(REVISIONS.c.image_id == image_id, REVISIONS.c.number == number)
    row = connection.execute(query).mappings().one_or_none() if 0 < number <= MAX_INTEGER else None
    if row is None:
        raise StoreError(f"The image {digest[:12]} has no revision {number}; look at its history.")
    return row


def proposal(connection: Connection, proposal_id: int) -> Proposal:
    """The proposal with this id.

    Raises:
        StoreError: there is none.
    """
    query = (
        select(PROPOSALS, IMAGES.c.digest)
        .join(IMAGES, IMAGES.c.id == PROPOSALS.c.image_id)
        .where(PROPOSALS.c.id == proposal_id)
    )
    row = connection.execute(query).mappings().one_or_none() if 0 < proposal_id <= MAX_INTEGER else None
    if row is None:
        raise StoreError(f"The workspace has no proposal {proposal_id}; open the image again to get a new one.")
    return proposal_of(row, row["digest"])


def newest_proposal(connection: Connection, digest: str, preset: str | None) -> Proposal | None:
    """The newest proposal for an image, of one preset or of any.

    Raises:
        UnknownImageError: there is no such image.
    """
    image_id = standing(connection, digest)["image_id"]
    query = select(PROPOSALS).where(PROPOSALS.c.image_id == image_id).order_by(PROPOSALS.c.id.desc()).limit(1)
    if preset is not None:
        query = query.where(PROPOSALS.c.preset == preset)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else proposal_of(row, digest)


def changed_since(connection: Connection, version_seen: int) -> tuple[str, ...]:
    """The digests of the images that got something after a version, in the order in which they last did."""
    query = (
        select(IMAGES.c.digest)
        .join(STANDINGS, STANDINGS.c.image_id == IMAGES.c.id)
        .where(STANDINGS.c.version > min(version_seen, MAX_INTEGER))
        .order_by(STANDINGS.c.version)
    )
    return tuple(connection.execute(query).scalars())


def annotated_after(connection: Connection, name_and_digest: tuple[str, str]) -> list[tuple[StoredImage, Revision]]:
    """The next part of the images with a live revision, by name, then digest; start with ("", "")."""
    live = (
        select(IMAGES, STANDINGS.c.revision_id)
        .join(STANDINGS, STANDINGS.c.image_id == IMAGES.c.id)
        .where(STANDINGS.c.revision_id.is_not(None), tuple_(IMAGES.c.name, IMAGES.c.digest) > name_and_digest)
        .order_by(IMAGES.c.name, IMAGES.c.digest)
        .limit(PART)
    )
    images = {row["revision_id"]: image_of(row) for row in connection.execute(live).mappings()}
    query = select(REVISIONS).where(REVISIONS.c.id.in_(images))
    rows = {row["id"]: row for row in connection.execute(query).mappings()}
    return [(found, revision_of(rows[revision_id], found.digest)) for revision_id, found in images.items()]


def newest_normals(connection: Connection, limit: int) -> tuple[int, tuple[StoredImage, ...]]:
    """How many images a person has called normal, and those of them on which this was decided last, newest first."""
    live = STANDINGS.join(REVISIONS, REVISIONS.c.id == STANDINGS.c.revision_id)
    is_normal = REVISIONS.c.label == "normal"
    total = connection.execute(select(func.count()).select_from(live).where(is_normal)).scalar_one()
    query = (
        select(IMAGES)
        .select_from(live.join(IMAGES, IMAGES.c.id == STANDINGS.c.image_id))
        .where(is_normal)
        .order_by(REVISIONS.c.id.desc())
        .limit(limit)
    )
    return int(total), tuple(image_of(row) for row in connection.execute(query).mappings())


def defect_classes(connection: Connection) -> tuple[str, ...]:
    """Every name that a region ever had, in the order of the alphabet."""
    return tuple(connection.execute(select(DEFECT_CLASSES.c.name).order_by(DEFECT_CLASSES.c.name)).scalars())


def unknown_image(digest: str) -> UnknownImageError:
    """The sentence for a digest that stands for no image."""
    return UnknownImageError(f"The workspace has no image {digest[:12]!r}; check the digest, or add the image first.")
