"""The endpoint that lists versions, called as other programs call it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from app.store.workspace import Workspace
from app.ui.engine import Engine
from app.ui.launch import Address, start
from models.registry import DEFAULT_PRESET
from tests.app.fakes import FakeModel, loader, nowhere
from tests.app.ui.teach_fakes import SHIPPED_DIGEST, add_version, corrected, metrics


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(tmp_path / "w") as opened:
        yield opened


@pytest.fixture
def client(workspace: Workspace, tmp_path: Path) -> Iterator[Client]:
    page, url = start(Engine(nowhere(), load=loader(FakeModel())), workspace, Address(port=None))
    yield Client(url, verbose=False, download_files=str(tmp_path))
    page.close()


def test_versions_are_listed_with_their_lineage_and_numbers(
    client: Client, workspace: Workspace, tmp_path: Path
) -> None:
    corrected(workspace, ["normal", "anomalous"])
    first = add_version(workspace, tmp_path)
    second = add_version(workspace, tmp_path, parent=first.id)
    workspace.versions.activate(DEFAULT_PRESET, first.id, "Ann")
    listed = client.predict(api_name="/list_versions")
    assert listed["active"] == first.id
    assert [version["id"] for version in listed["versions"]] == [second.id, first.id]
    assert [version["parent"] for version in listed["versions"]] == [first.id, SHIPPED_DIGEST]
    assert (listed["versions"][0]["corrections"], listed["versions"][0]["metrics"]) == (2, metrics())


def test_an_unknown_preset_is_answered_with_a_sentence(client: Client) -> None:
    assert client.predict(preset="daclip-compact", api_name="/list_versions") == {"versions": [], "active": ""}
    with pytest.raises(AppError, match="There is no model &#x27;nonsense&#x27;"):
        client.predict(preset="nonsense", api_name="/list_versions")
