"""`python -m app screenshot`: start the app, inspect a real cracked solar cell in Chromium, keep the picture.

Needs what the tests need: playwright and a Chromium; elpv-dataset unless a picture is given.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from app.commands.options import add_engine_options, config_from
from models.errors import ExpectedError

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM_ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
_CELL: Final = "cell0040.png"
_TIMEOUT_MS: Final = 180_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--out", type=Path, default=Path("docs/inspect.png"), help="default: %(default)s")
    parser.add_argument("--picture", type=Path, help="what to inspect (default: a cracked cell of elpv-dataset)")
    parser.add_argument("--theme", choices=("light", "dark"), default="light", help="default: %(default)s")
    parser.add_argument("--checkpoint", type=Path, metavar="PATH", help="a head to use instead of the shipped one")
    add_engine_options(parser)


def run(args: argparse.Namespace) -> int:
    """Take the picture.

    Raises:
        ExpectedError: there is no Chromium, no playwright or no picture, or the page showed no result.
    """
    picture = args.picture or _default_picture()
    if not picture.is_file():
        raise ExpectedError(f"There is no picture at {picture}; give another with --picture.")
    chromium = find_chromium()

    from app.store.workspace import Workspace
    from app.ui.engine import Engine
    from app.ui.launch import Address, start

    config = config_from(args)
    engine = Engine(config.location(head_path=args.checkpoint), config.device)
    with TemporaryDirectory(prefix="oddity-") as folder, Workspace.open(Path(folder)) as workspace:
        page, url = start(engine, workspace, Address(port=None))
        try:
            _photograph(f"{url}?__theme={args.theme}", picture, chromium, args.out)
        finally:
            page.close()
    print(f"The picture of the page is at {args.out}.")
    return 0


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


def _default_picture() -> Path:
    from app.ui.examples import elpv_folder

    folder = elpv_folder()
    if folder is None:
        raise ExpectedError("elpv-dataset is not installed; install requirements-examples.txt, or use --picture.")
    return folder / _CELL


def _photograph(url: str, picture: Path, chromium: str, out: Path) -> None:
    try:
        from playwright.sync_api import TimeoutError as PlaywrightTimeout
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise ExpectedError("playwright is not installed; `pip install -r requirements-dev.txt`.") from error
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(CHROMIUM_ARGUMENTS))
        try:
            page = browser.new_page(viewport={"width": 1366, "height": 768})
            page.goto(url)
            _inspect(page, picture)
            out.parent.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=out)
        except PlaywrightTimeout as error:
            raise ExpectedError("The page showed no result in time; see the log above.") from error
        finally:
            browser.close()


def _inspect(page: Page, picture: Path) -> None:
    """Upload the picture and wait until everything on the first screen is drawn."""
    page.set_input_files("#picture input[type=file]", picture, timeout=_TIMEOUT_MS)
    page.wait_for_selector("#verdict .verdict:not(.empty)", timeout=_TIMEOUT_MS)
    page.wait_for_selector("#masthead .engine.ready", timeout=_TIMEOUT_MS)
    page.wait_for_function(
        "[...document.querySelectorAll('#compare img')].filter(i => i.complete && i.naturalWidth).length >= 2",
        timeout=_TIMEOUT_MS,
    )
    page.wait_for_timeout(600)  # the slider's own fade-in, which has no event
