"""A workspace that is moved, deleted or replaced while it is open: nothing may count as saved that nobody will find."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from app.store.errors import StoreError
from app.store.records import NewRevision
from app.store.workspace import Workspace
from tests.app.store.making import add, anomalous, picture


def move(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))


def replace(folder: Path) -> None:
    move(folder)
    Workspace.open(folder).close()


@pytest.mark.parametrize("happens", [move, shutil.rmtree, replace])
def test_nothing_is_saved_where_nobody_would_find_it(tmp_path: Path, happens: Callable[[Path], None]) -> None:
    with Workspace.open(tmp_path / "workspace") as workspace:
        digest = add(workspace)
        workspace.save(digest, anomalous((1, 2)))
        happens(workspace.folder)

        for change in (
            lambda: workspace.save(digest, anomalous((3, 3))),
            lambda: workspace.save(digest, NewRevision("unsure", None, "ann")),  # which writes no file
            lambda: workspace.delete(digest, author="ann"),
            lambda: workspace.add_image(picture(1), "b.png", author="ann"),
        ):
            with pytest.raises(StoreError, match="is no longer there; put it back|was moved, replaced or deleted"):
                change()

        assert [revision.number for revision in workspace.history(digest)] == [1]
        assert workspace.folder.exists() == (happens is replace)


def test_a_workspace_that_was_put_back_goes_on(tmp_path: Path) -> None:
    with Workspace.open(tmp_path / "workspace") as workspace:
        digest = add(workspace)
        move(workspace.folder)
        (tmp_path / "elsewhere").rename(workspace.folder)

        saved = workspace.save(digest, anomalous((3, 3)))

    with Workspace.open(tmp_path / "workspace") as again:
        assert again.history(digest) == (saved.revision,)
