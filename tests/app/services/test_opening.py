"""A workspace that cannot be opened is a sentence, not the end of the program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.cli import main
from app.services.opening import open_workspace
from app.store.errors import StoreError
from app.store.workspace import Workspace
from models.errors import ExpectedError


def test_a_workspace_is_made_where_there_is_none(tmp_path: Path) -> None:
    workspace = open_workspace(tmp_path / "new")
    assert isinstance(workspace, Workspace)
    workspace.close()


def test_a_folder_that_is_a_file_is_answered_and_not_raised(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    problem = open_workspace(tmp_path / "file")
    assert isinstance(problem, StoreError)
    assert str(tmp_path / "file") in str(problem)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The workspaces that `serve` was given instead of a page being served."""
    given: list[Any] = []
    monkeypatch.setattr("app.ui.launch.serve", lambda engine, workspace, address: given.append(workspace))
    return given


def test_serve_opens_the_workspace_that_it_is_told(tmp_path: Path, served: list[Any]) -> None:
    assert main(["serve", "--workspace", str(tmp_path / "mine")]) == 0
    assert served[0].folder == tmp_path / "mine"
    served[0].close()


def test_serve_goes_on_without_a_workspace_and_says_so(
    tmp_path: Path, served: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("not a folder")
    assert main(["serve", "--workspace", str(tmp_path / "file")]) == 0
    assert isinstance(served[0], ExpectedError)
    assert "Correct is not available: " in capsys.readouterr().err
