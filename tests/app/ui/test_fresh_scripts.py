"""How long a browser may use a script of the workbench without asking."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.store.workspace import Workspace
from app.ui.engine import Engine
from app.ui.launch import Address, start
from app.ui.workbench_component import SCRIPTS
from tests.app.fakes import FakeModel, loader, nowhere


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with Workspace.open(tmp_path / "w") as workspace:
        page, url = start(Engine(nowhere(), load=loader(FakeModel())), workspace, Address(port=None))
        yield url.rstrip("/")
        page.close()


def test_browsers_ask_before_they_use_a_script_again_and_nothing_else_is_touched(url: str) -> None:
    script = httpx.get(f"{url}/gradio_api/file={SCRIPTS / 'deeds.js'}")
    other = httpx.get(f"{url}/gradio_api/file={SCRIPTS.parent / 'launch.py'}")
    page = httpx.get(url)

    assert script.status_code == 200
    assert script.headers["cache-control"] == "no-cache"
    assert other.status_code == 403
    assert "cache-control" not in other.headers
    assert page.headers.get("cache-control") != "no-cache"
