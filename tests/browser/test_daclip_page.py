"""From VisualAD to DA-CLIP and back on one picture, in a real Chromium; with a fake and with the shipped head."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from app.config import AppConfig
from app.store.workspace import Workspace
from app.ui.engine import Engine
from app.ui.launch import Address, start
from models.registry import PRESETS
from models.status import preset_status
from tests.app.text_fakes import TEXT_PRESET, FakeTextModel, text_engine, tiny_daclip
from tests.browser.conftest import Visit, visiting
from tests.browser.test_inspect_page import overlay_url, score, set_slider, upload

pytestmark = pytest.mark.browser

ONLY_TEXT = ("#caption", "#words", "#top-patches", "#alpha", "#alignment")
ONLY_PIXELS = ("#top-k", "#top-k-industrial", "#top-k-medical")


@pytest.fixture(scope="module")
def fake() -> FakeTextModel:
    return FakeTextModel(method=tiny_daclip())


@pytest.fixture(scope="module")
def text_url(fake: FakeTextModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with Workspace.open(tmp_path_factory.mktemp("workspace")) as workspace:
        page, url = start(text_engine(fake), workspace, Address(port=None))
        yield url
        page.close()


@pytest.fixture
def text_visit(chromium: Browser, text_url: str) -> Iterator[Visit]:
    yield from visiting(chromium, text_url)


def choose(page: Page, method: str, its: str) -> None:
    """Click a method and wait for its result, whose explanation begins with `its`."""
    page.locator("#method label", has_text=method).click()
    expect(page.locator("#verdict .how")).to_contain_text(its)


def open_accordion(page: Page, name: str) -> None:
    page.locator(f"#{name} > button").click()


def shown_map(page: Page) -> str:
    """What the fused map on screen looks like: its file has a new name for every redraw, so its pixels are read."""
    page.wait_for_function("(i => i && i.complete && i.naturalWidth > 0)(document.querySelector('#fused-map img'))")
    return str(
        page.evaluate(
            """() => {
                const image = document.querySelector('#fused-map img');
                const canvas = document.createElement('canvas');
                [canvas.width, canvas.height] = [40, 40];
                const context = canvas.getContext('2d');
                context.drawImage(image, 0, 0, 40, 40);
                return context.getImageData(0, 0, 40, 40).data.join();
            }"""
        )
    )


def test_the_same_picture_through_da_clip_and_back(text_visit: Visit, cell: Path) -> None:
    page = text_visit.page
    upload(page, cell)
    visualad = score(page), shown_map(page)
    set_slider(page, "top-k", "3")
    expect(page.locator("#verdict .how")).to_contain_text("highest 3 %")
    for name in ONLY_TEXT:
        expect(page.locator(name)).to_have_count(0)

    choose(page, "DA-CLIP", "half the mean of the highest 8 of 16 patches")

    for name in ONLY_TEXT:
        expect(page.locator(name)).to_be_visible()
    for name in (*ONLY_PIXELS,):
        expect(page.locator(name)).to_have_count(0)
    expect(page.locator("#caption")).to_contain_text("Unofficial reconstruction")
    expect(page.locator("#masthead .engine")).to_contain_text("DA-CLIP compact")
    expect(page.locator("#alpha input[type=number]")).to_have_value("0.7")
    expect(page.locator("#top-patches input[type=number]")).to_have_value("8")
    expect(page.locator("#layers-sheet label")).to_contain_text("static, refined and fused map")
    assert page.locator("#weights-used textarea").input_value().startswith("DA-CLIP compact")
    assert shown_map(page) != visualad[1]

    choose(page, "VisualAD", "highest 1 % of 90,000 pixels")

    for name in ONLY_TEXT:
        expect(page.locator(name)).to_have_count(0)
    expect(page.locator("#top-k input[type=number]")).to_have_value("1")
    expect(page.locator("#layers-sheet label")).to_contain_text("Every layer's own map")
    expect(page.locator("#masthead .engine")).to_contain_text("VisualAD")
    assert (score(page), shown_map(page)) == visualad
    assert text_visit.complaints == []


def test_alpha_and_top_k_change_the_result_without_a_forward_pass(
    text_visit: Visit, fake: FakeTextModel, cell: Path
) -> None:
    page = text_visit.page
    upload(page, cell)
    choose(page, "DA-CLIP", "of 16 patches")
    passes, before, first_map = len(fake.seen), score(page), shown_map(page)

    set_slider(page, "alpha", "0")
    expect(page.locator("#verdict .number")).not_to_have_text(before)
    static_map = shown_map(page)
    set_slider(page, "top-patches", "2")
    expect(page.locator("#verdict .how")).to_contain_text("highest 2 of 16 patches")

    assert static_map != first_map
    assert len(fake.seen) == passes


def test_other_words_change_the_map_and_the_papers_bring_it_back(text_visit: Visit, cell: Path) -> None:
    page = text_visit.page
    upload(page, cell)
    choose(page, "DA-CLIP", "of 16 patches")
    paper = score(page), shown_map(page)
    open_accordion(page, "words")

    page.locator("#words-object textarea, #words-object input").fill("solar cell")
    page.locator("#words-anomalous textarea").fill("cracked\n\nscratched {}")
    page.locator("#words-use").click()

    expect(page.locator("#verdict .number")).not_to_have_text(paper[0])
    expect(page.locator("#words > button")).to_contain_text("your own")
    own = score(page), shown_map(page)
    assert own[1] != paper[1]

    page.locator("#words-normal textarea").fill(" \n")
    page.locator("#words-use").click()

    expect(page.locator(".toast-body")).to_contain_text("There is no normal state; write at least one")
    assert (score(page), shown_map(page)) == own

    page.locator("#words-back").click()

    expect(page.locator("#words > button")).to_contain_text("the paper's")
    expect(page.locator("#words-normal textarea")).to_have_value("{}\na {}\nthe {}")
    assert (score(page), shown_map(page)) == paper


def test_the_alignment_is_drawn_on_demand_and_goes_with_its_result(text_visit: Visit, cell: Path) -> None:
    page = text_visit.page
    upload(page, cell)
    choose(page, "DA-CLIP", "of 16 patches")
    open_accordion(page, "alignment")
    expect(page.locator("#alignment-picture img")).to_have_count(0)

    page.locator("#alignment-show").click()
    expect(page.locator("#alignment-picture img")).to_be_visible()
    set_slider(page, "alpha", "0.2")

    expect(page.locator("#alignment-picture img")).to_have_count(0)
    assert text_visit.complaints == []


@pytest.mark.slow
def test_the_shipped_head_answers_to_other_words(chromium: Browser, cell: Path, tmp_path: Path) -> None:
    where = AppConfig.from_environment().location()
    status = preset_status(PRESETS[TEXT_PRESET], where)
    assert status.ready, status.how_to_get
    with Workspace.open(tmp_path / "workspace") as workspace:
        served, url = start(Engine(where, "cpu"), workspace, Address(port=None))
        for visit in visiting(chromium, url):
            page = visit.page
            upload(page, cell)
            visualad = overlay_url(page), shown_map(page)
            choose(page, "DA-CLIP", "of 784 patches")
            paper = shown_map(page)
            open_accordion(page, "words")
            page.locator("#words-anomalous textarea").fill("cracked\n{} with a crack")
            page.locator("#words-use").click()
            expect(page.locator("#words > button")).to_contain_text("your own")
            assert len({visualad[1], paper, shown_map(page)}) == 3
            open_accordion(page, "alignment")
            page.locator("#alignment-show").click()
            expect(page.locator("#alignment-picture img")).to_be_visible()
            assert (visit.foreign_requests, visit.complaints) == ([], [])
        served.close()
