"""The order in which images are best labelled: kept as a whole, and what it is worked out from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from sqlalchemy import delete, func, insert, select

from app.store.records import Benefit, Proposal, QueueItem, State
from app.store.rows import benefit_row, proposal_of
from app.store.schema import BENEFITS, IMAGES, PROPOSALS, STANDINGS
from app.store.workspace import Workspace

OPEN: Final[tuple[State, ...]] = ("new", "proposed")  # nobody has said anything about these
LABELLED: Final[tuple[State, ...]] = ("corrected", "confirmed")
_PART: Final = 500


def items_in(workspace: Workspace, states: Sequence[State]) -> Iterator[QueueItem]:
    """Every image in one of these states, oldest first, read in parts."""
    offset = 0
    while items := workspace.queue(states=states, sort="oldest", offset=offset, limit=_PART).items:
        yield from items
        offset += len(items)


def newest_proposals(workspace: Workspace) -> Iterator[Proposal]:
    """The newest proposal of each preset for each image, oldest first, read in parts."""
    newest = select(func.max(PROPOSALS.c.id)).group_by(PROPOSALS.c.image_id, PROPOSALS.c.preset)
    with workspace.database.reading() as connection:
        ids = sorted(connection.execute(newest).scalars())
    for start in range(0, len(ids), _PART):
        query = (
            select(PROPOSALS, IMAGES.c.digest)
            .join(IMAGES, IMAGES.c.id == PROPOSALS.c.image_id)
            .where(PROPOSALS.c.id.in_(ids[start : start + _PART]))
            .order_by(PROPOSALS.c.id)
        )
        with workspace.database.reading() as connection:
            rows = connection.execute(query).mappings().all()
        yield from (proposal_of(row, row["digest"]) for row in rows)


def keep_order(workspace: Workspace, ranked: Sequence[tuple[str, Benefit]]) -> None:
    """Replace the order of the queue by benefit.

    Args:
        workspace: whose queue.
        ranked: digest and benefit, the best first; images that are unknown or were annotated meanwhile are left out.
    Raises:
        StoreError: the database cannot be written.
    """
    unannotated = (
        select(IMAGES.c.digest, IMAGES.c.id)
        .join(STANDINGS, STANDINGS.c.image_id == IMAGES.c.id)
        .where(STANDINGS.c.state.in_(OPEN))
    )
    with workspace.database.writing() as connection:
        ids = {row.digest: row.id for row in connection.execute(unannotated)}
        rows = [
            {"image_id": ids.pop(digest), "place": place, **benefit_row(benefit)}
            for place, (digest, benefit) in enumerate(ranked)
            if digest in ids
        ]
        connection.execute(delete(BENEFITS))
        if rows:
            connection.execute(insert(BENEFITS), rows)
