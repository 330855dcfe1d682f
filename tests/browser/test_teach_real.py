"""The whole loop: inspect, correct three images, teach, before and after, activate, inspect again, roll back.

The real backbone, the shipped head and a real worker process, in a real Chromium.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page, ViewportSize, expect

from app.config import AppConfig
from app.services.teaching_jobs import TeachingDesk
from app.store.workspace import Workspace
from app.ui.engine import Engine
from app.ui.launch import Address, start
from models.registry import DEFAULT_PRESET, PRESETS
from models.status import preset_status
from tests.browser.correct_page import Hands, open_hands
from tests.browser.few_synthetic import FEW_SYNTHETIC
from tests.browser.test_inspect_page import upload

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TAUGHT_WITHIN_MS = 600_000  # many tests may share the machine; how fast it is stands in docs/benchmarks.md


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The page with the real engine and a desk whose worker ends with it."""
    where = AppConfig.from_environment().location()
    status = preset_status(PRESETS[DEFAULT_PRESET], where)
    if not status.ready:
        pytest.fail(f"the default preset has no weights here: {status.how_to_get}")
    with Workspace.open(folder) as workspace:
        engine, teaching = Engine(where, "cpu"), TeachingDesk(workspace, where, "cpu", teach=FEW_SYNTHETIC)
        page, url = start(engine, workspace, Address(port=None), teaching)
        try:
            yield url
        finally:
            teaching.close()
            page.close()


@pytest.fixture
def hands(chromium: Browser, tmp_path: Path) -> Iterator[Hands]:
    with served(tmp_path / "workspace") as url:
        context = chromium.new_context(viewport=ViewportSize(width=1366, height=768), accept_downloads=True)
        hands = open_hands(context.new_page(), url)
        yield hands
        context.close()
        assert hands.complaints == []


def tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name).click()


def downloaded_map(page: Page, folder: Path, name: str) -> NDArray[np.float32]:
    """The anomaly map of what Inspect shows, as people save it."""
    with page.expect_download() as download:
        page.locator("#download-map-npy").click()
    download.value.save_as(folder / name)
    values: NDArray[np.float32] = np.load(folder / name)
    return values


def containing(text: str) -> re.Pattern[str]:
    return re.compile(re.escape(text))


def test_three_corrections_change_the_map_until_they_are_rolled_back(hands: Hands, cell: Path, tmp_path: Path) -> None:
    page = hands.page
    upload(page, cell)
    expect(page.locator("#weights-used textarea")).not_to_have_value("")
    first = downloaded_map(page, tmp_path, "first.npy")

    tab(page, "Correct")
    hands.upload(*[cell.with_name(f"cell{number:04d}.png") for number in (1, 2, 40)])
    expect(page.locator("#workbench .queue .row")).to_have_count(3)  # without a next image Enter stays where it is
    for key in ("Enter", "Enter", "n"):
        expect(page.locator("#workbench .image-name")).to_have_text(re.compile("cell"))
        name = page.locator("#workbench .image-name").inner_text()
        hands.is_open(name)
        hands.press(key)
        if key == "Enter":
            expect(page.locator("#workbench .image-name")).not_to_have_text(name)
    hands.status("Normal, revision 1")

    tab(page, "Teach")
    expect(page.locator("#teach-counts p")).to_have_text("3 of 3 are new to the shipped head.")
    page.locator("#teach-more button").first.click()
    page.locator("#teach-steps input").fill("8")
    page.locator("#teach-steps input").blur()
    page.locator("#teach-start").click()
    expect(page.locator("#teach-job .job.done")).to_be_visible(timeout=TAUGHT_WITHIN_MS)
    expect(page.locator("#teach-metrics h2")).to_have_text("Before and after: shipped head → version 1")
    expect(page.locator("#teach-metrics tbody tr")).to_have_count(5)
    expect(page.locator("#teach-metrics .sentence")).not_to_be_empty()
    expect(page.locator("#teach-sheet img")).to_be_visible(timeout=TAUGHT_WITHIN_MS)

    page.locator("#teach-use").click()
    expect(page.locator("#teach-told textarea")).to_have_value("Version 1 is in use now, everywhere.")
    expect(page.locator("#masthead .engine")).to_contain_text("version 1")
    tab(page, "Inspect")
    expect(page.locator("#weights-used textarea")).to_have_value(containing("version 1"))
    second = downloaded_map(page, tmp_path, "second.npy")

    tab(page, "Teach")
    page.locator("#version-roll-back").click()
    expect(page.locator("#versions-told textarea")).to_have_value("Rolled back: the shipped head is in use now.")
    tab(page, "Inspect")
    expect(page.locator("#weights-used textarea")).not_to_have_value(containing("version 1"))
    third = downloaded_map(page, tmp_path, "third.npy")

    assert not np.array_equal(first, second)
    assert first.dtype == np.float32
    assert np.array_equal(first, third)
