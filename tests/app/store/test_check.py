"""Every way in which files and rows can part is found and named."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import delete, update

from app.store.check import CheckReport, check
from app.store.errors import StoreError
from app.store.masks import encode_png
from app.store.records import NewRevision
from app.store.repair import repair
from app.store.schema import PROPOSALS, REVISIONS, STANDINGS
from app.store.workspace import Workspace
from tests.app.store.damage import STRANGE, found, mask_path, put
from tests.app.store.making import add, anomalous, files_below, mask_of, proposal


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(tmp_path / "workspace") as opened:
        yield opened


@pytest.fixture
def digest(workspace: Workspace) -> str:
    """One picture with one annotation and one proposal."""
    digest = add(workspace, 0, "cell.png")
    workspace.save(digest, anomalous((1, 2)))
    workspace.add_proposal(digest, proposal((3, 3)))
    return digest


def test_a_workspace_in_order_has_no_problem(workspace: Workspace, digest: str) -> None:
    report = check(workspace, min_age_s=0)

    assert report == CheckReport(problems=(), images=1, masks=2, young=0)


def test_an_empty_workspace_has_no_problem(workspace: Workspace) -> None:
    assert check(workspace, min_age_s=0) == CheckReport(problems=(), images=0, masks=0, young=0)


def test_a_known_file_in_a_wrong_place_is_an_orphan(workspace: Workspace, digest: str) -> None:
    put(workspace.folder / "images" / "00" / digest)
    put(workspace.folder / "masks" / digest[:2] / f"{digest}.png")

    assert [(kind, Path(path).parts[0]) for kind, path in found(check(workspace))] == [
        ("orphan", "images"),
        ("orphan", "masks"),
    ]


def test_thumbnails_are_ignored(workspace: Workspace, digest: str) -> None:
    put(workspace.folder / "cache" / "00" / "thumbnail.webp")

    assert check(workspace).problems == ()


def test_a_young_file_is_passed_over(workspace: Workspace) -> None:
    name = f"masks/00/{STRANGE}.png"
    put(workspace.folder / name, age_s=50)
    put(workspace.folder / "images" / "notes.txt", age_s=70)

    report = check(workspace)

    assert (found(report), report.young) == ([("orphan", "images/notes.txt")], 1)
    assert found(check(workspace, min_age_s=40)) == [("orphan", "images/notes.txt"), ("orphan", name)]


def test_a_mask_whose_row_was_never_written_is_an_orphan(workspace: Workspace, digest: str) -> None:
    path = mask_path(workspace, digest)
    with workspace.database.writing() as connection:
        connection.execute(update(STANDINGS).values(revision_id=None))
        connection.execute(delete(REVISIONS))

    assert found(check(workspace, min_age_s=0)) == [("orphan", path.relative_to(workspace.folder).as_posix())]


def test_a_mask_that_only_a_proposal_names_is_needed(workspace: Workspace, digest: str) -> None:
    newest = workspace.newest_proposal(digest)
    assert newest is not None
    path = workspace.mask_files.path(newest.mask_digest)
    path.unlink()

    (problem,) = check(workspace).problems

    assert problem.kind == "missing"
    assert (
        problem.detail == f"The file of proposal 1 of cell.png ({digest[:12]}) is not there; restore it from a backup."
    )


def test_a_missing_picture_is_named(workspace: Workspace, digest: str) -> None:
    path = workspace.image_path(digest)
    path.unlink()

    report = check(workspace)

    (problem,) = report.missing
    assert problem.path == path.relative_to(workspace.folder)
    assert (
        problem.detail
        == f"The file of cell.png ({digest[:12]}) is not there; add the picture again, or restore it from a backup."
    )
    assert repair(workspace, report).remaining == (problem,)


def test_a_missing_mask_is_named_with_its_revisions(workspace: Workspace, digest: str) -> None:
    for _ in range(4):
        workspace.save(digest, anomalous((1, 2)))
    mask_path(workspace, digest).unlink()

    (problem,) = check(workspace).missing

    image = f"cell.png ({digest[:12]})"
    assert problem.detail == (
        f"The file of revision 1 of {image}, revision 2 of {image}, revision 3 of {image} and 2 more is not there;"
        " restore it from a backup."
    )


def test_a_picture_with_other_bytes_is_damaged(workspace: Workspace, digest: str) -> None:
    path = workspace.image_path(digest)
    path.write_bytes(path.read_bytes()[:-1])

    (problem,) = check(workspace).damaged

    assert problem.path == path.relative_to(workspace.folder)
    assert problem.detail == (
        f"The file of cell.png ({digest[:12]}) does not hold the bytes that were added;"
        " add the picture again, or restore it from a backup."
    )


@pytest.mark.parametrize("content", [None, b"other bytes"])
def test_a_picture_that_is_added_again_is_mended(workspace: Workspace, digest: str, content: bytes | None) -> None:
    path = workspace.image_path(digest)
    path.unlink()
    if content is not None:
        path.write_bytes(content)

    add(workspace, 0)

    assert check(workspace, min_age_s=0).problems == ()


def test_a_mask_with_other_bytes_is_damaged_and_stays(workspace: Workspace, digest: str) -> None:
    path = put(mask_path(workspace, digest), encode_png(mask_of((2, 2))))

    report = check(workspace)
    repaired = repair(workspace, report)

    (problem,) = report.damaged
    assert problem.detail == (
        f"The file of revision 1 of cell.png ({digest[:12]}) does not hold the bytes that were saved;"
        " restore it from a backup."
    )
    assert repaired.remaining == (problem,)
    assert path.exists()


def test_a_mask_of_another_size_is_damaged(workspace: Workspace, digest: str) -> None:
    _give_revision(workspace, encode_png(np.ones((2, 3), np.bool_)))

    (problem,) = check(workspace).damaged

    assert problem.detail == (
        f"The file of revision 1 of cell.png ({digest[:12]}) is 3 x 2 pixels, and revision 1 of cell.png"
        f" ({digest[:12]}) needs 6 x 4; restore it from a backup."
    )


@pytest.mark.parametrize("content", ["text", "grey"])
def test_a_mask_that_cannot_be_read_is_damaged(workspace: Workspace, digest: str, tmp_path: Path, content: str) -> None:
    grey = tmp_path / "grey.png"
    Image.fromarray(np.arange(24, dtype=np.uint8).reshape(4, 6)).save(grey)
    _give_revision(workspace, b"no picture" if content == "text" else grey.read_bytes())

    (problem,) = check(workspace).damaged

    assert problem.detail == (
        f"The file of revision 1 of cell.png ({digest[:12]}) is no black-and-white PNG; restore it from a backup."
    )


def test_a_folder_in_a_files_place_is_damage(workspace: Workspace, digest: str) -> None:
    path = mask_path(workspace, digest)
    path.unlink()
    path.mkdir()

    (problem,) = check(workspace).damaged

    assert problem.detail == (
        f"The file of revision 1 of cell.png ({digest[:12]}) cannot be read (Is a directory); restore it from a backup."
    )


def test_a_normal_mask_that_many_images_share_is_read_once(workspace: Workspace) -> None:
    for number in range(5):
        workspace.save(add(workspace, number), NewRevision("normal", None, "ann"))

    report = check(workspace)

    assert (report.images, report.masks, report.problems) == (5, 1, ())


def test_checking_changes_nothing(workspace: Workspace, digest: str) -> None:
    put(workspace.folder / "images" / "notes.txt")
    mask_path(workspace, digest).unlink()
    files = {name: (workspace.folder / name).stat().st_mtime_ns for name in files_below(workspace.folder)}
    version = workspace.version()

    check(workspace)

    now = {name: (workspace.folder / name).stat().st_mtime_ns for name in files_below(workspace.folder)}
    assert {name: at for name, at in now.items() if "oddity.db" not in name} == {
        name: at for name, at in files.items() if "oddity.db" not in name
    }
    assert workspace.version() == version


def test_a_folder_that_may_not_be_read_is_one_sentence(
    workspace: Workspace, digest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("os.scandir", refuse)  # root, who may run this, is refused nothing

    with pytest.raises(StoreError, match="images cannot be read \\(Permission denied\\); check its permissions"):
        check(workspace)


def _give_revision(workspace: Workspace, data: bytes) -> None:
    """Let the only revision name a file with these bytes, as only another program could bring it about."""
    mask_digest = workspace.mask_files.put(data)
    with workspace.database.writing() as connection:
        connection.execute(update(STANDINGS).values(proposal_id=None))
        connection.execute(delete(PROPOSALS))
        connection.execute(update(REVISIONS).values(mask_digest=mask_digest))
