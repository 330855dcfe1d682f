"""What nothing needs is moved out of the way, never deleted; what may be needed stays where it is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.store.check import check
from app.store.errors import StoreError
from app.store.masks import encode_png
from app.store.repair import repair
from app.store.workspace import Workspace
from tests.app.store.damage import STRANGE, found, put
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


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (f"images/00/{STRANGE}", "orphan"),
        (f"masks/00/{STRANGE}.png", "orphan"),
        ("images/notes.txt", "orphan"),
        ("images/00/\udcff\nno text", "orphan"),  # a name that is no Unicode
        ("masks/deep/er/notes.txt", "orphan"),
        (f"images/00/.{STRANGE}.1f.part", "leftover"),
        (f"masks/00/.{STRANGE}.png.1f.part", "leftover"),
        (".workspace.json.1f.part", "leftover"),
    ],
)
def test_a_file_that_nothing_needs_is_found_and_moved_away(
    workspace: Workspace, digest: str, name: str, kind: str
) -> None:
    put(workspace.folder / name, b"what was left")
    files = files_below(workspace.folder)

    report = check(workspace)
    repaired = repair(workspace, report)

    assert found(report) == [(kind, name)]
    assert repaired.moved == ((Path(name), Path("lost+found") / name),)
    assert repaired.remaining == ()
    assert check(workspace, min_age_s=0).problems == ()
    assert (workspace.folder / "lost+found" / name).read_bytes() == b"what was left"
    assert files_below(workspace.folder) == files - {name} | {f"lost+found/{name}"}


def test_what_is_moved_twice_is_kept_twice(workspace: Workspace) -> None:
    for content in (b"first", b"second"):
        put(workspace.folder / "images" / "notes.txt", content)
        repair(workspace, check(workspace))

    kept = [path.read_bytes() for path in sorted((workspace.folder / "lost+found" / "images").iterdir())]
    assert kept == [b"first", b"second"]


def test_a_file_that_was_touched_since_the_check_stays(workspace: Workspace) -> None:
    path = put(workspace.folder / "masks" / "00" / f"{STRANGE}.png")
    report = check(workspace)
    put(path, age_s=1)

    assert repair(workspace, report).moved == ()
    assert path.exists()


def test_a_file_that_has_got_a_row_since_the_check_stays(workspace: Workspace, digest: str) -> None:
    png = encode_png(mask_of((0, 0)))
    path = put(workspace.mask_files.path(hashlib.sha256(png).hexdigest()), png)
    report = check(workspace)
    workspace.save(digest, anomalous((0, 0)))
    put(path, png)

    assert found(report) == [("orphan", path.relative_to(workspace.folder).as_posix())]
    assert repair(workspace, report).moved == ()
    assert check(workspace, min_age_s=0).problems == ()


def test_a_file_that_has_gone_since_the_check_is_no_trouble(workspace: Workspace) -> None:
    path = put(workspace.folder / "images" / "notes.txt")
    report = check(workspace)
    path.unlink()

    assert repair(workspace, report).moved == ()


def test_repair_of_a_read_only_workspace_is_one_sentence(workspace: Workspace) -> None:
    path = put(workspace.folder / "images" / "notes.txt")
    report = check(workspace)
    reading = Workspace(workspace.folder, replace(workspace.database, read_only=True))

    with pytest.raises(StoreError, match="oddity.db may not be written by this user"):
        repair(reading, report)

    assert path.exists()


def test_a_file_that_cannot_be_moved_is_one_sentence(workspace: Workspace) -> None:
    put(workspace.folder / "images" / "notes.txt")
    put(workspace.folder / "lost+found")

    with pytest.raises(StoreError, match="is a file or lies below one, and a folder is needed"):
        repair(workspace, check(workspace))

    assert (workspace.folder / "images" / "notes.txt").exists()
