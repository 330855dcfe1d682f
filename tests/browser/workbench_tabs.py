"""The workbench on a page without Gradio: a server that lives in the page, and an editor that paints dots."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

_ROOT = Path(__file__).resolve().parents[2]
PAINTED = "editor.cells[5 * 64 + 40] & 1"  # what `editor.paint(40, 5)` paints


class _QuietFiles(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class Tabs:
    """Tabs of one browser: they share what the browser keeps and what the fake server stores."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self._context = context
        self._url = url

    def __call__(self, query: dict[str, str] | None = None, **server: Any) -> Page:
        """Open the workbench in a new tab; keyword arguments are options of the fake server."""
        page = self._context.new_page()
        options = {"editor": "stub", "server": json.dumps(server), **(query or {})}
        page.goto(f"{self._url}?{urlencode(options)}")
        return page


@contextmanager
def tabs_of(chromium: Browser) -> Iterator[Tabs]:
    """Serve the harness and give a browser that remembers nothing yet."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_QuietFiles, directory=str(_ROOT))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        context = chromium.new_context(viewport={"width": 1366, "height": 768})
        yield Tabs(context, f"http://127.0.0.1:{server.server_port}/tests/workbench/workbench_harness.html")
        context.close()
        server.shutdown()


def is_open(page: Page, name: str) -> None:
    """Wait until an image is on the desk and may be worked on."""
    expect(page.locator(".image-name")).to_have_text(name)
    page.wait_for_function("editor.busyText === null")


def saves(page: Page, index: int) -> list[dict[str, Any]]:
    """What the fake server stored of an image."""
    found: list[dict[str, Any]] = page.evaluate(f"fake.saves({index})")
    return found


def bar(page: Page, text: str) -> Locator:
    """The bar over the image that holds a text."""
    return page.locator(".bar", has_text=text)


def kept(page: Page) -> None:
    """Wait until the unsaved work is in the browser's drafts."""
    expect(page.locator(".status")).to_have_text("Unsaved, kept in this browser")
