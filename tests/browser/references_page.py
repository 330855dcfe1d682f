"""How the browser tests handle the panel "Normal pictures for reference"."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Page, expect


def open_panel(page: Page) -> None:
    """Open the panel, which is closed at first."""
    page.locator("#references > button").click()
    expect(page.locator("#reference-files")).to_be_visible()


def drop(page: Page, paths: Sequence[str | Path]) -> None:
    """Hand pictures to the panel, many at once."""
    page.set_input_files("#reference-files input[type=file]", list(paths))


def shown_pictures(page: Page) -> list[str]:
    """The names under the thumbnails."""
    return [str(image.get_attribute("alt")) for image in page.locator("#reference-list img").all()]


def score_of(page: Page, name: str) -> str:
    """The score in the label of a source's map."""
    return page.locator(f"#{name} label").inner_text().rsplit(" ", 1)[1]
