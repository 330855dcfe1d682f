"""Which version is active: activating, rolling back, damage, and two processes at once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from app.store.check import check
from app.store.errors import StoreError
from app.store.versions import VersionShelf
from app.store.workspace import Workspace
from models.errors import UnknownModelError
from models.head_files import save_head
from models.registry import DEFAULT_PRESET
from tests.app.teaching_fakes import add_version

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


def damage(shelf: VersionShelf, version_id: str) -> None:
    path = shelf.files.path(version_id)
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")


def test_nothing_is_active_until_something_is_activated(shelf: VersionShelf, add: Callable[[int], str]) -> None:
    version_id = add(1)
    assert shelf.active(DEFAULT_PRESET) is None
    assert shelf.active_path(DEFAULT_PRESET) is None
    shelf.activate(DEFAULT_PRESET, version_id, "ann")
    assert shelf.active_path(DEFAULT_PRESET) == shelf.path(version_id)
    assert shelf.active_path(OTHER) is None
    (activation,) = shelf.activations(DEFAULT_PRESET)
    assert (activation.version, activation.author, activation.kind) == (version_id, "ann", "activate")


def test_rolling_back_goes_step_by_step_down_to_the_shipped_head(
    shelf: VersionShelf, add: Callable[[int], str]
) -> None:
    first, second, third = add(1), add(2), add(3)
    for version_id in (first, second, third):
        shelf.activate(DEFAULT_PRESET, version_id, "ann")
    assert [shelf.roll_back(DEFAULT_PRESET, "bob") for _ in range(3)] == [second, first, None]
    assert shelf.active(DEFAULT_PRESET) is None
    with pytest.raises(StoreError, match="visualad-dinov2-small uses its shipped head; there is nothing to roll back"):
        shelf.roll_back(DEFAULT_PRESET, "bob")


def test_rolling_back_after_going_to_and_fro_returns_what_was_active_before(
    shelf: VersionShelf, add: Callable[[int], str]
) -> None:
    first, second = add(1), add(2)
    for version_id in (first, second, None, first):
        shelf.activate(DEFAULT_PRESET, version_id, "ann")
    back = [shelf.roll_back(DEFAULT_PRESET, "ann") for _ in range(2)]
    assert back == [None, second]
    shelf.activate(DEFAULT_PRESET, first, "ann")
    assert shelf.roll_back(DEFAULT_PRESET, "ann") == second


def test_rolling_back_passes_over_versions_that_are_deleted_or_damaged(
    shelf: VersionShelf, add: Callable[[int], str]
) -> None:
    first, second, third, fourth = (add(seed) for seed in (1, 2, 3, 4))
    for version_id in (first, second, third, fourth):
        shelf.activate(DEFAULT_PRESET, version_id, "ann")
    shelf.delete(second)
    damage(shelf, third)
    assert shelf.roll_back(DEFAULT_PRESET, "ann") == first


def test_the_active_version_cannot_be_deleted(shelf: VersionShelf, add: Callable[[int], str]) -> None:
    version_id = add(1)
    shelf.activate(DEFAULT_PRESET, version_id, "ann")
    with pytest.raises(StoreError, match=r"version 1 \(\w{12}\) is the active version of visualad-dinov2-small;"):
        shelf.delete(version_id)
    assert shelf.path(version_id).exists()


def test_a_damaged_active_version_is_named_and_other_presets_go_on(
    shelf: VersionShelf, add: Callable[[int], str]
) -> None:
    version_id = add(1)
    shelf.activate(DEFAULT_PRESET, version_id, "ann")
    damage(shelf, version_id)
    with pytest.raises(StoreError, match=r"version 1 \(\w{12}\), the active version of .* is damaged; roll back to"):
        shelf.active_path(DEFAULT_PRESET)
    assert shelf.active_path(OTHER) is None
    assert shelf.roll_back(DEFAULT_PRESET, "ann") is None
    assert shelf.active_path(DEFAULT_PRESET) is None


def test_an_active_version_that_is_gone_is_reported(
    workspace: Workspace, shelf: VersionShelf, add: Callable[[int], str]
) -> None:
    version_id = add(1)
    shelf.activate(DEFAULT_PRESET, version_id, "ann")
    shelf.path(version_id).unlink()
    (problem,) = check(workspace).problems
    assert (problem.kind, problem.path.name) == ("missing", f"{version_id}.safetensors")
    assert "is missing; roll back to the one before it" in problem.detail


@pytest.mark.parametrize("text", ["", "{", '{"format": 1, "known": {}, "activations": [{"preset": "x"}]}'])
def test_a_damaged_note_of_the_active_versions_is_a_sentence(
    shelf: VersionShelf, add: Callable[[int], str], text: str
) -> None:
    add(1)
    (shelf.folder / "active.json").write_text(text)
    with pytest.raises(StoreError, match="active.json is damaged; restore it from a backup, or delete it to go on"):
        shelf.active(DEFAULT_PRESET)


def test_a_note_of_a_newer_program_is_not_guessed_at(shelf: VersionShelf, add: Callable[[int], str]) -> None:
    add(1)
    (shelf.folder / "active.json").write_text(json.dumps({"format": 2}))
    with pytest.raises(StoreError, match=r"newer version of this program \(format 2, this one knows 1\)"):
        shelf.active(DEFAULT_PRESET)


def test_a_version_of_another_preset_or_none_is_not_activated(shelf: VersionShelf, add: Callable[[int], str]) -> None:
    version_id = add(1)
    with pytest.raises(StoreError, match="belongs to visualad-dinov2-small, not daclip-compact"):
        shelf.activate(OTHER, version_id, "ann")
    with pytest.raises(StoreError, match="There is no version ffffffffffff;"):
        shelf.activate(DEFAULT_PRESET, "f" * 64, "ann")
    with pytest.raises(UnknownModelError, match="no-such"):
        shelf.activate("no-such", None, "ann")


ACTIVATE = """
import sys
from pathlib import Path
from app.store.versions import VersionShelf
shelf = VersionShelf(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for _ in range(25):
    shelf.activate(sys.argv[2], sys.argv[3], "one of two")
    shelf.activate(sys.argv[2], None, "one of two")
"""


def test_two_processes_that_activate_at_once_lose_no_entry(workspace: Workspace, tmp_path: Path) -> None:
    visualad = add_version(workspace, tmp_path, seed=1)
    other = tmp_path / "other.safetensors"
    config = {"method": "DA-CLIP", "backbone": "dinov2-small", "text": "minilm"}
    save_head(other, {"weight": np.zeros(1, dtype=np.float32)}, config)
    daclip = workspace.versions.take_in(other, "ann")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", ACTIVATE, str(workspace.versions.folder), version.preset, version.id],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for version in (visualad, daclip)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.wait() for process in processes] == [0, 0]
    for preset in (DEFAULT_PRESET, OTHER):
        assert len(workspace.versions.activations(preset)) == 50
