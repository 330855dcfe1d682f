"""Whatever goes wrong with a workspace: one sentence, nothing half-written, earlier work intact."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.store.errors import StoreError, UnknownImageError
from app.store.records import DefectClass, NewRevision, Source
from app.store.workspace import Workspace
from tests.app.store.making import add, anomalous, fail_writes, files_below, mask_of, picture, proposal

NOWHERE = "0" * 64


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(tmp_path / "work", busy_timeout_s=0.1) as opened:
        yield opened


@pytest.mark.parametrize(
    "ask",
    [
        lambda workspace, digest: workspace.image(digest),
        lambda workspace, digest: workspace.image_path(digest),
        lambda workspace, digest: workspace.image_bytes(digest),
        lambda workspace, digest: workspace.newest(digest),
        lambda workspace, digest: workspace.history(digest),
        lambda workspace, digest: workspace.revision(digest, 1),
        lambda workspace, digest: workspace.item(digest),
        lambda workspace, digest: workspace.newest_proposal(digest),
        lambda workspace, digest: workspace.save(digest, anomalous((0, 0))),
        lambda workspace, digest: workspace.delete(digest, author="ann"),
        lambda workspace, digest: workspace.restore(digest, 1, author="ann"),
        lambda workspace, digest: workspace.add_proposal(digest, proposal((0, 0))),
    ],
)
@pytest.mark.parametrize("digest", [NOWHERE, "", "../../etc/passwd", "\0", "\udcff"])
def test_an_unknown_image_is_told_everywhere(
    workspace: Workspace, ask: Callable[[Workspace, str], object], digest: str
) -> None:
    with pytest.raises(UnknownImageError, match="The workspace has no image .*; check the digest"):
        ask(workspace, digest)
    assert not (workspace.folder / "masks").exists()


@pytest.mark.parametrize(
    ("new", "sentence"),
    [
        (NewRevision("anomalous", mask_of((0, 0), size_hw=(6, 4)), "ann"), r"has 4 x 6 pixels and 0.png has 6 x 4"),
        (NewRevision("normal", mask_of((0, 0), (1, 0)), "ann"), "labelled normal, but 2 of its pixels are marked"),
        (NewRevision("anomalous", mask_of(), "ann"), "labelled anomalous, but no pixel is marked"),
        (replace(anomalous((0, 0)), classes=(DefectClass((3, 3), "dent"),)), "'dent' at x 3, y 3 lies outside"),
        (NewRevision("anomalous", None, "ann", (DefectClass((0, 0), "dent"),)), "lies outside every region"),
        (replace(anomalous((0, 0)), classes=(DefectClass((0, 0), " "),)), "A defect class has no name"),
        (
            replace(anomalous((0, 0)), classes=(DefectClass((0, 0), "x" * 101),)),
            "has 101 characters and the limit is 100",
        ),
        (replace(anomalous((0, 0)), note="x" * 10_001), "The note has 10001 characters and the limit is 10000"),
        (anomalous((0, 0), author="x" * 201), "The author's name has 201 characters"),
        (anomalous((0, 0), save_id="x" * 101), "The save_id has 101 characters"),
        (anomalous((0, 0), based_on=3), r"based on revision 3, but the image \w+ has only 0; open the image again"),
        (replace(anomalous((0, 0)), source=Source(proposal_id=99)), "has no proposal 99"),
        (replace(anomalous((0, 0)), source=Source(proposal_id=10**30)), "has no proposal 10+"),
    ],
)
def test_an_annotation_that_contradicts_itself_or_its_image_is_refused(
    workspace: Workspace, new: NewRevision, sentence: str
) -> None:
    digest = add(workspace)
    version = workspace.version()

    with pytest.raises(StoreError, match=sentence):
        workspace.save(digest, new)
    assert workspace.history(digest) == ()
    assert workspace.version() == version
    assert not (workspace.folder / "masks").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mask": np.zeros((4, 6), dtype=np.uint8)}, r"a mask must be a bool array \(H, W\), got uint8"),
        ({"mask": np.zeros((4, 6, 1), dtype=np.bool_)}, r"a mask must be a bool array \(H, W\), got bool"),
        ({"label": "odd"}, "label must be one of normal, anomalous, unsure, got 'odd'"),
        ({"source": Source("guess")}, "source.kind must be one of proposal, .*, got 'guess'"),
        ({"based_on": -1}, "based_on must be a revision's number or 0, got -1"),
    ],
)
def test_a_callers_mistake_is_a_value_error(workspace: Workspace, changes: dict[str, Any], message: str) -> None:
    digest = add(workspace)

    with pytest.raises(ValueError, match=message):
        workspace.save(digest, replace(anomalous((0, 0)), **changes))
    assert workspace.history(digest) == ()


def test_a_proposal_must_be_of_the_images_size_and_finite_and_of_this_image(workspace: Workspace) -> None:
    first, second = add(workspace, 1), add(workspace, 2)
    other = workspace.add_proposal(second, proposal((0, 0)))

    with pytest.raises(StoreError, match="The mask has 4 x 6 pixels and 1.png has 6 x 4"):
        workspace.add_proposal(first, replace(proposal(), mask=mask_of(size_hw=(6, 4))))
    with pytest.raises(ValueError, match="image_score must be finite, got nan"):
        workspace.add_proposal(first, proposal(image_score=float("nan")))
    with pytest.raises(StoreError, match=f"Proposal {other.id} is for another image"):
        workspace.save(first, replace(anomalous((0, 0)), source=Source("proposal", proposal_id=other.id)))


def test_what_is_not_there_cannot_be_asked_for_deleted_or_restored(workspace: Workspace) -> None:
    digest = add(workspace)

    with pytest.raises(StoreError, match="has no annotation that could be deleted"):
        workspace.delete(digest, author="ann")
    workspace.save(digest, anomalous((0, 0)))
    workspace.delete(digest, author="ann")
    with pytest.raises(StoreError, match="has no annotation that could be deleted"):
        workspace.delete(digest, author="ann")
    with pytest.raises(StoreError, match="Revision 2 of 0.png is a deletion; choose one with an annotation"):
        workspace.restore(digest, 2, author="ann")
    for number in (0, 3, 10**30):
        with pytest.raises(StoreError, match=f"has no revision {number}; look at its history"):
            workspace.restore(digest, number, author="ann")
    with pytest.raises(StoreError, match="'../oddity.db' names no mask"):
        workspace.mask("../oddity.db")
    with pytest.raises(StoreError, match="The mask file .* is missing"):
        workspace.mask(NOWHERE)


def test_a_damaged_mask_is_told_and_never_restored(workspace: Workspace) -> None:
    digest = add(workspace)
    revision = workspace.save(digest, anomalous((0, 0))).revision
    assert revision.mask_digest is not None
    path = workspace.mask_files.path(revision.mask_digest)
    path.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(StoreError, match="The mask file .* is damaged"):
        workspace.mask(revision.mask_digest)
    with pytest.raises(StoreError, match="The mask file .* is damaged"):
        workspace.restore(digest, 1, author="ann")
    assert len(workspace.history(digest)) == 1


def test_a_full_disk_leaves_nothing_of_a_mask_or_an_image(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = add(workspace)
    first = workspace.save(digest, anomalous((0, 0))).revision
    files = files_below(workspace.folder)

    fail_writes(monkeypatch, errno.ENOSPC)
    with pytest.raises(StoreError, match="The disk of .*work is full, so nothing was saved; make room"):
        workspace.save(digest, anomalous((1, 0)))
    with pytest.raises(StoreError, match="The disk of .*work is full, so nothing was saved; make room"):
        workspace.add_image(picture(1), "next.png", author="ann")
    monkeypatch.undo()

    assert files_below(workspace.folder) == files
    assert workspace.history(digest) == (first,)
    assert workspace.save(digest, anomalous((1, 0), based_on=1)).revision.number == 2


def test_a_disk_that_is_full_for_the_database_rolls_the_save_back(tmp_path: Path) -> None:
    with Workspace.open(tmp_path) as workspace:
        digest = add(workspace)
        first = workspace.save(digest, anomalous((0, 0))).revision
        with workspace.database.reading() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1")  # SQLite's own full disk, for this connection
        with pytest.raises(StoreError, match="The disk of .*oddity.db is full, so nothing was saved; make room"):
            workspace.save(digest, replace(anomalous((1, 0)), source=Source(settings="x" * 100_000)))

        assert workspace.history(digest) == (first,)
        assert workspace.newest(digest) == first


def test_a_locked_database_is_told_after_waiting_and_reading_goes_on(workspace: Workspace) -> None:
    digest = add(workspace)
    other = sqlite3.connect(workspace.folder / "oddity.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreError, match="oddity.db is locked by another program and did not come free in time"):
        workspace.save(digest, anomalous((0, 0)))
    assert workspace.queue().total == 1

    other.execute("ROLLBACK")
    other.close()
    assert workspace.save(digest, anomalous((0, 0))).revision.number == 1


def test_a_folder_that_may_only_be_read_shows_everything_and_takes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Workspace.open(tmp_path) as workspace:
        digest = add(workspace)
        saved = workspace.save(digest, anomalous((0, 0))).revision
    files = files_below(tmp_path)
    # Root may write anywhere, so that permissions alone would prove nothing here.
    monkeypatch.setattr(os, "access", lambda _, mode: not mode & os.W_OK)

    with Workspace.open(tmp_path) as workspace:
        assert workspace.read_only
        assert workspace.newest(digest) == saved
        assert workspace.image_bytes(digest) == picture(0)
        assert not workspace.add_image(picture(0), "again.png", author="ann").is_new
        for change in (
            lambda: workspace.save(digest, anomalous((1, 0))),
            lambda: workspace.delete(digest, author="ann"),
            lambda: workspace.restore(digest, 1, author="ann"),
            lambda: workspace.add_proposal(digest, proposal((0, 0))),
            lambda: workspace.add_image(picture(1), "next.png", author="ann"),
        ):
            with pytest.raises(StoreError, match="oddity.db may not be written by this user; change its permissions"):
                change()
        assert files_below(tmp_path) == files


def test_a_reader_sees_what_a_writer_saves_meanwhile(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = add(workspace)
    monkeypatch.setattr(os, "access", lambda _, mode: not mode & os.W_OK)

    with Workspace.open(workspace.folder) as reader:
        saved = workspace.save(digest, anomalous((0, 0))).revision

        assert reader.newest(digest) == saved
