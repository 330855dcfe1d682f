"""A page with a fake model behind it, and a real Chromium in front of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from app.commands.page import CHROMIUM_ARGUMENTS, find_chromium
from app.store.workspace import Workspace
from app.ui.engine import Engine
from app.ui.examples import elpv_folder
from app.ui.launch import Address, start
from tests.app.fakes import FakeModel, loader, nowhere

_FAKE_CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
expect.set_options(timeout=30_000)  # a busy machine is no failure


@dataclass(slots=True)
class Visit:
    """An open page and what it did behind the scenes."""

    page: Page
    url: str
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)  # errors of the console and of scripts

    @property
    def foreign_requests(self) -> list[str]:
        """Requests that left this machine."""
        return [url for url in self.requests if not url.startswith((self.url, "data:", "blob:"))]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        arguments = [*CHROMIUM_ARGUMENTS, *_FAKE_CAMERA]
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def app_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with Workspace.open(tmp_path_factory.mktemp("workspace")) as workspace:
        page, url = start(Engine(nowhere(), load=loader(FakeModel())), workspace, Address(port=None))
        yield url
        page.close()


@pytest.fixture
def visit(chromium: Browser, app_url: str) -> Iterator[Visit]:
    yield from visiting(chromium, app_url)


def visiting(chromium: Browser, url: str) -> Iterator[Visit]:
    """Open the page at the size of a small laptop, and listen to it."""
    context = chromium.new_context(viewport={"width": 1366, "height": 768}, accept_downloads=True)
    visit = Visit(context.new_page(), url)
    visit.page.set_default_timeout(60_000)
    visit.page.on("request", lambda request: visit.requests.append(request.url))
    visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    visit.page.on("console", lambda message: visit.complaints.append(message.text) if message.type == "error" else None)
    visit.page.goto(url)
    visit.page.wait_for_selector("#masthead .engine.ready")
    yield visit
    context.close()


@pytest.fixture(scope="session")
def cell() -> Path:
    """A real solar cell with cracks, or the drawn one where elpv-dataset is not installed."""
    folder = elpv_folder()
    if folder is None:
        pytest.skip("elpv-dataset is not installed")
    return folder / "cell0040.png"
