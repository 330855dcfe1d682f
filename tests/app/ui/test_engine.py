"""The engine behind the page with taught versions."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from app.services.inspector import LoadHead, LoadModel
from app.store.workspace import Workspace
from app.ui.engine import Engine
from models.config import InspectionConfig
from models.registry import DEFAULT_PRESET
from tests.app.fakes import FakeModel, nowhere, spotted_picture
from tests.app.teaching_fakes import add_version


def engine() -> Engine:
    load = cast(LoadModel, lambda _: FakeModel(checkpoint_digest="5" * 64))
    load_version = cast(LoadHead, lambda _, head: FakeModel(checkpoint_digest=head.stem))
    return Engine(nowhere(), load=load, load_version=load_version)


def test_the_engine_uses_what_is_activated_in_the_workspace_at_once(tmp_path: Path) -> None:
    opened = engine()
    with Workspace.open(tmp_path / "workspace") as workspace:
        opened.use_versions_of(workspace)
        version = add_version(workspace, tmp_path, seed=1)
        seen = []
        for active in (None, version.id, None):
            workspace.versions.activate(DEFAULT_PRESET, active, "ann")
            seen.append(opened.inspector.inspect(spotted_picture(), DEFAULT_PRESET, InspectionConfig()).checkpoint)
    assert seen == ["5" * 64, version.id, "5" * 64]


def test_a_damaged_active_version_does_not_keep_the_engine_from_starting(tmp_path: Path) -> None:
    opened = engine()
    with Workspace.open(tmp_path / "workspace") as workspace:
        opened.use_versions_of(workspace)
        version = add_version(workspace, tmp_path, seed=1)
        workspace.versions.activate(DEFAULT_PRESET, version.id, "ann")
        workspace.versions.path(version.id).write_bytes(b"half")
        opened.warm_up().join()
    assert opened.status.state == "ready"
