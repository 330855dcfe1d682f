"""What is saved is there: masks bit for bit, and every revision."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from app.store import queries
from app.store.records import DefectClass, NewRevision, Region, Source
from app.store.workspace import Workspace
from tests.app.store.making import add, anomalous, files_below, mask_of, picture, proposal


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(tmp_path / "work") as opened:
        yield opened


def test_a_save_is_a_revision_with_everything_that_was_given(workspace: Workspace) -> None:
    digest = add(workspace)
    proposed = workspace.add_proposal(digest, proposal((0, 0)))
    source = Source("proposal", "tiny", "tiny.safetensors", '{"top_k": 0.01}', proposed.id, "from the page")
    new = NewRevision(
        label="anomalous",
        mask=mask_of((1, 1), (2, 2), (5, 0)),
        author="ann",
        classes=(DefectClass((2, 2), "crack"),),
        source=source,
        note="faint",
        save_id="s-1",
    )
    before = datetime.now(UTC)

    saved = workspace.save(digest, new)

    revision = saved.revision
    assert (saved.overtaken, saved.repeated) == ((), False)
    assert (revision.image_digest, revision.number, revision.kind, revision.label) == (digest, 1, "save", "anomalous")
    assert revision.area_px == 3
    assert revision.regions == (Region((1, 1, 3, 3), 2, (2, 2), "crack"), Region((5, 0, 6, 1), 1, (5, 0), ""))
    assert (revision.author, revision.note, revision.based_on, revision.save_id) == ("ann", "faint", 0, "s-1")
    assert revision.source == source
    assert before <= revision.saved_at <= before + timedelta(seconds=10)
    assert workspace.newest(digest) == workspace.revision(digest, 1) == revision


def test_the_mask_comes_back_bit_for_bit_after_closing_and_opening(tmp_path: Path) -> None:
    mask = np.random.default_rng(1).random((41, 67)) < 0.5
    with Workspace.open(tmp_path) as workspace:
        digest = workspace.add_image(picture(1, (41, 67)), "noise.png", author="ann").image.digest
        saved = workspace.save(digest, NewRevision("anomalous", mask, "ann"))

    with Workspace.open(tmp_path, create=False) as workspace:
        newest = workspace.newest(digest)
        assert newest == saved.revision
        assert newest is not None
        assert newest.mask_digest is not None
        np.testing.assert_array_equal(workspace.mask(newest.mask_digest), mask)
        assert newest.area_px == np.count_nonzero(mask)


def test_nothing_is_overwritten_and_history_has_the_newest_first(workspace: Workspace) -> None:
    digest = add(workspace)
    for x in range(3):
        workspace.save(digest, anomalous((x, 0)))

    history = workspace.history(digest)

    assert [revision.number for revision in history] == [3, 2, 1]
    for revision in history:
        assert revision.mask_digest is not None
        expected = mask_of((revision.number - 1, 0))
        np.testing.assert_array_equal(workspace.mask(revision.mask_digest), expected)


def test_two_saves_on_the_same_revision_both_stay_and_the_second_is_told(workspace: Workspace) -> None:
    digest = add(workspace)
    workspace.save(digest, anomalous((0, 0)))
    bob = workspace.save(digest, anomalous((1, 0), author="bob", based_on=1))

    late = workspace.save(digest, anomalous((2, 0), author="cid", based_on=1))

    assert bob.overtaken == ()
    assert late.overtaken == (bob.revision,)
    assert late.revision.number == 3
    assert workspace.newest(digest) == late.revision
    assert len(workspace.history(digest)) == 3


def test_the_same_save_twice_is_answered_as_the_first_time(workspace: Workspace) -> None:
    digest = add(workspace)
    other = workspace.save(digest, anomalous((5, 3)))
    first = workspace.save(digest, anomalous((0, 0), save_id="s-1"))
    workspace.save(digest, anomalous((1, 0), based_on=2))
    version = workspace.version()

    again = workspace.save(digest, anomalous((0, 0), save_id="s-1"))

    assert again.repeated
    assert again.revision == first.revision
    assert again.overtaken == first.overtaken == (other.revision,)
    assert len(workspace.history(digest)) == 3
    assert workspace.version() == version


def test_a_save_id_belongs_to_its_image(workspace: Workspace) -> None:
    first, second = add(workspace, 1), add(workspace, 2)
    workspace.save(first, anomalous((0, 0), save_id="s-1"))

    saved = workspace.save(second, anomalous((0, 0), save_id="s-1"))

    assert (saved.repeated, saved.revision.number) == (False, 1)


def test_a_normal_image_has_an_empty_mask_whether_it_was_given_or_not(workspace: Workspace) -> None:
    digest = add(workspace)

    silent = workspace.save(digest, NewRevision("normal", None, "ann")).revision
    spoken = workspace.save(digest, NewRevision("normal", mask_of(), "ann")).revision

    assert silent.mask_digest == spoken.mask_digest
    assert silent.mask_digest is not None
    assert not workspace.mask(silent.mask_digest).any()
    assert (silent.area_px, silent.regions) == (0, ())


def test_an_anomalous_image_may_have_no_mask_and_an_unsure_one_any(workspace: Workspace) -> None:
    digest = add(workspace)

    assert workspace.save(digest, NewRevision("anomalous", None, "ann")).revision.mask_digest is None
    assert workspace.save(digest, NewRevision("unsure", None, "ann")).revision.mask_digest is None
    assert workspace.save(digest, NewRevision("unsure", mask_of(), "ann")).revision.area_px == 0
    assert workspace.save(digest, NewRevision("unsure", mask_of((0, 0)), "ann")).revision.area_px == 1


def test_a_deletion_is_a_revision_and_leaves_everything_in_place(workspace: Workspace) -> None:
    digest = add(workspace)
    saved = workspace.save(digest, anomalous((0, 0)))
    files = files_below(workspace.folder / "masks")

    deleted = workspace.delete(digest, author="bob", based_on=1, note="wrong image", save_id="d-1")

    revision = deleted.revision
    assert (revision.number, revision.kind, revision.label, revision.mask_digest) == (2, "delete", None, None)
    assert (revision.author, revision.note, revision.based_on) == ("bob", "wrong image", 1)
    assert workspace.newest(digest) is None
    assert workspace.history(digest) == (revision, saved.revision)
    assert files_below(workspace.folder / "masks") == files
    assert workspace.delete(digest, author="bob", save_id="d-1").repeated


def test_an_old_revision_is_restored_as_a_new_one_that_says_so(workspace: Workspace) -> None:
    digest = add(workspace)
    new = replace(anomalous((0, 0)), classes=(DefectClass((0, 0), "dent"),), note="faint", source=Source(preset="tiny"))
    old = workspace.save(digest, new).revision
    workspace.save(digest, anomalous((1, 0), based_on=1))
    workspace.delete(digest, author="bob", based_on=2)

    restored = workspace.restore(digest, 1, author="cid", based_on=3, save_id="r-1").revision

    assert (restored.number, restored.kind, restored.author, restored.based_on) == (4, "save", "cid", 3)
    assert (restored.label, restored.mask_digest, restored.regions) == (old.label, old.mask_digest, old.regions)
    assert restored.note == "faint"
    assert (restored.source.kind, restored.source.detail, restored.source.preset) == ("restore", "revision 1", "tiny")
    assert workspace.newest(digest) == restored
    assert workspace.restore(digest, 1, author="cid", save_id="r-1").repeated


def test_a_proposal_comes_back_and_the_newest_counts(workspace: Workspace) -> None:
    digest = add(workspace)
    first = workspace.add_proposal(digest, proposal((0, 0), preset="tiny"))

    second = workspace.add_proposal(digest, proposal((1, 0), preset="large", threshold=None))

    assert (first.image_digest, first.preset, first.checkpoint) == (digest, "tiny", "tiny.safetensors")
    assert (first.image_score, first.threshold, first.suspicious, first.verdict) == (0.75, 0.5, 0.25, "anomalous")
    assert first.settings == '{"top_k": 0.01}'
    np.testing.assert_array_equal(workspace.mask(first.mask_digest), mask_of((0, 0)))
    assert workspace.proposal(first.id) == first
    assert workspace.newest_proposal(digest) == second
    assert second.threshold is None
    assert workspace.newest_proposal(digest, preset="tiny") == first
    assert workspace.newest_proposal(digest, preset="other") is None


def test_annotated_images_are_streamed_by_name_then_digest_across_parts(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "PART", 2)
    names = ["b.png", "a.png", "b.png", "B.png", "ä.png", "b.png", "none.png", "gone.png"]
    digests = [add(workspace, number, name) for number, name in enumerate(names)]
    for number in (0, 1, 2, 3, 4, 5, 7):
        workspace.save(digests[number], anomalous((number % 6, 0)))
    workspace.save(digests[1], NewRevision("normal", None, "ann", based_on=1))
    workspace.delete(digests[7], author="ann")

    found = [(image.name, image.digest, revision.number) for image, revision in workspace.annotated()]

    same_name = sorted(digests[number] for number in (0, 2, 5))
    assert found == [
        ("B.png", digests[3], 1),
        ("a.png", digests[1], 2),
        *(("b.png", digest, 1) for digest in same_name),
        ("ä.png", digests[4], 1),
    ]


def test_defect_classes_are_remembered_once_each_in_order(workspace: Workspace) -> None:
    digest = add(workspace)
    for name in ("scratch", "dent", "scratch"):
        workspace.save(digest, replace(anomalous((0, 0)), classes=(DefectClass((0, 0), name),)))

    assert workspace.defect_classes() == ("dent", "scratch")


def test_the_version_grows_with_every_change_and_tells_whose_it_was(workspace: Workspace) -> None:
    first, second = add(workspace, 1), add(workspace, 2)
    start = workspace.version()
    assert workspace.changed_since(0) == (first, second)

    workspace.save(second, anomalous((0, 0)))
    middle = workspace.version()
    workspace.add_proposal(first, proposal((0, 0)))
    workspace.delete(second, author="ann")

    assert start < middle < workspace.version()
    assert workspace.changed_since(start) == (first, second)
    assert workspace.changed_since(middle) == (first, second)
    assert workspace.changed_since(workspace.version()) == ()
    assert workspace.changed_since(10**30) == ()


def test_threads_share_a_workspace_and_lose_nothing(workspace: Workspace) -> None:
    digest = add(workspace)
    start = threading.Barrier(8)

    def save_five(worker: int) -> None:
        start.wait()
        for _ in range(5):
            workspace.save(digest, anomalous((worker % 6, worker // 6), author=str(worker)))
            workspace.queue()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(save_five, range(8)))

    history = workspace.history(digest)
    assert [revision.number for revision in history] == list(range(40, 0, -1))
    assert sorted(revision.author for revision in history) == sorted([str(worker) for worker in range(8)] * 5)


def test_another_opening_of_the_folder_sees_what_was_saved(workspace: Workspace) -> None:
    digest = add(workspace)

    with Workspace.open(workspace.folder) as other:
        saved = workspace.save(digest, anomalous((0, 0)))

        assert other.newest(digest) == saved.revision
        assert other.changed_since(0) == (digest,)


def test_a_mask_moved_away_while_its_row_was_on_the_way_is_put_back(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = add(workspace)
    put = type(workspace.mask_files).put
    puts: list[str] = []

    def put_and_lose_once(files: object, data: bytes) -> str:
        found = put(workspace.mask_files, data)
        if not puts:
            workspace.mask_files.path(found).unlink()
        puts.append(found)
        return found

    monkeypatch.setattr(type(workspace.mask_files), "put", put_and_lose_once)
    saved = workspace.save(digest, anomalous((0, 0))).revision

    assert saved.mask_digest is not None
    np.testing.assert_array_equal(workspace.mask(saved.mask_digest), mask_of((0, 0)))


def test_a_workspace_keeps_its_identity_wherever_its_folder_goes_and_shares_it_with_none(tmp_path: Path) -> None:
    with Workspace.open(tmp_path / "one") as one, Workspace.open(tmp_path / "two") as two:
        first, other = one.identity, two.identity
    (tmp_path / "one").rename(tmp_path / "moved")

    with Workspace.open(tmp_path / "moved") as moved:
        assert moved.identity == first
    assert len({first, other, ""}) == 3
