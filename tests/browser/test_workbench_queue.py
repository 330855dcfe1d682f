"""The workbench's queue, keys, history and panel in a real Chromium, with a server that lives in the page."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.workbench_tabs import PAINTED, Tabs, bar, is_open, saves, tabs_of

pytestmark = pytest.mark.browser


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Tabs]:
    with tabs_of(chromium) as tabs:
        yield tabs


def test_ten_images_take_ten_keys(visit: Tabs) -> None:
    page = visit(count=12)
    keys = ["Enter", "n", "u", "Enter", "n", "u", "Enter", "n", "u", "Enter"]

    for index, key in enumerate(keys):
        is_open(page, f"cell_{index:04}.png")
        page.keyboard.press(key)

    is_open(page, "cell_0010.png")
    page.wait_for_function("fake.log.length === 10")
    labels = [saves(page, index)[0]["revision"]["label"] for index in range(10)]
    assert labels == [*["anomalous", "normal", "unsure"] * 3, "anomalous"]
    assert saves(page, 1)[0]["revision"]["area_px"] == 0


def test_the_queue_is_reached_and_used_by_keys_alone(visit: Tabs) -> None:
    page = visit()
    is_open(page, "cell_0000.png")

    for key in ["q", "ArrowDown", "ArrowDown", "ArrowDown", "Enter"]:
        page.keyboard.press(key)
    is_open(page, "cell_0003.png")
    page.keyboard.press("Backspace")

    is_open(page, "cell_0002.png")
    page.keyboard.press("s")
    is_open(page, "cell_0003.png")


def test_five_thousand_images_scroll_with_few_rows(visit: Tabs) -> None:
    page = visit(count=5000)
    is_open(page, "cell_0000.png")

    page.locator(".rows").evaluate("element => { element.scrollTop = element.scrollHeight; }")

    expect(page.locator('[data-place="4999"] .name')).to_have_text("cell_4999.png")
    expect(page.locator('[data-place="4999"] img')).to_be_visible()
    assert page.locator(".row").count() < 40
    longest = page.evaluate(
        """async () => {
          const rows = document.querySelector('.rows');
          let longest = 0;
          for (let step = 0; step < 60; step += 1) {
            rows.scrollTop = step * 4900;
            const before = performance.now();
            await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
            longest = Math.max(longest, performance.now() - before);
          }
          return longest;
        }"""
    )
    page.locator(".rows").evaluate("element => { element.scrollTop = 0; }")
    expect(page.locator('[data-place="0"] img')).to_be_visible()
    assert page.locator(".row").count() < 40
    assert longest < 250  # ms from one jump to its rows, on a shared machine
    assert (
        page.evaluate(
            "Math.max(...fake.calls.filter(({name}) => name === 'thumbnails').map(c => c.request.digests.length))"
        )
        <= 60
    )


def test_a_filter_leads_through_its_images_only_and_a_saved_one_keeps_its_place(visit: Tabs) -> None:
    page = visit()
    is_open(page, "cell_0000.png")
    page.get_by_role("button", name="Proposed").click()
    page.locator('[data-place="0"] .name', has_text="cell_0001.png").click()
    is_open(page, "cell_0001.png")

    page.keyboard.press("Enter")
    is_open(page, "cell_0003.png")
    page.keyboard.press("Backspace")

    is_open(page, "cell_0001.png")
    expect(page.locator('[data-place="0"] .badge')).to_have_text("Confirmed")


def test_history_compares_restores_and_deletes(visit: Tabs) -> None:
    page = visit()
    is_open(page, "cell_0000.png")
    page.keyboard.press("Control+s")
    expect(page.locator(".status")).to_contain_text("revision 1")
    page.evaluate("editor.paint(40, 5)")
    page.keyboard.press("Control+s")
    expect(page.locator(".status")).to_contain_text("revision 2")

    page.locator("summary").click()
    page.locator('[data-number="1"] .compare').click()
    page.wait_for_function("editor.reference?.caption.startsWith('Revision 1')")
    page.locator('[data-number="1"] .restore').click()
    expect(page.locator(".status")).to_contain_text("revision 3")
    is_open(page, "cell_0000.png")
    assert page.evaluate(PAINTED) == 0
    page.get_by_role("button", name="Delete annotation").click()
    page.get_by_role("button", name="Delete", exact=True).click()

    expect(page.locator(".revisions li").first).to_contain_text("Annotation deleted")
    assert [entry["revision"]["kind"] for entry in saves(page, 0)] == ["save", "save", "save", "delete"]


def test_names_notes_authors_and_classes_stay_text(visit: Tabs) -> None:
    attack = "<img src=x onerror='window.hacked=1'>"
    page = visit(names={"0": f"{attack}.png"}, classes=[attack])
    is_open(page, f"{attack}.png")
    page.get_by_label("Author").fill(attack)
    page.get_by_label("Note").fill(attack)
    page.get_by_label("Defect class of region 1").fill(attack)
    page.get_by_label("Defect class of region 1").press("Tab")
    page.locator(".editor-place").focus()
    page.keyboard.press("Control+s")
    expect(page.locator(".status")).to_contain_text(attack)
    page.evaluate(f"fake.byOther(0, {json.dumps(attack)})")
    page.locator("summary").click()

    expect(page.locator(".revisions li").last).to_contain_text(attack)
    expect(bar(page, "saved revision 2")).to_contain_text(attack)
    page.get_by_role("button", name="Delete annotation").click()
    expect(page.locator("dialog")).to_contain_text(attack)
    assert page.evaluate("window.hacked") is None
    assert page.locator("img[src=x]").count() == 0


def test_the_image_is_there_while_the_model_still_looks(visit: Tabs) -> None:
    page = visit(openMs=1500)

    page.wait_for_function("window.editor?.busyText === 'Looking for anomalies …'")

    assert page.evaluate("editor.content.proposal") is None
    is_open(page, "cell_0000.png")
    assert page.evaluate("editor.content.proposal.length") == 64 * 48


def test_an_empty_workspace_says_how_to_begin(visit: Tabs) -> None:
    page = visit(count=0)
    expect(page.get_by_text("Import a folder, a zip file or single pictures")).to_be_visible()

    page.evaluate("fake.count = 2; ask({refresh: 1})")

    is_open(page, "cell_0000.png")


def test_the_page_can_ask_for_an_image(visit: Tabs) -> None:
    page = visit()
    is_open(page, "cell_0000.png")

    page.evaluate("ask({open: (7).toString(16).padStart(64, '0'), nonce: 1})")

    is_open(page, "cell_0007.png")
    expect(page.locator(".row.current .name")).to_have_text("cell_0007.png")
