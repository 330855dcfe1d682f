"""What is added to the database, on a connection that writes.  Every function keeps `standings` up to date."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from app.store import queries
from app.store.errors import StoreError
from app.store.records import Revision, Saved, State, StoredImage
from app.store.rows import image_row, revision_of
from app.store.schema import BENEFITS, DEFECT_CLASSES, IMAGES, PROPOSALS, REVISIONS, STANDINGS, WORKSPACE


def add_image(connection: Connection, image: StoredImage) -> None:
    """A further image, which nobody has looked at."""
    query = insert(IMAGES).values(image_row(image)).returning(IMAGES.c.id)
    image_id = connection.execute(query).scalar_one()
    first = {"image_id": image_id, "state": "new", "last_number": 0, "version": _next_version(connection)}
    connection.execute(insert(STANDINGS).values(first))


def add_proposal(connection: Connection, image_digest: str, values: Mapping[str, Any]) -> int:
    """A further proposal; returns its id.

    Args:
        connection: one that writes.
        image_digest: of an image that is there.
        values: a row without its image.
    """
    standing = queries.standing(connection, image_digest)
    row = {**values, "image_id": standing["image_id"]}
    proposal_id: int = connection.execute(insert(PROPOSALS).values(row).returning(PROPOSALS.c.id)).scalar_one()
    score, threshold = values["image_score"], values["threshold"]
    changed: dict[str, Any] = {
        "proposal_id": proposal_id,
        "image_score": score,
        "uncertainty": None if threshold is None else abs(score - threshold),
    }
    if standing["revision_id"] is None:
        changed["state"] = "proposed"
    _change_standing(connection, standing["image_id"], changed)
    return proposal_id


def add_revision(connection: Connection, image_digest: str, values: Mapping[str, Any]) -> Saved:
    """A further revision, numbered after the last, unless its save_id is known.

    Args:
        connection: one that writes.
        image_digest: of an image that is there.
        values: a row without its image and number.
    Raises:
        StoreError: it is based on what there is not, or deletes what is not there.
    """
    standing = queries.standing(connection, image_digest)
    image_id: int = standing["image_id"]
    answered = answer_known(connection, image_digest, values)
    if answered is not None:
        return answered
    row = {**values, "image_id": image_id, "number": standing["last_number"] + 1}
    added = connection.execute(insert(REVISIONS).values(row).returning(REVISIONS)).mappings().one()
    deleted = values["kind"] == "delete"
    changed = {
        "last_number": added["number"],
        "revision_id": None if deleted else added["id"],
        "state": _state(connection, standing, added),
    }
    _change_standing(connection, image_id, changed)
    connection.execute(delete(BENEFITS).where(BENEFITS.c.image_id == image_id))
    saved = _saved(connection, added, image_digest, repeated=False)
    _add_defect_classes(connection, {region.defect_class for region in saved.revision.regions} - {""})
    return saved


def answer_known(connection: Connection, image_digest: str, values: Mapping[str, Any]) -> Saved | None:
    """The answer to a save whose save_id is known; None where the save may go on.  Only reads.

    Args:
        connection: any.
        image_digest: of an image that is there.
        values: a row without its image and number.
    Raises:
        StoreError: it is based on what there is not, or deletes what is not there.
    """
    standing = queries.standing(connection, image_digest)
    known = _find_save(connection, standing["image_id"], values["save_id"])
    if known is not None:
        return _saved(connection, known, image_digest, repeated=True)
    _require_consistent(connection, standing, image_digest, values)
    return None


def _find_save(connection: Connection, image_id: int, save_id: str | None) -> RowMapping | None:
    if save_id is None:
        return None
    query = select(REVISIONS).where(REVISIONS.c.image_id == image_id, REVISIONS.c.save_id == save_id)
    return connection.execute(query).mappings().one_or_none()


def _require_consistent(
    connection: Connection, standing: RowMapping, image_digest: str, values: Mapping[str, Any]
) -> None:
    if values["based_on"] > standing["last_number"]:
        raise StoreError(
            f"This was based on revision {values['based_on']}, but the image {image_digest[:12]} has only "
            f"{standing['last_number']}; open the image again."
        )
    if values["kind"] == "delete" and standing["revision_id"] is None:
        raise StoreError(f"The image {image_digest[:12]} has no annotation that could be deleted; go to another one.")
    if values["proposal_id"] is not None:
        proposal = queries.proposal(connection, values["proposal_id"])
        if proposal.image_digest != image_digest:
            raise StoreError(f"Proposal {proposal.id} is for another image; open the image again to get its own.")


def _state(connection: Connection, standing: RowMapping, added: RowMapping) -> State:
    if added["kind"] == "delete":
        return "new" if standing["proposal_id"] is None else "proposed"
    if added["label"] == "unsure":
        return "unsure"
    if added["proposal_id"] is None:
        return "corrected"
    proposed = queries.proposal(connection, added["proposal_id"]).mask_digest
    return "confirmed" if added["mask_digest"] == proposed else "corrected"


def _saved(connection: Connection, row: RowMapping, image_digest: str, *, repeated: bool) -> Saved:
    between = (
        select(REVISIONS)
        .where(
            REVISIONS.c.image_id == row["image_id"],
            REVISIONS.c.number > row["based_on"],
            REVISIONS.c.number < row["number"],
        )
        .order_by(REVISIONS.c.number)
    )
    overtaken: tuple[Revision, ...] = tuple(
        revision_of(other, image_digest) for other in connection.execute(between).mappings()
    )
    return Saved(revision_of(row, image_digest), overtaken, repeated)


def _add_defect_classes(connection: Connection, names: Collection[str]) -> None:
    known = set(connection.execute(select(DEFECT_CLASSES.c.name).where(DEFECT_CLASSES.c.name.in_(names))).scalars())
    for name in sorted(set(names) - known):
        connection.execute(insert(DEFECT_CLASSES).values(name=name))


def _change_standing(connection: Connection, image_id: int, changed: Mapping[str, Any]) -> None:
    values = {**changed, "version": _next_version(connection)}
    connection.execute(update(STANDINGS).where(STANDINGS.c.image_id == image_id).values(values))


def _next_version(connection: Connection) -> int:
    query = update(WORKSPACE).values(version=WORKSPACE.c.version + 1).returning(WORKSPACE.c.version)
    return int(connection.execute(query).scalar_one())
