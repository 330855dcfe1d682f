"""The Inspect tab as people use it, in a real Chromium, with a fake model behind it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from models.config import InspectionConfig
from models.data.pictures import load_picture
from models.registry import DEFAULT_PRESET
from tests.app.fakes import FakeModel, fake_inspector
from tests.browser.conftest import Visit

pytestmark = pytest.mark.browser


def upload(page: Page, path: Path) -> None:
    """Give the page a picture and wait for its result."""
    page.set_input_files("#picture input[type=file]", path)
    expect(page.locator("#verdict .verdict:not(.empty)")).to_be_visible()
    expect(page.locator("#compare img")).to_have_count(2)


def score(page: Page) -> str:
    return page.locator("#verdict .number").inner_text()


def overlay_url(page: Page) -> str:
    return str(page.evaluate("[...document.querySelectorAll('#compare img')].map(i => i.src).join(' ')"))


def set_slider(page: Page, name: str, value: str) -> None:
    """Type a value into a slider's number field, as people do who know which one they want."""
    field = page.locator(f"#{name} input[type=number]")
    field.fill(value)
    field.blur()


def test_one_action_shows_picture_overlay_score_and_verdict_on_the_first_screen(visit: Visit, cell: Path) -> None:
    upload(visit.page, cell)

    for shown in ("#picture", "#compare", "#verdict .number", "#verdict .badge"):
        box = visit.page.locator(shown).bounding_box()
        assert box is not None, shown
        assert box["y"] + box["height"] <= 768, shown
        assert box["x"] + box["width"] <= 1366, shown
    assert visit.page.evaluate("window.scrollY") == 0
    assert "pixels" in visit.page.inner_text("#verdict .how")
    assert visit.complaints == []


def test_the_page_asks_no_other_host_for_anything(visit: Visit, cell: Path) -> None:
    upload(visit.page, cell)
    assert visit.foreign_requests == []
    assert len(visit.requests) > 20


def test_layers_and_top_k_change_overlay_and_score(visit: Visit, cell: Path) -> None:
    page = visit.page
    upload(page, cell)
    first_score, first_overlay = score(page), overlay_url(page)

    page.locator("#layers label", has_text="12").click()

    expect(page.locator("#verdict .number")).not_to_have_text(first_score)
    page.wait_for_function(
        "before => [...document.querySelectorAll('#compare img')].map(i => i.src).join(' ') !== before",
        arg=first_overlay,
    )
    second_score = score(page)

    page.locator("#top-k-medical").click()

    expect(page.locator("#verdict .how")).to_contain_text("highest 5 %")
    assert float(score(page)) < float(second_score)
    assert visit.complaints == []


def test_a_threshold_set_by_hand_changes_the_verdict_and_can_be_taken_back(visit: Visit, cell: Path) -> None:
    page = visit.page
    upload(page, cell)
    calibrated = page.locator("#verdict .how").inner_text()
    verdict = page.locator("#verdict .badge").inner_text()

    set_slider(page, "threshold", "0.3")

    expect(page.locator("#verdict .how")).to_contain_text("Threshold 0.30, set by hand (calibrated: 1.60)")
    expect(page.locator("#verdict .badge")).to_have_text("Anomalous")
    expect(page.locator("#regions-heading")).to_contain_text("at or above 0.30")
    page.locator("#calibrated").click()
    expect(page.locator("#verdict .how")).not_to_contain_text("by hand")
    assert page.locator("#verdict .how").inner_text().split("\n")[0] == calibrated.split("\n")[0]
    expect(page.locator("#verdict .badge")).to_have_text(verdict)


def test_dragging_a_slider_redraws_when_it_is_let_go(visit: Visit, cell: Path) -> None:
    page = visit.page
    upload(page, cell)
    before = overlay_url(page)
    page.locator("#smoothing input[type=range]").scroll_into_view_if_needed()
    box = page.locator("#smoothing input[type=range]").bounding_box()
    assert box is not None

    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()

    page.wait_for_function(
        "before => [...document.querySelectorAll('#compare img')].map(i => i.src).join(' ') !== before", arg=before
    )


