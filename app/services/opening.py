"""Open the workspace in such a way that the rest of the app works without it."""

from __future__ import annotations

from pathlib import Path

from app.store.workspace import Workspace
from models.errors import ExpectedError


def open_workspace(folder: Path, database_url: str | None = None) -> Workspace | ExpectedError:
    """The workspace, or the error that says why it cannot be opened: inspecting needs none.

    Args:
        folder: made if it is not there.
        database_url: None = a SQLite file in the folder.
    """
    try:
        return Workspace.open(folder, database_url)
    except ExpectedError as error:
        return error
