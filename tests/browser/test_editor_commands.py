"""Whatever changes the mask at once: wand, keep or drop, threshold, small regions, holes; in a real Chromium."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import expect
from scipy import ndimage

from tests.browser.editor_page import EditorPage, Mask, editor, files_url, opener, stroke_mask

__all__ = ["editor", "files_url", "opener"]  # fixtures
pytestmark = pytest.mark.browser

EIGHT = np.ones((3, 3), dtype=bool)


def wand(editor: EditorPage, pixel: tuple[int, int], fraction: float) -> Mask:
    anomaly_map = editor.map()
    value = anomaly_map[pixel[1], pixel[0]]
    labels, _ = ndimage.label(anomaly_map >= np.float32(fraction) * value, EIGHT)  # the scale's low end is 0
    return np.asarray(labels == labels[pixel[1], pixel[0]])


def test_the_wand_takes_what_is_as_high_on_the_map_and_its_slider_adjusts_the_last_click(editor: EditorPage) -> None:
    editor.open(cells="empty")
    editor.press("w")

    editor.click((90.5, 135.5))
    first = editor.mask()
    editor.set_number("fraction", 30)
    second = editor.mask()
    editor.press("Control+z")

    assert np.array_equal(first, wand(editor, (90, 135), 0.6))
    assert np.array_equal(second, wand(editor, (90, 135), 0.3))
    assert not editor.mask().any()  # the click and its adjustment are one step


def test_keep_or_drop_drops_a_region_and_brings_it_back(editor: EditorPage) -> None:
    proposal = editor.mask()
    labels, count = ndimage.label(proposal, EIGHT)
    assert count == 2
    editor.press("k")

    editor.click((90, 135))
    dropped = editor.mask()
    editor.click((90, 135))

    assert np.array_equal(dropped, proposal & (labels != labels[135, 90]))
    assert np.array_equal(editor.mask(), proposal)
    editor.page.mouse.move(*editor.on_screen((210, 180)))
    editor.press("b", "Delete")
    assert np.array_equal(editor.mask(), proposal & (labels != labels[180, 210]))


def test_the_threshold_proposes_again_around_what_the_person_painted_and_erased(editor: EditorPage) -> None:
    editor.stroke([(200, 40), (250, 60)])
    editor.press("e")
    editor.stroke([(60, 135), (100, 137)])
    painted, erased = (stroke_mask(path, 24, (300, 300)) for path in editor.path())

    editor.set_number("threshold", 0.8)
    lowered = editor.mask()
    editor.press("Control+z")
    back = editor.mask()

    assert np.array_equal(lowered, ((editor.map() >= 0.8) | painted) & ~erased)
    assert np.array_equal(back, ((editor.map() >= 1.5) | painted) & ~erased)
    expect(editor.control("threshold-number")).to_have_value("1.500")


def test_what_a_saved_mask_changed_of_the_proposal_stays_when_the_threshold_moves(editor: EditorPage) -> None:
    proposal = editor.mask()
    editor.open(cells="empty")  # a person removed all of the proposal and saved that

    editor.set_number("threshold", 0.8)

    assert np.array_equal(editor.mask(), (editor.map() >= np.float32(0.8)) & ~proposal)


def test_a_drag_of_the_threshold_is_one_step_and_its_calibrated_value_is_marked(editor: EditorPage) -> None:
    before = editor.mask()
    box = editor.control("threshold").bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    mark = editor.control("calibrated-mark").bounding_box()
    assert mark is not None
    at_mark = mark["x"] + mark["width"] / 2
    assert (at_mark - box["x"] - 7) / (box["width"] - 14) == pytest.approx(1.5 / 4, abs=0.02)  # of a scale from 0 to 4

    mouse = editor.page.mouse
    mouse.move(at_mark, middle)
    mouse.down()
    mouse.move(box["x"] + box["width"] * 0.2, middle, steps=8)
    mouse.up()

    threshold = float(editor.control("threshold-number").input_value())
    assert 0.4 < threshold < 1.2
    assert np.array_equal(editor.mask(), editor.map() >= np.float32(threshold))
    editor.press("Control+z")
    assert np.array_equal(editor.mask(), before)


def test_min_area_removes_smaller_regions_and_brings_them_back_when_turned_down(editor: EditorPage) -> None:
    proposal = editor.mask()
    labels, _ = ndimage.label(proposal, EIGHT)
    small = labels == labels[180, 210]

    editor.set_number("min-area", int(small.sum()))
    kept = editor.mask()
    editor.set_number("min-area", int(small.sum()) + 1)
    removed = editor.mask()
    editor.set_number("min-area", 0)

    assert np.array_equal(kept, proposal)
    assert np.array_equal(removed, proposal & ~small)
    assert np.array_equal(editor.mask(), proposal)


def test_a_drag_of_min_area_to_the_end_and_back_changes_nothing(editor: EditorPage) -> None:
    proposal = editor.mask()
    box = editor.control("min-area").bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2

    mouse = editor.page.mouse
    mouse.move(box["x"] + 7, middle)
    mouse.down()
    mouse.move(box["x"] + box["width"] - 3, middle, steps=6)
    at_the_end = editor.mask()
    mouse.move(box["x"] + 2, middle, steps=6)
    mouse.up()

    assert not at_the_end.any()  # 4,500 px is more than either region has
    assert np.array_equal(editor.mask(), proposal)
    assert not editor.value("dirty")


def test_holes_are_filled_and_the_mask_grows_and_shrinks_by_a_disc(editor: EditorPage) -> None:
    editor.open(cells="empty")
    editor.stroke([(100, 100), (160, 100), (160, 160), (100, 160), (100, 100)])
    ring = editor.mask()
    editor.control("radius").fill("3")

    editor.control("fill-holes").click()
    filled = editor.mask()
    editor.control("grow").click()
    grown = editor.mask()
    editor.press("Control+z")
    editor.control("shrink").click()

    disc = np.hypot(*np.mgrid[-3:4, -3:4]) <= 3
    assert np.array_equal(filled, ndimage.binary_fill_holes(ring))
    assert filled.sum() > ring.sum()
    assert np.array_equal(grown, ndimage.binary_dilation(filled, disc))
    assert np.array_equal(editor.mask(), ndimage.binary_erosion(filled, disc, border_value=1))


def test_an_image_longer_than_the_browser_can_draw_is_refused_in_a_sentence(editor: EditorPage) -> None:
    refused = editor.page.evaluate(
        "harness.editor.load({ width: 70000, height: 8, imageUrl: 'none.png' }).catch(({ message }) => message)"
    )

    assert refused == (
        "This image has 70,000 × 8 pixels, longer than this browser can draw a mask on; cut it into tiles and import "
        "those."
    )
    expect(editor.control("veil")).to_have_text("No image is open.")


def test_on_a_very_long_image_strokes_are_drawn_at_its_far_end_too(editor: EditorPage) -> None:
    editor.open(width=20_000, height=40, withMap=False, cells="empty")
    editor.page.evaluate("harness.editor.bench.annotation.paint([{ y: 20, x0: 19990, x1: 20000 }], 1)")
    editor.page.evaluate("harness.rest()")

    drawn = editor.page.evaluate(
        "(c => [...c.getContext('2d').getImageData(19989, 20, 2, 1).data].filter((_, i) => i % 4 === 3))"
        "(document.querySelector('[data-testid=mask-layer]'))"
    )

    assert drawn == [0, 255]
