"""A workspace behaves the same on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from app.store.check import check
from app.store.errors import StoreError
from app.store.records import DefectClass, NewProposal, NewRevision, Source
from app.store.workspace import Workspace
from tests.app.store.processes import picture

SIZE_HW = (3, 5)


@pytest.fixture
def workspace(tmp_path: Path, database_url: str | None) -> Iterator[Workspace]:
    with Workspace.open(tmp_path / "workspace", database_url) as opened:
        yield opened


@pytest.fixture
def digest(workspace: Workspace) -> str:
    return workspace.add_image(picture(0, SIZE_HW), "cell.png", author="Ada", origin="line 3").image.digest


def annotation(*marked_xy: tuple[int, int], based_on: int = 0, save_id: str = "", note: str = "") -> NewRevision:
    mask = np.zeros(SIZE_HW, np.bool_)
    for x, y in marked_xy:
        mask[y, x] = True
    classes = tuple(DefectClass(point_xy, "crack") for point_xy in marked_xy[:1])
    return NewRevision(
        label="anomalous" if marked_xy else "normal",
        mask=mask,
        author="Ada",
        classes=classes,
        based_on=based_on,
        save_id=save_id,
        note=note,
    )


def proposal(*marked_xy: tuple[int, int], image_score: float = 0.8) -> NewProposal:
    mask = annotation(*marked_xy).mask
    assert mask is not None
    return NewProposal(
        preset="some", checkpoint="abc", settings="{}", image_score=image_score, threshold=0.5, suspicious=0.4,
        verdict="anomalous", mask=mask,
    )  # fmt: skip


def test_an_image_is_stored_once(workspace: Workspace, digest: str) -> None:
    again = workspace.add_image(picture(0, SIZE_HW), "copy.png", author="Bob")

    assert (again.is_new, again.image) == (False, workspace.image(digest))
    assert workspace.image(digest).name == "cell.png"
    assert workspace.image_bytes(digest) == picture(0, SIZE_HW)


def test_a_save_comes_back_as_it_was(workspace: Workspace, digest: str) -> None:
    saved = workspace.save(digest, annotation((4, 2), (0, 0), note="Grüße, 裂纹"))

    newest = workspace.newest(digest)
    assert newest == saved.revision
    assert (newest.number, newest.label, newest.area_px, newest.note) == (1, "anomalous", 2, "Grüße, 裂纹")
    assert {(region.point_xy, region.defect_class) for region in newest.regions} == {((4, 2), "crack"), ((0, 0), "")}
    assert newest.mask_digest is not None
    assert np.argwhere(workspace.mask(newest.mask_digest)).tolist() == [[0, 0], [2, 4]]
    assert workspace.defect_classes() == ("crack",)


def test_who_is_overtaken_is_told_by_whom(workspace: Workspace, digest: str) -> None:
    first = workspace.save(digest, annotation((0, 0)))
    second = workspace.save(digest, annotation((1, 0), based_on=1))
    third = workspace.save(digest, annotation((2, 0), based_on=1))

    assert (first.overtaken, second.overtaken) == ((), ())
    assert third.overtaken == (second.revision,)
    assert [revision.number for revision in workspace.history(digest)] == [3, 2, 1]


def test_the_same_save_twice_is_one(workspace: Workspace, digest: str) -> None:
    first = workspace.save(digest, annotation((0, 0), save_id="one"))
    again = workspace.save(digest, annotation((0, 0), save_id="one"))

    assert (first.repeated, again.repeated) == (False, True)
    assert again.revision == first.revision
    assert workspace.history(digest) == (first.revision,)


def test_what_was_deleted_can_be_restored(workspace: Workspace, digest: str) -> None:
    workspace.save(digest, annotation((3, 1)))
    workspace.delete(digest, author="Bob", based_on=1)
    deleted = (workspace.newest(digest), workspace.item(digest).state)
    restored = workspace.restore(digest, 1, author="Cem", based_on=2).revision

    assert deleted == (None, "new")
    assert (restored.number, restored.source.kind, restored.author) == (3, "restore", "Cem")
    assert restored.mask_digest == workspace.revision(digest, 1).mask_digest
    assert [revision.kind for revision in workspace.history(digest)] == ["save", "delete", "save"]


def test_the_queue_knows_states_and_order(workspace: Workspace, digest: str) -> None:
    others = [
        workspace.add_image(picture(number, SIZE_HW), name, author="Ada").image.digest
        for number, name in enumerate(["b.png", "a.png", "Z.png"], start=1)
    ]
    for score, other in zip((0.55, 0.9), others, strict=False):
        workspace.add_proposal(other, proposal((0, 0), image_score=score))
    confirming = workspace.newest_proposal(others[1])
    assert confirming is not None
    accepted = annotation((0, 0))
    workspace.save(
        others[1],
        NewRevision(
            label="anomalous",
            mask=accepted.mask,
            author="Ada",
            source=Source(kind="proposal", proposal_id=confirming.id),
        ),
    )
    workspace.save(digest, annotation((2, 2)))

    page = workspace.queue(sort="name")
    assert [(item.image.name, item.state) for item in page.items] == [
        ("Z.png", "new"), ("a.png", "confirmed"), ("b.png", "proposed"), ("cell.png", "corrected"),
    ]  # fmt: skip
    assert dict(page.counts) == {"new": 1, "proposed": 1, "corrected": 1, "confirmed": 1, "unsure": 0}
    by_score = workspace.queue(sort="score", states=["proposed", "confirmed"])
    assert ([item.image.name for item in by_score.items], by_score.total) == (["a.png", "b.png"], 2)
    second = workspace.queue(sort="name", offset=1, limit=1)
    assert ([item.image.name for item in second.items], second.total) == (["a.png"], 4)


def test_what_changed_since_is_told(workspace: Workspace, digest: str) -> None:
    other = workspace.add_image(picture(1, SIZE_HW), "other.png", author="Ada").image.digest
    before = workspace.version()
    workspace.add_proposal(other, proposal((0, 0)))
    between = workspace.version()
    workspace.save(digest, annotation())

    assert before < between < workspace.version()
    assert set(workspace.changed_since(before)) == {other, digest}
    assert workspace.changed_since(between) == (digest,)
    assert workspace.changed_since(workspace.version()) == ()


def test_what_is_annotated_comes_by_name(workspace: Workspace, digest: str) -> None:
    other = workspace.add_image(picture(1, SIZE_HW), "another.png", author="Ada").image.digest
    workspace.add_image(picture(2, SIZE_HW), "untouched.png", author="Ada")
    for chosen in (digest, other):
        workspace.save(chosen, annotation((1, 1)))

    assert [image.name for image, _ in workspace.annotated()] == ["another.png", "cell.png"]


def test_a_database_can_be_opened_again_and_is_in_order(tmp_path: Path, database_url: str | None) -> None:
    with Workspace.open(tmp_path / "workspace", database_url) as workspace:
        digest = workspace.add_image(picture(0, SIZE_HW), "cell.png", author="Ada").image.digest
        saved = workspace.save(digest, annotation((1, 2)))

    with Workspace.open(tmp_path / "workspace", database_url, create=False) as workspace:
        assert workspace.history(digest) == (saved.revision,)
        assert check(workspace, min_age_s=0).problems == ()


def test_a_database_with_images_is_not_taken_over_by_an_empty_folder(tmp_path: Path, database_url: str | None) -> None:
    if database_url is None:
        pytest.skip("SQLite's database lies in the folder itself")
    with Workspace.open(tmp_path / "first", database_url) as first:
        first.add_image(picture(0, SIZE_HW), "cell.png", author="Ada")

    with pytest.raises(StoreError, match=r"belongs to a workspace whose images are not in .*second; give that"):
        Workspace.open(tmp_path / "second", database_url)

    with Workspace.open(tmp_path / "first", database_url) as again:
        assert [image.name for image in again.images()] == ["cell.png"]
