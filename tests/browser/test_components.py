"""Texts in the page's own components stay texts, whatever signs are in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr
import pytest
from playwright.sync_api import Browser, expect

from app.ui.components import masthead, preset_picker, verdict_panel

pytestmark = pytest.mark.browser

# No sign that Handlebars escapes: Gradio would run this.
NASTY = "C:\\users\\x ${document.body.append(String(6*7)+12345)} `tick` {{value}} <b>bold</b> &amp; \"q\" 'q' = $& $1"


@pytest.fixture
def url() -> Iterator[str]:
    option = {"name": NASTY, "title": NASTY, "ready": False, "state": NASTY, "how": NASTY, "chosen": False}
    verdict: dict[str, Any] = dict.fromkeys(("score", "unit", "verdict", "gauge_title", "how", "spent", "tone"), NASTY)
    verdict |= {"suspicious_at": 60, "above_threshold": 20, "threshold_at": 80, "score_at": 50.5}
    with gr.Blocks(analytics_enabled=False) as page:
        header = masthead({"state": "ready", "text": "before"}, "masthead")
        preset_picker({"options": [option]}, "backbone")
        verdict_panel(verdict, "verdict")
        page.load(lambda: {"state": "ready", "text": NASTY}, None, header)
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", ssr_mode=False)
    yield str(url)
    page.close()


def test_a_path_or_a_sentence_is_shown_sign_by_sign_and_never_run(chromium: Browser, url: str) -> None:
    page = chromium.new_page()
    page.goto(url)

    shown = " ".join(NASTY.split())
    expect(page.locator("#masthead .engine")).to_have_text(shown)
    expect(page.locator("#backbone .title")).to_have_text(shown)
    expect(page.locator("#backbone details p")).to_have_text(shown)
    for part in (".number", ".unit", ".badge", ".how p:first-child", ".spent"):
        expect(page.locator(f"#verdict {part}")).to_have_text(shown)
    assert page.locator("#verdict .gauge").get_attribute("title") == NASTY
    assert page.locator("#backbone input").get_attribute("value") == NASTY
    assert page.locator("#verdict .gauge b").get_attribute("style") == "left:50.5%"
    assert "4212345" not in page.locator("body").inner_text()
    page.close()
