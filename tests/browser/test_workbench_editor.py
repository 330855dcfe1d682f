"""The workbench with the real editor in it, in a real Chromium: what passes between the two, and their place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.workbench_tabs import PAINTED, Tabs, bar, is_open, kept, saves, tabs_of

pytestmark = pytest.mark.browser

OFFERS = """async () => {
  const [real, stub] = await Promise.all(['/app/ui/workbench/editor.js?real', '/tests/workbench/stub_editor.js']
    .map((path) => import(path)));
  const names = ({Editor}) => Object.getOwnPropertyNames(Editor.prototype);
  return names(stub).filter((name) => name !== 'paint' && name !== 'draw' && !names(real).includes(name));
}"""


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Tabs]:
    with tabs_of(chromium) as tabs:
        yield tabs


@pytest.fixture
def page(visit: Tabs) -> Page:
    """The first image: 64 by 48 pixels, one region of 60 proposed at (10, 10)."""
    page = visit({"editor": "real"})
    expect(page.get_by_test_id("summary")).to_contain_text("1 region · 60 px")
    page.wait_for_function("document.activeElement.matches('.oddity-editor')")
    return page


def click(page: Page, x: float, y: float) -> None:
    """Click a place of the image, later than a double click would."""
    box = page.locator(".world").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + x * box["width"] / 64, box["y"] + y * box["height"] / 48)
    page.wait_for_timeout(450)


def test_the_editor_of_the_tests_offers_nothing_that_the_real_one_lacks(visit: Tabs) -> None:
    page = visit()

    assert page.evaluate(OFFERS) == []


def test_a_region_is_dropped_from_the_panel_and_the_keys_go_on_working(page: Page) -> None:
    page.get_by_role("button", name="Drop region 1").click()
    expect(page.get_by_test_id("summary")).to_have_text("Empty mask")
    expect(page.get_by_test_id("region-frame")).to_be_hidden()

    page.keyboard.press("Control+z")

    expect(page.get_by_test_id("summary")).to_contain_text("1 region · 60 px")


@pytest.mark.parametrize("key", ["Control+s", "u"])
def test_an_open_polygon_is_closed_when_its_image_is_saved(page: Page, key: str) -> None:
    page.keyboard.press("p")
    for corner in [(40, 10), (50, 10), (50, 20), (40, 20)]:
        click(page, *corner)

    page.keyboard.press(key)

    expect(page.locator(".toast")).to_have_text("The open polygon was closed and is part of the mask.")
    page.wait_for_function("fake.log.length === 1")
    assert saves(page, 0)[0]["revision"]["area_px"] == 60 + 100


def test_an_open_polygon_outlives_a_skip_and_a_reload(page: Page) -> None:
    page.keyboard.press("p")
    for corner in [(40, 10), (50, 10), (50, 20), (40, 20)]:
        click(page, *corner)
    page.keyboard.press("s")
    expect(page.locator(".image-name")).to_have_text("cell_0001.png")
    page.keyboard.press("Backspace")
    expect(page.get_by_test_id("summary")).to_contain_text("2 regions · 160 px")
    for corner in [(30, 2), (36, 2), (36, 12), (30, 12)]:
        click(page, *corner)

    page.reload()

    expect(page.get_by_test_id("summary")).to_contain_text("3 regions · 220 px")


def test_a_class_that_is_being_typed_is_saved_too_and_enter_gives_the_keys_back(page: Page) -> None:
    field = page.get_by_label("Defect class of region 1")
    field.fill("crack")
    field.press("Control+s")
    page.wait_for_function("fake.log.length === 1")

    assert [entry["name"] for entry in saves(page, 0)[0]["revision"]["classes"]] == ["crack"]
    page.get_by_label("Defect class of region 1").press("Enter")
    page.keyboard.press("s")
    expect(page.locator(".image-name")).to_have_text("cell_0001.png")


def test_a_note_without_an_image_cannot_be_written(visit: Tabs) -> None:
    page = visit(count=0)

    expect(page.get_by_label("Note")).to_be_disabled()


def test_how_the_picture_was_read_stands_in_the_panel(visit: Tabs) -> None:
    page = visit(pictureNote="Only the first of 3 frames was read.")
    is_open(page, "cell_0000.png")

    expect(page.locator(".facts")).to_contain_text("Only the first of 3 frames was read.")


def test_work_on_an_image_of_one_workspace_is_not_laid_over_the_same_image_of_another(visit: Tabs) -> None:
    page = visit(workspace="one")
    is_open(page, "cell_0000.png")
    page.evaluate("editor.paint(40, 5)")
    kept(page)
    page.close(run_before_unload=True)

    other = visit(workspace="two")
    is_open(other, "cell_0000.png")
    found = other.evaluate(PAINTED)
    other.close()
    again = visit(workspace="one")
    is_open(again, "cell_0000.png")

    assert found == 0
    assert again.evaluate(PAINTED) == 1


def test_a_page_starts_anew_when_its_server_comes_back_with_another_workspace(visit: Tabs) -> None:
    page = visit()
    is_open(page, "cell_0000.png")
    page.evaluate("editor.paint(40, 5)")

    with page.expect_navigation():
        page.evaluate("fake.workspace = 'another'; ask({refresh: 1})")

    is_open(page, "cell_0000.png")
    expect(bar(page, "Unsaved work of ")).to_be_visible()
    assert page.evaluate(PAINTED) == 1


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (1920, 1080)])
def test_the_page_needs_no_scrollbar_whatever_stands_above_the_workbench(page: Page, width: int, height: int) -> None:
    page.set_viewport_size({"width": width, "height": height})
    status = page.get_by_test_id("status")

    def heights() -> list[Any]:
        page.wait_for_timeout(200)
        box = status.bounding_box()
        assert box is not None
        return [page.evaluate("document.documentElement.scrollHeight"), round(box["y"] + box["height"])]

    before = heights()
    page.evaluate("document.querySelector('main').insertAdjacentHTML('afterbegin', '<p id=above>Report</p>')")
    page.add_style_tag(content="#above { height: 130px; margin: 0 }")
    during = heights()
    page.evaluate("document.querySelector('#above').remove()")

    assert before == during == heights()
    assert before[0] == height
    assert height - 16 <= before[1] <= height
