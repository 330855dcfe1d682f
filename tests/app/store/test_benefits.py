"""The order by benefit: kept whole, shown by the queue, and left by what was annotated."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.store.benefits import LABELLED, OPEN, items_in, keep_order, newest_proposals
from app.store.check import check
from app.store.records import Benefit, NewRevision
from app.store.workspace import Workspace
from tests.app.store.making import add, anomalous, proposal


@pytest.fixture
def workspace(tmp_path: Path, database_url: str | None) -> Iterator[Workspace]:
    with Workspace.open(tmp_path / "work", database_url) as opened:
        yield opened


def worth(value: float, reason: str = "") -> Benefit:
    return Benefit(value=value, reason=reason)


def in_order(workspace: Workspace) -> list[str]:
    return [item.image.name for item in workspace.queue(sort="benefit").items]


def test_the_queue_follows_the_kept_order_and_puts_images_without_one_last(workspace: Workspace) -> None:
    digests = [add(workspace, number, name) for number, name in enumerate("abcd")]

    keep_order(workspace, [(digests[2], worth(0.5)), (digests[0], worth(0.5)), (digests[3], worth(0.25))])

    assert in_order(workspace) == ["c", "a", "d", "b"]


def test_an_item_says_why_it_is_proposed(workspace: Workspace) -> None:
    digest = add(workspace)
    benefit = Benefit(value=0.75, reason="its score lies next to the threshold", uncertain=1.0, novelty=0.5)

    keep_order(workspace, [(digest, benefit)])

    assert workspace.item(digest).benefit == benefit


def test_a_new_order_replaces_the_old_one_and_unknown_or_repeated_images_are_left_out(workspace: Workspace) -> None:
    first, second = add(workspace, 1, "first"), add(workspace, 2, "second")
    keep_order(workspace, [(first, worth(1.0)), (second, worth(0.5))])

    keep_order(workspace, [("f" * 64, worth(1.0)), (second, worth(0.5)), (second, worth(0.25))])

    assert in_order(workspace) == ["second", "first"]
    assert (workspace.item(first).benefit, workspace.item(second).benefit) == (None, worth(0.5))


def test_an_annotation_takes_its_image_out_of_the_order(workspace: Workspace) -> None:
    first, second = add(workspace, 1, "first"), add(workspace, 2, "second")
    keep_order(workspace, [(first, worth(1.0)), (second, worth(0.5))])

    workspace.save(first, anomalous((0, 0)))
    workspace.add_proposal(second, proposal())

    assert workspace.item(first).benefit is None
    assert workspace.item(second).benefit == worth(0.5)
    assert in_order(workspace) == ["second", "first"]


def test_an_image_that_was_annotated_meanwhile_is_left_out(workspace: Workspace) -> None:
    digest = add(workspace)
    workspace.save(digest, NewRevision("unsure", None, "ann"))

    keep_order(workspace, [(digest, worth(1.0))])

    assert workspace.item(digest).benefit is None


def test_a_check_has_nothing_against_an_order(workspace: Workspace) -> None:
    keep_order(workspace, [(add(workspace), worth(1.0))])

    assert check(workspace, min_age_s=0).problems == ()


def test_items_come_by_state_and_in_parts(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.store.benefits._PART", 2)
    digests = [add(workspace, number, str(number)) for number in range(6)]
    workspace.save(digests[1], anomalous((0, 0)))
    workspace.save(digests[4], NewRevision("unsure", None, "ann"))

    assert [item.image.name for item in items_in(workspace, OPEN)] == ["0", "2", "3", "5"]
    assert [item.image.name for item in items_in(workspace, LABELLED)] == ["1"]


def test_of_each_preset_the_newest_proposal_comes(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.store.benefits._PART", 2)
    first, second = add(workspace, 1), add(workspace, 2)
    for digest, preset, score in [(first, "a", 0.1), (first, "b", 0.2), (second, "a", 0.3), (first, "a", 0.4)]:
        workspace.add_proposal(digest, proposal(preset=preset, image_score=score))

    found = [(found.image_digest, found.preset, found.image_score) for found in newest_proposals(workspace)]

    assert found == [(first, "b", 0.2), (second, "a", 0.3), (first, "a", 0.4)]
