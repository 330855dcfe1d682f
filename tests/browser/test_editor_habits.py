"""The mask editor beside painting: keys, touch, focus, drafts, comparison, sizes; in a real Chromium."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.editor_page import EditorPage, Opener, editor, files_url, opener, stroke_mask

__all__ = ["editor", "files_url", "opener"]  # fixtures
pytestmark = pytest.mark.browser


def test_the_keyboard_alone_changes_the_mask_and_asks_for_the_next_image(editor: EditorPage) -> None:
    editor.open()
    assert editor.page.evaluate("document.activeElement.id") == "editor"  # after load
    threshold = editor.control("threshold")
    for _ in range(30):
        editor.press("Tab")
        if threshold.evaluate("element => element === document.activeElement"):
            break

    editor.press("ArrowLeft", "ArrowLeft", "ArrowRight", "ArrowLeft")

    value = float(editor.control("threshold-number").input_value())
    assert 1.4 < value < 1.5
    assert np.array_equal(editor.mask(), editor.map() >= np.float32(value))
    editor.press("]", "f", "o", "h", "m", "1", "0", "n", "u", "s", "g", "Enter", "Backspace", "Control+s")
    assert editor.requests() == ["normal", "unsure", "skip", "snap", "save-next", "previous", "save"]


def test_keys_are_quiet_while_text_is_typed_or_the_focus_is_elsewhere(editor: EditorPage) -> None:
    before = editor.mask()

    editor.page.locator("#outside").focus()
    editor.press("n", "Enter", "e", "Delete", "Control+z")
    editor.control("size-number").focus()
    editor.press("n", "e", "Backspace", "5")

    assert editor.requests() == []
    assert np.array_equal(editor.mask(), before)
    expect(editor.control("tool-brush")).to_have_attribute("aria-pressed", "true")


def test_every_button_has_a_name_and_tools_say_which_one_is_chosen(editor: EditorPage) -> None:
    buttons = editor.page.locator(".oddity-editor button:visible")
    names = [str(name) for name in buttons.evaluate_all("all => all.map((one) => one.getAttribute('aria-label'))")]
    titles = buttons.evaluate_all("all => all.map((one) => one.title)")

    assert len(names) > 15
    assert all(names)
    assert names == titles
    editor.press("w")
    pressed = editor.page.locator(".tools button[aria-pressed=true]")
    assert pressed.evaluate_all("all => all.map((one) => one.dataset.testid)") == ["tool-wand"]


def test_the_help_lists_every_key_and_closes_with_escape(editor: EditorPage) -> None:
    editor.press("?")
    text = editor.control("help").inner_text()

    titles = editor.page.evaluate(
        "import('/app/ui/workbench/keys.js')"
        ".then(({KEYS}) => KEYS.filter(({command}) => command !== 'layer').map(({title}) => title))"
    )
    assert len(titles) > 25
    assert [title for title in titles if title not in text] == []
    assert "Map of a single layer" in text
    editor.press("n", "Escape")
    expect(editor.control("help")).to_be_hidden()
    assert editor.requests() == []


def test_comparing_counts_what_was_added_and_removed_and_how_far_both_agree(editor: EditorPage) -> None:
    before = editor.mask()
    editor.press("e")
    editor.stroke([(60, 135), (100, 137)])
    after = editor.mask()

    editor.press("c")

    legend = editor.control("legend").inner_text()
    assert f"IoU {(after & before).sum() / (after | before).sum():.3f}" in legend
    assert f"{(before & ~after).sum():,} px" in legend
    expect(editor.control("summary")).to_contain_text(f"{after.sum():,} px · {after.mean():.2%}".replace("%", " %"))
    colours = editor.page.evaluate(
        "(c => [[100, 137], [210, 180], [5, 5]].map(([x, y]) => [...c.getImageData(x, y, 1, 1).data]))"
        "(document.querySelector('.mask-layer').getContext('2d'))"
    )
    assert colours == [[230, 159, 0, 255], [0, 158, 115, 255], [0, 0, 0, 0]]


def test_maps_and_single_layers_are_coloured_on_the_fixed_scale(editor: EditorPage) -> None:
    peak = "(c => [...c.getContext('2d').getImageData(90, 135, 1, 1).data])(document.querySelector('.map-layer'))"
    editor.press("m")
    fused = editor.page.evaluate(peak)
    editor.press("2")
    layer = editor.page.evaluate(peak)
    editor.press("2")

    palette = editor.page.evaluate("Array.from(harness.editor.bench.pictures.palette)")
    index = round(float(editor.map()[135, 90]) / 4 * 255)
    assert fused == [*palette[3 * index : 3 * index + 3], 255]
    assert layer != fused  # half as high
    expect(editor.page.locator(".map-layer")).to_be_hidden()


def test_the_status_line_says_where_the_pointer_is_and_what_the_map_is_there(editor: EditorPage) -> None:
    editor.page.mouse.move(*editor.on_screen((90.5, 135.5)))

    expect(editor.control("position")).to_have_text("x 90 y 135")
    expect(editor.control("map-value")).to_have_text(f"map {editor.map()[135, 90]:.3f}")


def test_a_draft_brings_back_mask_names_threshold_and_strokes(editor: EditorPage) -> None:
    editor.stroke([(200, 40), (250, 60)])
    editor.page.evaluate("harness.editor.setClass([225, 50], 'scratch')")
    editor.set_number("threshold", 1.2)
    before = editor.mask()

    editor.page.evaluate("harness.open({draft: harness.editor.snapshotDraft()})")

    assert np.array_equal(editor.mask(), before)
    assert editor.value("dirty")
    assert editor.value("classes()") == [{"x": 225, "y": 50, "name": "scratch"}]
    expect(editor.control("threshold-number")).to_have_value("1.200")
    editor.set_number("threshold", 2.5)
    assert editor.mask()[50, 225]  # the stroke is still the person's
    editor.page.evaluate("harness.editor.markSaved()")
    assert not editor.value("dirty")


def test_a_name_stays_with_its_region_when_the_pixel_it_hung_on_is_erased(editor: EditorPage) -> None:
    editor.page.evaluate("harness.editor.setClass([90, 135], 'dent')")
    editor.press("e")
    editor.set_number("size", 6)

    editor.stroke([(88, 134), (92, 136)])

    [named] = editor.value("classes()")
    assert named["name"] == "dent"
    assert editor.mask()[named["y"], named["x"]]
    assert [region["name"] for region in editor.value("regions()")] == ["dent", ""]
    editor.press("Control+z")
    assert editor.value("classes()") == [{"x": 90, "y": 135, "name": "dent"}]


def test_nothing_is_painted_while_the_editor_is_busy(editor: EditorPage) -> None:
    editor.stroke([(40, 250), (80, 250)])
    before = editor.mask()
    editor.page.evaluate("harness.editor.busy('Snapping…')")

    editor.stroke([(200, 40), (250, 60)])
    editor.press("Control+z", ".", "n")

    expect(editor.control("veil")).to_contain_text("Snapping…")
    assert np.array_equal(editor.mask(), before)
    assert editor.requests() == []
    editor.page.evaluate("harness.editor.busy(null)")
    editor.stroke([(200, 40), (250, 60)])
    assert editor.mask()[50, 225]


def test_a_hidden_mask_shows_itself_when_it_is_painted_on(editor: EditorPage) -> None:
    editor.press("h")
    expect(editor.page.locator(".mask-layer")).to_be_hidden()

    editor.stroke([(200, 40), (250, 60)])

    expect(editor.page.locator(".mask-layer")).to_be_visible()


def test_loaded_in_a_hidden_tab_the_image_fits_when_the_tab_is_shown(editor: EditorPage) -> None:
    editor.page.evaluate("document.querySelector('#editor').style.display = 'none'")
    editor.open(200, 100, cells="empty")
    editor.page.set_viewport_size({"width": 1000, "height": 700})
    editor.page.evaluate("document.querySelector('#editor').style.display = ''")
    editor.page.evaluate("harness.rest()")
    editor.stroke([(20, 20), (150, 80)])

    [path] = editor.path()
    assert np.array_equal(editor.mask(), stroke_mask(path, 24, (200, 100)))
    stage = editor.control("stage").bounding_box()
    left, top, scale = editor.image_box()
    assert stage is not None
    assert scale == pytest.approx(min(stage["width"] / 200, stage["height"] / 100), rel=1e-3)
    assert (left, top) >= (stage["x"] - 0.5, stage["y"] - 0.5)


def test_another_size_of_the_window_keeps_the_zoom_and_what_is_in_the_middle(editor: EditorPage) -> None:
    editor.press("+", "+", "+", "+")
    editor.page.evaluate("harness.rest()")
    before = editor.value("stage.view.scale")
    middle = "(s => s.view.toImage(s.box[0] / 2, s.box[1] / 2))(harness.editor.stage)"
    centre = editor.page.evaluate(middle)

    editor.page.set_viewport_size({"width": 1000, "height": 700})
    editor.page.evaluate("harness.rest()")

    assert editor.value("stage.view.scale") == before
    assert editor.page.evaluate(middle) == pytest.approx(centre, abs=0.01)


class Fingers:
    """Touches at places of the image, as the browser gets them from the screen."""

    def __init__(self, editor: EditorPage) -> None:
        self._editor = editor
        self._client = editor.page.context.new_cdp_session(editor.page)
        self._box = editor.image_box()

    def send(self, kind: str, *points: tuple[float, float]) -> None:
        left, top, scale = self._box  # where the image was when the touch began
        spots = [{"x": left + x * scale, "y": top + y * scale, "id": i} for i, (x, y) in enumerate(points)]
        self._client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": spots})


def test_a_finger_paints_and_a_cancelled_touch_keeps_what_it_painted(opener: Opener) -> None:
    editor = opener(touch=True)
    editor.open(cells="empty")
    fingers = Fingers(editor)

    fingers.send("touchStart", (50, 50))
    for x in range(60, 200, 10):
        fingers.send("touchMove", (x, 80))
    fingers.send("touchCancel")
    first = editor.mask()
    fingers.send("touchStart", (50, 200))
    fingers.send("touchMove", (90, 200))
    fingers.send("touchEnd")

    expected = [stroke_mask(path, 24, (300, 300)) for path in editor.path()]
    assert first[80, 180]
    assert np.array_equal(first, expected[0])
    assert np.array_equal(editor.mask(), expected[0] | expected[1])
    editor.press("Control+z")
    assert np.array_equal(editor.mask(), first)
    editor.press("Control+z")
    assert not editor.mask().any()


def test_two_fingers_zoom_and_leave_the_mask_alone(opener: Opener) -> None:
    editor = opener(touch=True)
    editor.open(cells="empty")
    before = editor.value("stage.view.scale")
    fingers = Fingers(editor)

    fingers.send("touchStart", (100, 150))
    fingers.send("touchStart", (100, 150), (200, 150))
    for i in range(1, 4):
        fingers.send("touchMove", (100 - 5 * i, 150), (200 + 5 * i, 150))
    fingers.send("touchEnd")

    assert editor.value("stage.view.scale") == pytest.approx(before * 1.3, rel=0.02)  # from 100 to 130 apart
    assert not editor.mask().any()
    assert not editor.value("bench.annotation.canUndo")


@pytest.mark.slow
def test_twenty_four_megapixels_stay_bit_exact_and_four_keep_a_stroke_under_16_ms(opener: Opener) -> None:
    editor = opener()
    editor.open(6000, 4000)
    before = editor.mask()
    editor.set_number("size", 301)

    editor.stroke([(3000.5, 300.5), (4500.5, 700.5), (5990.5, 20.5)], steps=12)

    [path] = editor.path()
    expected = before | stroke_mask(path, 301, (6000, 4000))
    assert np.array_equal(editor.mask(), expected)
    editor.press("Control+z")
    assert np.array_equal(editor.mask(), before)

    editor.open(2400, 1700)
    editor.set_number("size", 120)
    editor.page.evaluate("harness.times.events_ms.length = 0")
    editor.stroke([(300, 300), (2000, 500), (400, 1500)], steps=60)
    times_ms = editor.page.evaluate("harness.times.events_ms")
    assert len(times_ms) > 50
    assert np.percentile(times_ms, 95) < 16
