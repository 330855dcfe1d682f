"""The queue: states, orders, pages and counts, and that it stays quick with 10,000 images."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import insert

from app.store.masks import encode_png
from app.store.records import SORTS, NewRevision, QueuePage, Source
from app.store.schema import IMAGES, PROPOSALS, STANDINGS
from app.store.workspace import Workspace
from tests.app.store.making import add, anomalous, mask_of, proposal


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(tmp_path / "work") as opened:
        yield opened


def state(workspace: Workspace, digest: str) -> str:
    return workspace.item(digest).state


def names(page: QueuePage) -> list[str]:
    return [item.image.name for item in page.items]


def as_proposed(proposal_id: int, *points_xy: tuple[int, int]) -> NewRevision:
    source = Source("proposal", proposal_id=proposal_id)
    return NewRevision("anomalous" if points_xy else "normal", mask_of(*points_xy), "ann", source=source)


def test_an_image_is_new_until_there_is_a_proposal_or_an_annotation(workspace: Workspace) -> None:
    digest = add(workspace)

    assert state(workspace, digest) == "new"
    workspace.add_proposal(digest, proposal((0, 0)))
    assert state(workspace, digest) == "proposed"


def test_saving_what_was_proposed_confirms_it_and_anything_else_corrects_it(workspace: Workspace) -> None:
    digest = add(workspace)
    proposed = workspace.add_proposal(digest, proposal((0, 0)))

    workspace.save(digest, as_proposed(proposed.id, (0, 0)))
    assert state(workspace, digest) == "confirmed"
    workspace.save(digest, as_proposed(proposed.id, (0, 0), (1, 0)))
    assert state(workspace, digest) == "corrected"
    workspace.restore(digest, 1, author="ann")
    assert state(workspace, digest) == "confirmed"


def test_the_same_mask_without_a_proposal_behind_it_is_a_correction(workspace: Workspace) -> None:
    digest = add(workspace)
    workspace.add_proposal(digest, proposal((0, 0)))

    workspace.save(digest, anomalous((0, 0)))

    assert state(workspace, digest) == "corrected"


def test_marking_normal_what_was_proposed_empty_confirms_it(workspace: Workspace) -> None:
    digest = add(workspace)
    proposed = workspace.add_proposal(digest, proposal())

    workspace.save(digest, NewRevision("normal", None, "ann", source=Source("proposal", proposal_id=proposed.id)))

    assert state(workspace, digest) == "confirmed"


def test_a_proposal_that_another_zlib_packed_is_confirmed_by_the_same_pixels(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = add(workspace)
    monkeypatch.setattr("app.store.saving.encode_png", lambda mask: encode_png(mask) + b"\0")
    proposed = workspace.add_proposal(digest, proposal((0, 0)))
    monkeypatch.undo()

    saved = workspace.save(digest, as_proposed(proposed.id, (0, 0)))

    assert saved.revision.mask_digest == proposed.mask_digest
    assert state(workspace, digest) == "confirmed"


def test_unsure_stays_unsure_whatever_is_proposed_later(workspace: Workspace) -> None:
    digest = add(workspace)
    workspace.save(digest, NewRevision("unsure", None, "ann"))

    workspace.add_proposal(digest, proposal((0, 0)))

    assert state(workspace, digest) == "unsure"


def test_a_deletion_leads_back_to_proposed_or_new(workspace: Workspace) -> None:
    first, second = add(workspace, 1), add(workspace, 2)
    for digest in (first, second):
        workspace.save(digest, anomalous((0, 0)))
    workspace.add_proposal(second, proposal((0, 0)))

    for digest in (first, second):
        workspace.delete(digest, author="ann")

    assert (state(workspace, first), state(workspace, second)) == ("new", "proposed")


def test_an_item_holds_its_image_its_live_revision_and_its_newest_proposal(workspace: Workspace) -> None:
    digest = add(workspace)
    workspace.add_proposal(digest, proposal((0, 0)))
    newest = workspace.add_proposal(digest, proposal((1, 0)))
    workspace.save(digest, anomalous((0, 0)))
    saved = workspace.save(digest, anomalous((1, 0))).revision

    item = workspace.item(digest)

    assert workspace.queue().items == (item,)
    assert (item.image, item.proposal) == (workspace.image(digest), newest)
    assert item.newest == replace(saved, regions=())


def test_orders_put_images_without_a_number_last_and_break_ties_by_age(workspace: Workspace) -> None:
    numbers: dict[str, tuple[float, float | None] | None] = {
        "c": (0.75, 0.5),  # 0.25 above its threshold
        "a": None,
        "d": (0.25, 0.375),  # 0.125 below
        "b": (1.0, None),
        "e": (0.75, 0.75),  # on it
    }
    for number, (name, found) in enumerate(numbers.items()):
        digest = add(workspace, number, name)
        if found is not None:
            workspace.add_proposal(digest, proposal((0, 0), image_score=found[0], threshold=found[1]))

    assert names(workspace.queue(sort="oldest")) == ["c", "a", "d", "b", "e"]
    assert names(workspace.queue(sort="newest")) == ["e", "b", "d", "a", "c"]
    assert names(workspace.queue(sort="name")) == ["a", "b", "c", "d", "e"]
    assert names(workspace.queue(sort="score")) == ["b", "c", "e", "d", "a"]
    assert names(workspace.queue(sort="uncertainty")) == ["e", "d", "c", "a", "b"]


def test_the_newest_proposal_ranks_an_image(workspace: Workspace) -> None:
    first, second = add(workspace, 1, "first"), add(workspace, 2, "second")
    workspace.add_proposal(first, proposal(image_score=0.9))
    workspace.add_proposal(second, proposal(image_score=0.8))
    workspace.add_proposal(first, proposal(image_score=0.1))

    assert names(workspace.queue(sort="score")) == ["second", "first"]


def test_pages_follow_each_other_and_counts_are_of_the_whole_workspace(workspace: Workspace) -> None:
    digests = [add(workspace, number, str(number)) for number in range(5)]
    workspace.save(digests[1], anomalous((0, 0)))
    workspace.save(digests[3], NewRevision("unsure", None, "ann"))

    everything = workspace.queue(sort="oldest", offset=1, limit=2)
    filtered = workspace.queue(states=["new", "unsure"], sort="oldest", offset=2, limit=10)

    assert (names(everything), everything.total) == (["1", "2"], 5)
    assert (names(filtered), filtered.total) == (["3", "4"], 4)
    counts = {"new": 3, "proposed": 0, "corrected": 1, "confirmed": 0, "unsure": 1}
    assert everything.counts == filtered.counts == counts
    assert everything.version == workspace.version()
    assert workspace.queue(states=["confirmed"]).items == ()


def test_an_empty_workspace_has_an_empty_queue(workspace: Workspace) -> None:
    page = workspace.queue()

    assert (page.items, page.total, page.version) == ((), 0, 0)
    assert list(page.counts) == ["new", "proposed", "corrected", "confirmed", "unsure"]


def test_what_no_queue_has_is_refused(workspace: Workspace) -> None:
    with pytest.raises(ValueError, match="states must be among new, .*, got done"):
        workspace.queue(states=["done"])  # type: ignore[list-item]  # what a page could send
    with pytest.raises(ValueError, match="sort must be one of newest, .*, got 'size'"):
        workspace.queue(sort="size")  # type: ignore[arg-type]  # likewise
    for offset, limit in ((-1, 50), (0, 0), (0, 10_001), (10**30, 1)):
        with pytest.raises(ValueError, match=r"offset must be 0 or more and limit in 1\.\.10000"):
            workspace.queue(offset=offset, limit=limit)


def fill(workspace: Workspace, count: int) -> None:
    """Many images with a proposal each, without their files."""
    numbers = range(1, count + 1)
    text = {"added_at": "2026-01-01T00:00:00.000000+00:00", "added_by": "", "origin": "", "note": ""}
    shared = {"preset": "tiny", "checkpoint": "", "settings": "{}", "verdict": "anomalous", "mask_digest": "0" * 64}
    with workspace.database.writing() as connection:
        connection.execute(
            insert(IMAGES),
            [
                {"id": n, "digest": f"{n:064x}", "name": f"{n * 7919 % count}.png", "height": 4, "width": 6}
                | {"file_bytes": 100, **text}
                for n in numbers
            ],
        )
        connection.execute(
            insert(PROPOSALS),
            [
                {"id": n, "image_id": n, "image_score": n / count, "area_px": 1, **shared}
                | {"proposed_at": text["added_at"]}
                for n in numbers
            ],
        )
        connection.execute(
            insert(STANDINGS),
            [
                {"image_id": n, "state": ("proposed", "new")[n % 2], "last_number": 0, "proposal_id": n}
                | {"image_score": n / count, "uncertainty": abs(n / count - 0.5), "version": n}
                for n in numbers
            ],
        )


def test_a_page_of_10_000_images_takes_less_than_a_tenth_of_a_second(workspace: Workspace) -> None:
    fill(workspace, 10_000)
    workspace.queue()

    slowest = 0.0
    for sort in SORTS:
        for offset in (0, 4_900):
            times = []
            for _ in range(3):
                start = time.thread_time()
                page = workspace.queue(states=["proposed"], sort=sort, offset=offset)
                times.append(time.thread_time() - start)
            assert (len(page.items), page.total) == (50, 5_000)
            slowest = max(slowest, min(times))

    assert slowest < 0.1  # of computing; about 0.02 alone on a machine
