"""What the workspace has already is never overwritten: the same is not saved again, what differs is a new revision."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from app.store.intake.take_in import take_in
from app.store.records import NewRevision
from app.store.workspace import Workspace
from tests.app.store.intake.helpers import (
    MASK,
    OTHER_MASK,
    counts,
    digests,
    write,
)
from tests.app.store.intake.zips import mask_png, png


def test_the_same_content_is_stored_once_and_the_report_says_under_which_name(
    workspace: Workspace, tmp_path: Path
) -> None:
    write(tmp_path / "set" / "a.png", png(6, 8))
    write(tmp_path / "set" / "b.png", png(6, 8))

    report = take_in(workspace, [tmp_path / "set"], author="Ada")

    assert counts(report) == (1, 1, 0, 0)
    assert report.notes == ("b.png has the same content as a.png, which the workspace has.",)
    assert len(list(workspace.images())) == 1


def test_the_same_import_again_changes_nothing(workspace: Workspace, tmp_path: Path) -> None:
    write(tmp_path / "set" / "a.png", png(6, 8))
    write(tmp_path / "set" / "a_mask.png", mask_png(MASK))
    take_in(workspace, [tmp_path / "set"], author="Ada")
    version = workspace.version()

    report = take_in(workspace, [tmp_path / "set"], author="Bob")

    assert counts(report) == (0, 1, 0, 1)
    assert workspace.version() == version


def test_another_mask_becomes_a_new_revision_on_top_of_the_newest(workspace: Workspace, tmp_path: Path) -> None:
    write(tmp_path / "set" / "a.png", png(6, 8))
    mask = write(tmp_path / "set" / "a_mask.png", mask_png(MASK))
    take_in(workspace, [tmp_path / "set"], author="Ada")
    write(mask, mask_png(OTHER_MASK))

    report = take_in(workspace, [tmp_path / "set"], author="Bob")

    assert counts(report) == (0, 1, 1, 0)
    newest, oldest = workspace.history(digests(workspace)["a.png"])
    assert (newest.number, newest.based_on, newest.author) == (2, 1, "Bob")
    assert np.array_equal(workspace.mask(newest.mask_digest or ""), OTHER_MASK)
    assert np.array_equal(workspace.mask(oldest.mask_digest or ""), MASK)


def test_another_label_with_the_same_mask_becomes_a_new_revision(workspace: Workspace, tmp_path: Path) -> None:
    write(tmp_path / "set" / "a.png", png(6, 8))
    write(tmp_path / "set" / "a_mask.png", mask_png(MASK))
    digest = workspace.add_image(png(6, 8), "a.png", author="Ada").image.digest
    workspace.save(digest, NewRevision(label="unsure", mask=MASK, author="Ada"))

    report = take_in(workspace, [tmp_path / "set"], author="Bob")

    assert counts(report) == (0, 1, 1, 0)
    assert [revision.label for revision in workspace.history(digest)] == ["anomalous", "unsure"]


def test_an_annotation_that_was_deleted_comes_back_as_a_new_revision(workspace: Workspace, tmp_path: Path) -> None:
    write(tmp_path / "set" / "a.png", png(6, 8))
    write(tmp_path / "set" / "a_mask.png", mask_png(MASK))
    take_in(workspace, [tmp_path / "set"], author="Ada")
    digest = digests(workspace)["a.png"]
    workspace.delete(digest, author="Bob", based_on=1)

    report = take_in(workspace, [tmp_path / "set"], author="Ada")

    assert counts(report) == (0, 1, 1, 0)
    assert [(revision.kind, revision.based_on) for revision in workspace.history(digest)] == [
        ("save", 2),
        ("delete", 1),
        ("save", 0),
    ]


def test_another_class_with_the_same_mask_becomes_a_new_revision(workspace: Workspace, tmp_path: Path) -> None:
    for name in ("broken", "bent"):
        write(tmp_path / name / "test" / name / "001.png", png(6, 8))
        write(tmp_path / name / "ground_truth" / name / "001_mask.png", mask_png(MASK))
    take_in(workspace, [tmp_path / "broken"], author="Ada")

    report = take_in(workspace, [tmp_path / "bent"], author="Ada")

    assert counts(report) == (0, 1, 1, 0)
    assert workspace.defect_classes() == ("bent", "broken")


def test_a_name_that_is_no_text_is_not_taken_for_another_name(workspace: Workspace, tmp_path: Path) -> None:
    write(tmp_path / "set" / os.fsdecode(b"caf\xe9.png"), png(6, 8))

    report = take_in(workspace, [tmp_path / "set"], author="Ada")

    assert counts(report) == (1, 0, 0, 0)
    assert (report.refused, report.notes) == ((), ())
