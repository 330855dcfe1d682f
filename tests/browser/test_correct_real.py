"""Correct, the whole way: a real cell, the real backbone and the shipped head, real hands, and the stored mask."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, ViewportSize, expect
from scipy.ndimage import distance_transform_edt

from app.config import AppConfig
from app.ui.engine import Engine
from models.config import InspectionConfig
from models.data.pictures import load_picture
from models.registry import DEFAULT_PRESET, PRESETS
from models.status import preset_status
from tests.browser.correct_page import Hands, Site, changed_pixels, digest_of, open_hands, site_of
from tests.browser.editor_page import Mask

pytestmark = pytest.mark.browser

MASK_LAYER = "document.querySelector('.mask-layer')"


@pytest.fixture(scope="module")
def engine() -> Engine:
    where = AppConfig.from_environment().location()
    status = preset_status(PRESETS[DEFAULT_PRESET], where)
    if not status.ready:
        pytest.fail(f"the default preset has no weights here: {status.how_to_get}")
    return Engine(where, "cpu")


@pytest.fixture
def site(engine: Engine, tmp_path: Path) -> Iterator[Site]:
    with site_of(engine, tmp_path / "workspace") as site:
        yield site


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context(viewport=ViewportSize(width=1366, height=900))
    yield context
    context.close()


@pytest.fixture
def hands(context: BrowserContext, site: Site) -> Iterator[Hands]:
    hands = open_hands(context.new_page(), site.url)
    yield hands
    assert hands.complaints == []


def focus_by_tab(hands: Hands, name: str, *, most: int = 120) -> None:
    """Press Tab until a thing has the focus, as people without a mouse do."""
    for _ in range(most):
        hands.press("Tab")
        if hands.page.evaluate(f"document.activeElement.matches({name!r})"):
            return
    pytest.fail(f"Tab never reached {name}")


def test_a_stroke_and_an_erasure_on_a_proposal_are_stored_as_the_screen_showed_them(
    hands: Hands, site: Site, engine: Engine, cell: Path
) -> None:
    digest = digest_of(cell)
    hands.open_tab()
    hands.upload(cell)
    hands.is_open(cell.name)
    proposed = site.proposed(digest)
    predicted = engine.inspector.inspect(load_picture(cell), DEFAULT_PRESET, InspectionConfig()).pred_mask
    assert predicted.any()
    assert changed_pixels(proposed, predicted) == 0
    expect(hands.page.get_by_test_id("summary")).to_contain_text(f"{np.count_nonzero(predicted):,} px")

    ys, xs = np.nonzero(predicted)
    middle = float(xs.mean()), float(ys.mean())
    painted = ("b", 12, [(20.0, 20.0), (140.0, 60.0), (150.0, 120.0)])
    erased = ("e", 9, [(middle[0] - 60, middle[1]), (middle[0] + 60, middle[1] + 12)])
    expected = hands.draws([painted, erased, ("e", 5, [(60.0, 10.0), (80.0, 70.0)])], proposed)
    hands.press("Control+s")
    hands.status("Anomalous, revision 1")
    hands.page.reload()

    assert (expected & ~proposed).sum() > 500
    assert (proposed & ~expected).sum() > 100
    assert changed_pixels(site.stored(digest), expected) == 0
    hands.open_tab()
    hands.is_open(cell.name)
    hands.status("Anomalous, revision 1")
    expect(hands.page.get_by_test_id("summary")).to_contain_text(f"{np.count_nonzero(expected):,} px")


def test_normal_is_marked_and_taken_back(hands: Hands, site: Site, cell: Path) -> None:
    digest = digest_of(cell)
    hands.open_tab()
    hands.upload(cell)
    hands.is_open(cell.name)
    proposed = site.proposed(digest)
    expected = hands.draws([("b", 12, [(20.0, 20.0), (140.0, 60.0)])], proposed)
    hands.press("Control+s")
    hands.status("Anomalous, revision 1")

    hands.press("n")
    hands.status("Normal, revision 2")
    hands.press("Control+z")
    hands.status("Unsaved")
    hands.press("Control+s")
    hands.status("Anomalous, revision 3")

    assert [revision.label for revision in site.history(digest)] == ["anomalous", "normal", "anomalous"]
    assert not site.stored(digest, 2).any()
    assert changed_pixels(site.stored(digest, 3), expected) == 0


def test_a_cell_is_corrected_with_the_keyboard_alone(hands: Hands, site: Site, engine: Engine, cell: Path) -> None:
    digest = digest_of(cell)
    focus_by_tab(hands, "[role=tab]:not([aria-selected=true])")
    hands.press("Enter")
    expect(hands.page.locator("#workbench .welcome")).to_be_visible()
    focus_by_tab(hands, "#import-files")
    with hands.page.expect_file_chooser() as chooser:
        hands.press("Enter")
    chooser.value.set_files(str(cell))
    hands.is_open(cell.name)

    for key, tool in (("e", "tool-erase"), ("b", "tool-brush")):
        hands.press(key)
        expect(hands.page.get_by_test_id(tool)).to_have_attribute("aria-pressed", "true")
    number = hands.page.get_by_test_id("threshold-number")
    calibrated = float(number.input_value())
    focus_by_tab(hands, "[data-testid=threshold]")
    hands.press(*["ArrowLeft"] * 25)
    threshold = float(number.input_value())
    hands.press("Enter")
    hands.status("Anomalous, revision 1")
    hands.press(".", ".", "Control+z", "Control+s")
    hands.status("Anomalous, revision 2")

    anomaly_map = engine.inspector.inspect(load_picture(cell), DEFAULT_PRESET, InspectionConfig()).anomaly_map
    lowered, grown = site.stored(digest, 1), site.stored(digest, 2)
    assert threshold < calibrated
    assert changed_pixels(lowered, site.proposed(digest)) > 0
    assert changed_pixels(lowered, anomaly_map >= np.float32(threshold)) == 0
    assert changed_pixels(grown, distance_transform_edt(~lowered) <= 2) == 0


def test_unsaved_work_survives_a_reload_and_a_closed_tab_and_is_dropped_only_when_asked(
    hands: Hands, context: BrowserContext, site: Site, cell: Path
) -> None:
    digest = digest_of(cell)
    hands.open_tab()
    hands.upload(cell)
    hands.is_open(cell.name)
    expected = hands.draws([("b", 12, [(20.0, 20.0), (140.0, 60.0)])], site.proposed(digest))
    hands.status("Unsaved, kept in this browser")

    hands.page.reload()
    finds_its_work(hands, cell, expected)
    hands.page.close(run_before_unload=True)
    hands = open_hands(context.new_page(), site.url)
    finds_its_work(hands, cell, expected)

    assert site.history(digest) == []
    discard = hands.page.locator("#workbench .panel").get_by_role("button", name="Discard")
    question = hands.page.locator("dialog.question")
    discard.click()
    expect(question).to_contain_text("Discard your unsaved work")
    question.get_by_role("button", name="Keep it").click()
    shows(hands, expected)
    discard.click()
    question.get_by_role("button", name="Discard").click()
    hands.status("Not decided yet")
    shows(hands, site.proposed(digest))
    assert hands.complaints == []


def finds_its_work(hands: Hands, cell: Path, expected: Mask) -> None:
    """Open the tab after the page was gone: the work is there, and is told to be unsaved."""
    hands.open_tab()
    hands.is_open(cell.name)
    expect(hands.page.locator("#workbench .bar")).to_contain_text("Unsaved work of")
    shows(hands, expected)


def shows(hands: Hands, mask: Mask) -> None:
    """Wait until the editor's canvas has colour where a mask is, and nowhere else."""
    drawn = f"""() => {{
        const {{width, height}} = {MASK_LAYER};
        const rgba = {MASK_LAYER}.getContext('2d').getImageData(0, 0, width, height).data;
        return Array.from({{length: width * height}}, (_, i) => rgba[4 * i + 3] > 0 ? 1 : 0).join('');
    }}"""
    text = "".join(mask.ravel().astype(int).astype(str))
    hands.page.wait_for_function(f"text => ({drawn})() === text", arg=text)
