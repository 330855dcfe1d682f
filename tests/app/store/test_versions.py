"""The shelf of taught versions: whole files, lineage, import and export, and what is refused."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from app.store.check import check
from app.store.errors import StoreError
from app.store.versions import TaughtRevision, VersionShelf
from app.store.workspace import Workspace
from models.errors import WeightsError
from models.head_files import file_digest, read_head, save_head
from models.registry import DEFAULT_PRESET, PRESETS
from models.weights import HEADS_DIR
from tests.app.store.making import fail_writes, files_below
from tests.app.teaching_fakes import add_version, write_head

OTHER = "daclip-compact"


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(tmp_path / "workspace") as opened:
        yield opened


@pytest.fixture
def shelf(workspace: Workspace) -> VersionShelf:
    return workspace.versions


@pytest.fixture
def add(workspace: Workspace, tmp_path: Path) -> Callable[[int], str]:
    return lambda seed: add_version(workspace, tmp_path, seed=seed).id


def test_a_version_is_a_file_named_by_its_digest_and_keeps_what_was_said_about_it(
    workspace: Workspace, tmp_path: Path
) -> None:
    revision = TaughtRevision(image_digest="a" * 64, number=2, label="anomalous", held_out=True)
    head = tmp_path / "head.safetensors"
    digest = write_head(head, revisions=[revision], settings={"steps": 60}, metrics={"better": True}, author="ann")

    added = workspace.versions.add(head)

    assert not head.exists()
    assert workspace.versions.path(digest) == workspace.folder / "versions" / f"{digest}.safetensors"
    assert file_digest(workspace.versions.path(digest)) == digest
    assert (added.id, added.preset, added.name, added.mode, added.author) == (
        *(digest, DEFAULT_PRESET, "version 1", "quick", "ann"),
    )
    assert (added.revisions, added.settings, added.metrics) == ((revision,), {"steps": 60}, {"better": True})
    assert added.file_bytes == workspace.versions.path(digest).stat().st_size


def test_versions_are_listed_newest_first_and_by_preset(workspace: Workspace, tmp_path: Path) -> None:
    for seed in (1, 2):
        add_version(workspace, tmp_path, seed=seed)
    assert [version.name for version in workspace.versions.list()] == ["version 2", "version 1"]
    assert workspace.versions.list(OTHER) == ()


def test_a_version_is_found_by_its_id_its_first_digits_its_name_and_its_number(
    shelf: VersionShelf, add: Callable[[int], str]
) -> None:
    first, second = add(1), add(2)
    assert shelf.get(first).id == shelf.get(first[:8]).id == shelf.get("version 1").id == shelf.get("1").id == first
    assert shelf.get("2", DEFAULT_PRESET).id == second
    with pytest.raises(StoreError, match="There is no version '3' of visualad-dinov2-small; `versions list` shows"):
        shelf.get("3", DEFAULT_PRESET)


def test_a_name_that_two_versions_have_is_refused_with_their_ids(workspace: Workspace, tmp_path: Path) -> None:
    ids = [add_version(workspace, tmp_path, seed=seed, name="version 7").id for seed in (1, 2)]
    with pytest.raises(StoreError, match="'version 7' means several versions: ") as caught:
        workspace.versions.get("version 7")
    assert all(version_id[:12] in str(caught.value) for version_id in ids)


def test_the_name_of_a_deleted_version_is_not_given_again(shelf: VersionShelf, add: Callable[[int], str]) -> None:
    shelf.delete(add(1))
    assert shelf.next_name(DEFAULT_PRESET) == "version 2"


def test_after_its_parent_is_deleted_a_version_still_says_what_it_was_taught_from(
    workspace: Workspace, tmp_path: Path
) -> None:
    shelf, shipped = workspace.versions, file_digest(HEADS_DIR / str(PRESETS[DEFAULT_PRESET].head_file))
    parent = add_version(workspace, tmp_path, seed=1, parent=shipped)
    child = add_version(workspace, tmp_path, seed=2, parent=parent.id)
    assert (shelf.parent_name(parent), shelf.parent_name(child)) == ("shipped head", "version 1")
    shelf.delete(parent.id)
    assert shelf.parent_name(shelf.get(child.id)) == "version 1 (deleted)"


def test_a_file_whose_digest_is_not_its_name_is_refused_and_reported(
    workspace: Workspace, shelf: VersionShelf, add: Callable[[int], str]
) -> None:
    version_id = add(1)
    shelf.activate(DEFAULT_PRESET, version_id, "ann")
    path = shelf.path(version_id)
    write_head(path, seed=9, name="version 1")
    with pytest.raises(StoreError, match="is damaged; import it again, or delete it"):
        shelf.path(version_id)
    assert shelf.list() == ()
    assert shelf.faults() == (f"The version {path} is damaged; import it again, or delete it.",)
    assert [(problem.kind, problem.path.name) for problem in check(workspace).problems] == [("damaged", path.name)]


def test_a_full_disk_leaves_no_half_written_version_and_the_head_where_it_was(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = add_version(workspace, tmp_path, seed=1)
    workspace.versions.activate(DEFAULT_PRESET, kept.id, "ann")
    before = files_below(workspace.versions.folder)
    head = tmp_path / "next.safetensors"
    write_head(head, seed=2, name="version 2")
    fail_writes(monkeypatch, errno.ENOSPC)

    with pytest.raises(StoreError, match="The disk of .* is full"):
        workspace.versions.add(head)
    with pytest.raises(StoreError, match="The disk of .* is full"):
        workspace.versions.activate(DEFAULT_PRESET, None, "ann")

    assert head.exists()
    assert files_below(workspace.versions.folder) == before
    assert workspace.versions.active(DEFAULT_PRESET) == kept.id


def test_half_written_files_are_leftovers_for_the_check(workspace: Workspace, add: Callable[[int], str]) -> None:
    add(1)
    (workspace.versions.folder / ".x.safetensors.0.part").write_bytes(b"half")
    (problem,) = check(workspace, min_age_s=0).problems
    assert (problem.kind, problem.path.as_posix()) == ("leftover", "versions/.x.safetensors.0.part")


def test_a_read_only_workspace_refuses_every_change(workspace: Workspace, tmp_path: Path) -> None:
    version = add_version(workspace, tmp_path, seed=1)
    shelf = VersionShelf(workspace.versions.folder, read_only=True)
    head = tmp_path / "head.safetensors"
    write_head(head, seed=2, name="version 2")
    changes: list[Callable[[], object]] = [
        lambda: shelf.add(head),
        lambda: shelf.take_in(head, "ann"),
        lambda: shelf.delete(version.id),
        lambda: shelf.activate(DEFAULT_PRESET, version.id, "ann"),
        lambda: shelf.roll_back(DEFAULT_PRESET, "ann"),
    ]
    for change in changes:
        with pytest.raises(StoreError, match="may not be written by this user; change its permissions, or work on a"):
            change()
    assert shelf.list()[0].id == version.id


def test_an_exported_version_comes_back_with_its_bytes_its_description_and_an_unknown_parent(
    workspace: Workspace, tmp_path: Path
) -> None:
    version = add_version(workspace, tmp_path, seed=1, metrics={"better": True}, parent="e" * 64)
    exported = workspace.versions.export(version.id, tmp_path)
    with Workspace.open(tmp_path / "another") as another:
        taken = another.versions.take_in(exported, "bob")
        assert exported.name == f"visualad-dinov2-small-version-1-{version.id[:12]}.safetensors"
        assert exported.exists()
        assert (taken.id, taken.name, taken.author, taken.metrics) == (version.id, "version 1", "ann", {"better": True})
        assert another.versions.parent_name(taken) == "unknown eeeeeeeeeeee"
        assert another.versions.take_in(exported, "bob").id == version.id
        assert len(another.versions.list()) == 1


def test_an_export_does_not_write_over_a_file(workspace: Workspace, tmp_path: Path) -> None:
    version = add_version(workspace, tmp_path, seed=1)
    taken = tmp_path / "taken.safetensors"
    taken.write_bytes(b"mine")
    with pytest.raises(StoreError, match="taken.safetensors is there already; choose another name"):
        workspace.versions.export(version.id, taken)
    assert taken.read_bytes() == b"mine"


def test_a_head_without_a_version_becomes_one_whose_parent_is_that_file(workspace: Workspace, tmp_path: Path) -> None:
    head = tmp_path / "trained.safetensors"
    digest = write_head(head, seed=5)
    version = workspace.versions.take_in(head, "bob")
    assert (version.preset, version.name, version.mode, version.parent, version.author) == (
        *(DEFAULT_PRESET, "version 1", "import", digest, "bob"),
    )
    np.testing.assert_array_equal(read_head(workspace.versions.path(version.id)).tensors["weight"], np.full(4, 5.0))
    assert files_below(workspace.versions.folder) == {f"{version.id}.safetensors", "active.json", "lock"}


def test_what_fits_no_preset_is_not_taken_in(workspace: Workspace, tmp_path: Path) -> None:
    head = tmp_path / "head.safetensors"
    write_head(head, preset="future-preset", name="version 1")
    with pytest.raises(StoreError, match="belongs to the preset 'future-preset', which this program does not know"):
        workspace.versions.take_in(head, "ann")
    write_head(head, preset=OTHER, name="version 1")
    with pytest.raises(StoreError, match="is a head of VisualAD, and DA-CLIP compact .* needs one of DA-CLIP"):
        workspace.versions.take_in(head, "ann")
    write_head(head, preset="visualad-dinov2-large", name="version 1")
    with pytest.raises(StoreError, match="was trained on 'dinov2-small', and .* needs a head for 'dinov2-large'"):
        workspace.versions.take_in(head, "ann")
    save_head(head, {}, {"method": "VisualAD", "backbone": "dinov9"})
    with pytest.raises(StoreError, match="is a head of VisualAD on 'dinov9', for which there is no preset"):
        workspace.versions.take_in(head, "ann")
    head.write_bytes(b"no head at all")
    with pytest.raises(WeightsError, match="is damaged or no safetensors file"):
        workspace.versions.take_in(head, "ann")
    with pytest.raises(WeightsError, match="There is no checkpoint at"):
        workspace.versions.take_in(tmp_path / "nothing.safetensors", "ann")
    assert workspace.versions.list() == ()


@pytest.mark.parametrize("change", [{"mode": "magic"}, {"created_at": 5}, {"revisions": [["a"]]}, {"name": None}])
def test_a_description_that_does_not_fit_is_refused(
    workspace: Workspace, tmp_path: Path, change: dict[str, object]
) -> None:
    head = tmp_path / "head.safetensors"
    write_head(head, seed=1, name="version 1")
    config = dict(read_head(head).config)
    save_head(head, read_head(head).tensors, {**config, "version": {**config["version"], **change}})
    with pytest.raises(StoreError, match="does not describe a taught version"):
        workspace.versions.add(head)