def test_downloads_hold_what_the_services_compute(visit: Visit, cell: Path, tmp_path: Path) -> None:
    page = visit.page
    upload(page, cell)
    set_slider(page, "threshold", "1.2")
    expect(page.locator("#verdict .how")).to_contain_text("Threshold 1.20")
    expected = fake_inspector(FakeModel()).inspect(
        load_picture(cell), DEFAULT_PRESET, InspectionConfig(layers=(3, 6, 9, 12), threshold=1.2)
    )

    files = {}
    for kind in ("mask", "json", "map-npy", "map-tiff"):
        with page.expect_download() as download:
            page.locator(f"#download-{kind}").click()
        files[kind] = tmp_path / download.value.suggested_filename
        download.value.save_as(files[kind])

    assert files["mask"].name == "cell0040.mask.png"
    assert np.array_equal(np.asarray(Image.open(files["mask"])) == 255, expected.pred_mask)
    assert np.array_equal(np.load(files["map-npy"]), expected.anomaly_map)
    assert np.array_equal(np.asarray(Image.open(files["map-tiff"])), expected.anomaly_map)
    record = json.loads(files["json"].read_text())
    assert record["image_score"] == pytest.approx(expected.image_score)
    assert (record["verdict"], record["size_hw"]) == (expected.verdict, [300, 300])
    assert len(record["regions"]) == len(expected.regions)


def test_a_file_that_is_no_picture_gets_a_sentence_and_leaves_the_result(
    visit: Visit, cell: Path, tmp_path: Path
) -> None:
    page = visit.page
    upload(page, cell)
    before = (score(page), overlay_url(page))
    broken = tmp_path / "broken<b>.png"
    broken.write_bytes(b"this is no picture")

    page.set_input_files("#picture input[type=file]", broken)

    message = page.locator(".toast-body")
    expect(message).to_be_visible()
    assert "Traceback" not in message.inner_text()
    assert "broken" in message.inner_text()
    assert (score(page), overlay_url(page)) == before
    expect(page.locator("#picture img")).to_be_visible()


def test_a_picture_that_browsers_cannot_show_is_inspected_and_previewed(visit: Visit, tmp_path: Path) -> None:
    depth = np.full((120, 160), 60_000, dtype=np.uint16)
    depth[40:80, 60:100] = 300
    path = tmp_path / "deep.tiff"
    Image.fromarray(depth).save(path)

    upload(visit.page, path)

    expect(visit.page.locator("#verdict .spent")).to_contain_text("160 × 120 px")
    visit.page.wait_for_function(
        "[...document.querySelectorAll('#picture img')].some(i => i.complete && i.naturalWidth > 0)"
    )


def test_a_pasted_picture_is_inspected(visit: Visit, cell: Path) -> None:
    page = visit.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate(
        """async (bytes) => navigator.clipboard.write([
            new ClipboardItem({'image/png': new Blob([new Uint8Array(bytes)], {type: 'image/png'})})
        ])""",
        list(cell.read_bytes()),
    )

    page.locator("#picture button[aria-label='Paste from clipboard']").click()

    expect(page.locator("#verdict .verdict:not(.empty)")).to_be_visible()


def test_a_photograph_of_the_camera_is_inspected(visit: Visit) -> None:
    page = visit.page
    page.context.grant_permissions(["camera"])
    page.locator("#picture button[aria-label='Capture from camera']").click()
    page.locator("#picture button", has_text="Access Webcam").click()
    page.wait_for_function("document.querySelector('#picture video')?.readyState >= 2")

    page.locator("#picture button[aria-label='capture photo']").click()

    expect(page.locator("#verdict .verdict:not(.empty)")).to_be_visible()


def test_backbones_without_weights_are_shown_disabled_with_the_way_to_get_them(visit: Visit) -> None:
    page = visit.page
    large = page.locator("#backbone .option", has_text="DINOv2 ViT-L/14")
    expect(large.locator("input")).to_be_disabled()
    expect(large).to_contain_text("no weights")
    large.locator("summary").click()
    expect(large.locator("details p")).to_be_visible()
    assert len(large.locator("details p").inner_text()) > 20


def test_an_example_is_inspected_with_one_click(visit: Visit) -> None:
    visit.page.locator("#examples .gallery-item").first.click()
    expect(visit.page.locator("#verdict .verdict:not(.empty)")).to_be_visible()
    expect(visit.page.locator("#picture img")).to_be_visible()


def test_no_layer_at_all_is_refused_and_the_result_stays(visit: Visit, cell: Path) -> None:
    page = visit.page
    upload(page, cell)
    for layer in ("3", "6", "9"):
        before = score(page)
        page.locator("#layers label", has_text=layer).click()
        expect(page.locator("#verdict .number")).not_to_have_text(before)
    before = score(page)

    page.locator("#layers label", has_text="12").click()

    expect(page.locator(".toast-body")).to_contain_text("Choose at least one layer")
    assert score(page) == before
