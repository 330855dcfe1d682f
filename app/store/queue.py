"""The queue: which image to look at next.  One page is a handful of short queries, whatever the workspace's size."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, func, literal, select

from app.store import queries
from app.store.records import SORTS, STATES, QueueItem, QueuePage, Sort, State
from app.store.rows import benefit_of, image_of, proposal_of, revision_of
from app.store.schema import BENEFITS, IMAGES, PROPOSALS, REVISIONS, STANDINGS

MAX_LIMIT: Final = 10_000
# Images without a number come last, and equal ones in the order in which they were added.
_ORDERS: Final[dict[Sort, tuple[ColumnElement[Any], ...]]] = {
    "newest": (STANDINGS.c.image_id.desc(),),
    "oldest": (STANDINGS.c.image_id,),
    "score": (STANDINGS.c.image_score.is_(None), STANDINGS.c.image_score.desc(), STANDINGS.c.image_id),
    "uncertainty": (STANDINGS.c.uncertainty.is_(None), STANDINGS.c.uncertainty, STANDINGS.c.image_id),
    "benefit": (BENEFITS.c.place.is_(None), BENEFITS.c.place, STANDINGS.c.image_id),
    "name": (IMAGES.c.name, IMAGES.c.digest),
}
# A mask can fall into 100,000 specks, which nobody looks at in a queue.
_REVISION_COLUMNS: Final = (
    *(column for column in REVISIONS.c if column.name != "regions"),
    literal("[]").label("regions"),
)


def page(connection: Connection, states: Collection[State], sort: Sort, offset: int, limit: int) -> QueuePage:
    """A part of the queue.

    Args:
        connection: one that reads.
        states: only images in one of these; all where it is empty.
        sort: the order.
        offset: how many images of that order to pass over.
        limit: how many to return at most, in 1..10,000.
    Raises:
        ValueError: there is no such state or order, or a number is out of its range.
    """
    _require(states, sort, offset, limit)
    counts = _counts(connection)
    query = select(STANDINGS.c.image_id).order_by(*_ORDERS[sort]).offset(offset).limit(limit)
    if sort == "name":
        query = query.join(IMAGES, IMAGES.c.id == STANDINGS.c.image_id)
    if sort == "benefit":
        query = query.outerjoin(BENEFITS, BENEFITS.c.image_id == STANDINGS.c.image_id)
    if states:
        query = query.where(STANDINGS.c.state.in_(list(states)))
    image_ids = list(connection.execute(query).scalars())
    return QueuePage(
        items=items(connection, image_ids),
        total=sum(counts[state] for state in STATES if not states or state in states),
        counts=counts,
        version=queries.version(connection),
    )


def items(connection: Connection, image_ids: list[int]) -> tuple[QueueItem, ...]:
    """Images and how far they are, in the order of `image_ids`; the revisions come without their regions."""
    query = (
        select(IMAGES, STANDINGS.c.state, STANDINGS.c.revision_id, STANDINGS.c.proposal_id)
        .join(STANDINGS, STANDINGS.c.image_id == IMAGES.c.id)
        .where(IMAGES.c.id.in_(image_ids))
    )
    rows = {row["id"]: row for row in connection.execute(query).mappings()}
    live = [row["revision_id"] for row in rows.values() if row["revision_id"] is not None]
    proposed = [row["proposal_id"] for row in rows.values() if row["proposal_id"] is not None]
    revisions = connection.execute(select(*_REVISION_COLUMNS).where(REVISIONS.c.id.in_(live))).mappings()
    proposals = connection.execute(select(PROPOSALS).where(PROPOSALS.c.id.in_(proposed))).mappings()
    ranked = connection.execute(select(BENEFITS).where(BENEFITS.c.image_id.in_(image_ids))).mappings()
    benefits = {row["image_id"]: benefit_of(row) for row in ranked}
    newest = {row["image_id"]: revision_of(row, rows[row["image_id"]]["digest"]) for row in revisions}
    latest = {row["image_id"]: proposal_of(row, rows[row["image_id"]]["digest"]) for row in proposals}
    return tuple(
        QueueItem(image_of(rows[key]), rows[key]["state"], newest.get(key), latest.get(key), benefits.get(key))
        for key in image_ids
    )


def _counts(connection: Connection) -> dict[State, int]:
    query = select(STANDINGS.c.state, func.count().label("number")).group_by(STANDINGS.c.state)
    counted = {row.state: row.number for row in connection.execute(query)}
    return {state: counted.get(state, 0) for state in STATES}


def _require(states: Collection[State], sort: Sort, offset: int, limit: int) -> None:
    unknown = set(states) - set(STATES)
    if unknown:
        raise ValueError(f"states must be among {', '.join(STATES)}, got {', '.join(map(str, sorted(unknown)))}")
    if sort not in SORTS:
        raise ValueError(f"sort must be one of {', '.join(SORTS)}, got {sort!r}")
    if not 0 <= offset <= queries.MAX_INTEGER or not 1 <= limit <= MAX_LIMIT:
        raise ValueError(f"offset must be 0 or more and limit in 1..{MAX_LIMIT}, got {offset} and {limit}")
