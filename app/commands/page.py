"""What commands that look at the app's page share: a page of their own, and a Chromium in front of it.

Needs what the tests need: playwright and a Chromium.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from models.errors import ExpectedError

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from app.store.workspace import Workspace
    from app.ui.engine import Engine

CHROMIUM_ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
_TIMEOUT_MS: Final = 180_000


def find_chromium() -> str:
    """Path of a Chromium or Chrome of this machine.

    Raises:
        ExpectedError: there is none.
    """
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    raise ExpectedError("No Chromium was found on this machine; install one, for instance Debian's package chromium.")


@contextmanager
def served(engine: Engine, workspace: Workspace) -> Iterator[str]:
    """Serve the page on a free port.

    Args:
        engine: what inspects; its model is loaded meanwhile.
        workspace: what the tab Correct shows; closed by the caller.
    Yields:
        The page's address.
    """
    from app.ui.launch import Address, start

    page, url = start(engine, workspace, Address(port=None))
    try:
        yield url
    finally:
        page.close(verbose=False)


@contextmanager
def browsed(url: str, *, device_pixel_ratio: float = 1.0, script: str = "") -> Iterator[Page]:
    """Open a page in Chromium, as large as the window of a small laptop.

    Args:
        url: what to open.
        device_pixel_ratio: pixels of the screen per CSS pixel.
        script: runs in the page before its own scripts do.
    Raises:
        ExpectedError: there is no Chromium or no playwright, or what the caller waits for did not appear in time.
    """
    chromium = find_chromium()
    try:
        from playwright.sync_api import TimeoutError as PlaywrightTimeout
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise ExpectedError("playwright is not installed; `pip install -r requirements-dev.txt`.") from error
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(CHROMIUM_ARGUMENTS))
        try:
            page = browser.new_page(viewport={"width": 1366, "height": 768}, device_scale_factor=device_pixel_ratio)
            page.set_default_timeout(_TIMEOUT_MS)
            if script:
                page.add_init_script(script)
            page.goto(url)
            yield page
        except PlaywrightTimeout as error:
            raise ExpectedError("The page did not show in time what was waited for; see the log above.") from error
        finally:
            browser.close()
