"""Unsaved work and saves in a real Chromium, with a server that lives in the page: nothing is ever lost."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.workbench_tabs import PAINTED, Tabs, bar, is_open, kept, saves, tabs_of

pytestmark = pytest.mark.browser


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Tabs]:
    with tabs_of(chromium) as tabs:
        yield tabs


def test_a_reload_keeps_unsaved_work(visit: Tabs) -> None:
    page = visit()
    is_open(page, "cell_0000.png")
    page.keyboard.press("s")
    is_open(page, "cell_0001.png")
    page.evaluate("editor.paint(40, 5)")
    page.get_by_label("Note").fill("a shadow?")
    kept(page)

    page.reload()

    is_open(page, "cell_0001.png")
    expect(bar(page, "Unsaved work of ")).to_contain_text("restored")
    assert page.evaluate(PAINTED) == 1
    assert page.evaluate("editor.cells[5 * 64 + 40] & 2") == 2
    expect(page.get_by_label("Note")).to_have_value("a shadow?")


def test_work_of_the_last_moment_survives_a_reload_too(visit: Tabs) -> None:
    page = visit()
    is_open(page, "cell_0000.png")
    page.on("dialog", lambda dialog: dialog.accept())
    page.locator(".editor-place").click()  # browsers ask only people who have touched the page

    page.evaluate("editor.paint(40, 5)")
    page.reload()

    is_open(page, "cell_0000.png")
    assert page.evaluate(PAINTED) == 1


def test_leaving_the_page_asks_only_while_work_is_not_kept(visit: Tabs) -> None:
    page = visit()
    is_open(page, "cell_0000.png")
    ask = "!dispatchEvent(new Event('beforeunload', {cancelable: true}))"

    untouched = page.evaluate(ask)
    at_once = page.evaluate(f"editor.paint(40, 5), {ask}")
    kept(page)
    later = page.evaluate(ask)

    assert (untouched, at_once, later) == (False, True, False)


@pytest.mark.parametrize("locks", ["web locks", "none"])
def test_a_closed_tab_leaves_its_work_to_the_next(visit: Tabs, locks: str) -> None:
    page = visit({"locks": locks})
    is_open(page, "cell_0000.png")
    page.evaluate("editor.paint(40, 5)")
    kept(page)
    page.close(run_before_unload=True)

    page = visit({"locks": locks})

    is_open(page, "cell_0000.png")
    expect(bar(page, "Unsaved work of ")).to_be_visible()
    assert page.evaluate(PAINTED) == 1


@pytest.mark.parametrize("locks", ["web locks", "none"])
def test_work_of_another_open_tab_is_left_alone(visit: Tabs, locks: str) -> None:
    first = visit({"locks": locks})
    is_open(first, "cell_0000.png")
    first.evaluate("editor.paint(40, 5)")
    kept(first)

    second = visit({"locks": locks})

    is_open(second, "cell_0000.png")
    expect(bar(second, "Another tab of this browser has unsaved work")).to_be_visible()
    assert second.evaluate(PAINTED) == 0
    first.reload()
    is_open(first, "cell_0000.png")
    assert first.evaluate(PAINTED) == 1


def test_a_save_that_the_network_lost_is_sent_again_and_stored_once(visit: Tabs) -> None:
    page = visit({"trouble": json.dumps({"save": ["throw", "lost"]})})
    is_open(page, "cell_0000.png")
    page.evaluate("editor.paint(40, 5)")

    page.keyboard.press("Enter")

    is_open(page, "cell_0001.png")
    expect(page.locator(".status")).to_contain_text("Not saved yet, trying again in")
    expect(page.locator('[data-place="0"] .draft')).to_be_visible()
    expect(page.locator('[data-place="0"] .badge')).to_have_text("Corrected")
    expect(page.locator('[data-place="0"] .draft')).to_have_count(0)
    sent = page.evaluate("fake.calls.filter(({name}) => name === 'save').map(({request}) => request.save_id)")
    assert len(sent) == 3
    assert len(set(sent)) == 1
    assert len(saves(page, 0)) == 1


def test_a_save_under_way_is_finished_after_a_reload(visit: Tabs) -> None:
    page = visit({"trouble": json.dumps({"save": ["lost"] + ["throw"] * 9})})
    is_open(page, "cell_0000.png")
    page.evaluate("editor.paint(40, 5)")
    page.keyboard.press("Enter")
    is_open(page, "cell_0001.png")
    expect(page.locator(".status")).to_contain_text("Not saved yet")
    page.evaluate("history.replaceState(null, '', location.href.replace(/trouble=[^&]*/, ''))")

    page.reload()

    expect(page.locator('[data-place="0"] .badge')).to_have_text("Corrected")
    expect(page.locator('[data-place="0"] .draft')).to_have_count(0)
    assert len(saves(page, 0)) == 1


def test_a_refused_save_says_why_and_stays_a_draft(visit: Tabs) -> None:
    page = visit({"trouble": json.dumps({"save": [{"error": "The disk is full; free some space and save again."}]})})
    is_open(page, "cell_0000.png")
    page.evaluate("editor.paint(40, 5)")
    page.keyboard.press("Enter")
    is_open(page, "cell_0001.png")
    expect(bar(page, "cell_0000.png was not saved: The disk is full; free some space and save again.")).to_be_visible()
    expect(page.locator('[data-place="0"] .draft')).to_be_visible()

    bar(page, "was not saved").get_by_role("button", name="Try again").click()

    expect(page.locator('[data-place="0"] .badge')).to_have_text("Corrected")
    expect(page.locator('[data-place="0"] .draft')).to_have_count(0)
    assert len(saves(page, 0)) == 1


def test_a_save_after_others_says_who_and_keeps_both(visit: Tabs) -> None:
    page = visit()
    is_open(page, "cell_0000.png")
    page.evaluate("editor.paint(40, 5)")
    page.evaluate("fake.byOther(0, 'Ada')")

    page.keyboard.press("Control+s")

    expect(bar(page, "Ada saved revision 1 while you worked; both are kept; yours is newest.")).to_be_visible()
    assert [entry["revision"]["author"] for entry in saves(page, 0)] == ["Ada", "anonymous"]
    assert page.evaluate("editor.dirty") is False


def test_what_others_save_is_told_and_changes_nothing_here(visit: Tabs) -> None:
    page = visit()
    is_open(page, "cell_0000.png")
    page.evaluate("editor.paint(40, 5)")

    page.evaluate("fake.byOther(0, 'Ada')")

    expect(bar(page, "Ada saved revision 1 of this image at")).to_be_visible()
    assert page.evaluate(PAINTED) == 1
    expect(page.locator('[data-place="0"]')).to_contain_text("Ada")
    bar(page, "Ada saved").get_by_role("button", name="Look at it").click()
    page.wait_for_function("editor.reference?.caption === 'Revision 1 · Ada'")
    assert page.evaluate("editor.reference.mask[0]") == 1
    page.evaluate("fake.byOther(0, 'Bob')")
    expect(bar(page, "Bob saved revision 2 of this image at")).to_be_visible()


def test_leaving_an_image_keeps_its_work_without_a_question(visit: Tabs) -> None:
    page = visit()
    is_open(page, "cell_0000.png")
    page.evaluate("editor.paint(40, 5)")

    page.keyboard.press("s")

    is_open(page, "cell_0001.png")
    expect(page.locator('[data-place="0"] .draft')).to_be_visible()
    expect(page.locator("dialog")).to_have_count(0)
    page.keyboard.press("Backspace")
    is_open(page, "cell_0000.png")
    assert page.evaluate(PAINTED) == 1
    assert saves(page, 0) == []


def test_discarding_asks_first(visit: Tabs) -> None:
    page = visit()
    is_open(page, "cell_0000.png")
    page.evaluate("editor.paint(40, 5)")
    kept(page)

    page.get_by_role("button", name="Discard").click()
    page.get_by_role("button", name="Keep it").click()
    assert page.evaluate(PAINTED) == 1
    page.get_by_role("button", name="Discard").click()
    page.locator("dialog").get_by_role("button", name="Discard").click()

    page.wait_for_function(f"editor.busyText === null && !({PAINTED})")
    expect(page.locator(".draft")).to_have_count(0)


def test_normal_asks_before_it_drops_painted_work(visit: Tabs) -> None:
    page = visit()
    is_open(page, "cell_0000.png")
    page.evaluate("editor.paint(40, 5)")

    page.keyboard.press("n")
    page.keyboard.press("Escape")

    expect(page.locator("dialog")).to_have_count(0)
    is_open(page, "cell_0000.png")
    assert page.evaluate(PAINTED) == 1
    assert saves(page, 0) == []


def test_without_drafts_a_save_is_awaited_and_the_page_says_so(visit: Tabs) -> None:
    page = visit({"drafts": "none", "trouble": json.dumps({"save": ["throw"]})})
    expect(bar(page, "This browser keeps no drafts")).to_be_visible()
    is_open(page, "cell_0000.png")
    page.evaluate("editor.paint(40, 5)")

    page.keyboard.press("Enter")
    expect(page.locator(".status")).to_contain_text("Not saved yet, trying again")
    expect(page.locator(".image-name")).to_have_text("cell_0000.png")

    page.wait_for_function("!editor.dirty")
    assert len(saves(page, 0)) == 1
    page.keyboard.press("Enter")
    is_open(page, "cell_0001.png")
