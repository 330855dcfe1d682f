"""The mask editor in a real Chromium: every pixel is where the hand was, and nothing is lost."""

from __future__ import annotations

import numpy as np
import pytest

from tests.browser.editor_page import EditorPage, Opener, editor, files_url, opener, polygon_mask, stroke_mask

__all__ = ["editor", "files_url", "opener"]  # fixtures
pytestmark = pytest.mark.browser

SCRATCH = [(40.2, 30.7), (120.9, 55.1), (131.4, 140.6), (250.5, 251.5)]


@pytest.mark.parametrize("ratio", [1.0, 1.25, 2.0])
@pytest.mark.parametrize("diameter", [5, 24])
def test_a_stroke_sets_exactly_the_pixels_under_the_brush(opener: Opener, ratio: float, diameter: int) -> None:
    editor = opener(ratio)
    editor.open(cells="empty")
    editor.set_number("size", diameter)

    editor.stroke(SCRATCH)

    [path] = editor.path()
    assert len(path) > 12
    expected = stroke_mask(path, diameter, (300, 300))
    assert np.array_equal(editor.mask(), expected)


@pytest.mark.parametrize("ratio", [1.0, 1.25, 2.0])
def test_a_brush_of_one_pixel_paints_the_pixels_that_the_pointer_was_on_and_no_other_row_or_column(
    opener: Opener, ratio: float
) -> None:
    editor = opener(ratio)
    editor.open(cells="empty")
    editor.set_number("size", 1)

    editor.stroke([(40.5, 30.5), (90.5, 30.5), (90.5, 75.5)], steps=25)

    mask = editor.mask()
    assert sorted(zip(*np.nonzero(mask), strict=True)) == sorted(
        {(30, x) for x in range(40, 91)} | {(y, 90) for y in range(30, 76)}
    )


def test_the_eraser_takes_exactly_its_stroke_and_the_other_pixels_stay(editor: EditorPage) -> None:
    before = editor.mask()
    editor.press("e")

    editor.stroke([(60, 135), (130, 138)])

    [path] = editor.path()
    assert np.array_equal(editor.mask(), before & ~stroke_mask(path, 24, (300, 300)))
    assert (before & ~editor.mask()).any()


@pytest.mark.parametrize("how", ["alt", "right button"])
def test_alt_and_the_right_button_make_the_brush_erase(editor: EditorPage, how: str) -> None:
    before = editor.mask()

    if how == "alt":
        editor.page.keyboard.down("Alt")
    editor.stroke([(80, 135), (110, 138)], button="right" if how == "right button" else "left")
    editor.page.keyboard.up("Alt")

    [path] = editor.path()
    assert np.array_equal(editor.mask(), before & ~stroke_mask(path, 24, (300, 300)))


def test_a_stroke_that_leaves_the_image_paints_only_inside_and_comes_back(editor: EditorPage) -> None:
    editor.open(cells="empty")

    editor.stroke([(20, 20), (-60, 40), (-40, 150), (30, 200)])

    [path] = editor.path()
    assert np.array_equal(editor.mask(), stroke_mask(path, 24, (300, 300)))


def test_two_strokes_do_not_join_unless_shift_is_held(editor: EditorPage) -> None:
    editor.open(cells="empty")
    editor.stroke([(40, 40), (60, 40)])
    editor.stroke([(200, 200), (220, 200)])
    apart = editor.mask()
    strokes = editor.path()
    editor.page.keyboard.down("Shift")
    editor.click((250, 100))
    editor.page.keyboard.up("Shift")

    expected = stroke_mask(strokes[0], 24, (300, 300)) | stroke_mask(strokes[1], 24, (300, 300))
    assert np.array_equal(apart, expected)
    line = [strokes[1][-1], editor.path()[2][0]]
    assert np.array_equal(editor.mask(), expected | stroke_mask(line, 24, (300, 300)))


@pytest.mark.slow
def test_sixty_strokes_are_undone_and_done_again_one_by_one(editor: EditorPage) -> None:
    editor.open(cells="empty")
    left, top, scale = editor.image_box()
    states = [editor.mask()]
    for i in range(60):
        editor.page.mouse.click(left + (10 + 4 * i) * scale, top + (40 + i) * scale)
        states.append(editor.mask())
    assert editor.value("dirty")
    assert len({state.sum() for state in states}) == 61

    for state in reversed(states[:-1]):
        editor.press("Control+z")
        assert np.array_equal(editor.mask(), state)
    assert not editor.value("dirty")
    for state in states[1:]:
        editor.press("Control+Shift+z")
        assert np.array_equal(editor.mask(), state)


def test_undo_in_the_middle_of_a_stroke_takes_that_stroke_back_and_leaves_no_trace_of_it(editor: EditorPage) -> None:
    before = editor.mask()
    mouse = editor.page.mouse
    mouse.move(*editor.on_screen((150, 40)))
    mouse.down()
    mouse.move(*editor.on_screen((180, 60)), steps=4)

    editor.press("Control+z")
    mouse.move(*editor.on_screen((220, 60)), steps=4)
    mouse.up()

    assert np.array_equal(editor.mask(), before)


def test_polygons_add_and_subtract_the_pixels_whose_centre_they_hold(editor: EditorPage) -> None:
    editor.open(cells="empty")
    outer = [(40.3, 40.2), (200.8, 60.1), (150.4, 220.7)]
    inner = [(80.2, 70.9), (150.1, 80.3), (140.6, 140.2)]

    editor.press("p")
    editor.click(*outer)
    editor.press("Enter")
    added = editor.mask()
    editor.press("Shift+P")
    editor.click(*inner, (20.5, 20.5))
    editor.press("Backspace", "Enter")

    assert editor.requests() == []  # Enter closed polygons, Backspace removed a corner
    clicked = [(x + 0.5, y + 0.5) for stroke in editor.path() for x, y in stroke]
    assert [clicked[i] for i in (0, 3)] == [(40.5, 40.5), (80.5, 70.5)]
    expected = polygon_mask(editor.clicks(0, 3), (300, 300))
    assert np.array_equal(added, expected)
    assert np.array_equal(editor.mask(), expected & ~polygon_mask(editor.clicks(3, 6), (300, 300)))


def test_a_double_click_closes_a_polygon_and_escape_gives_one_up(editor: EditorPage) -> None:
    editor.open(cells="empty")
    editor.press("p")
    editor.click((50, 50), (100, 50))

    editor.page.mouse.dblclick(*editor.on_screen((100, 120)))
    closed = editor.mask()
    editor.click((150, 150), (200, 150), (200, 200))
    editor.press("Escape", "Enter")

    corners = editor.clicks(0, 3)
    assert np.array_equal(closed, polygon_mask(corners, (300, 300)))
    assert np.array_equal(editor.mask(), closed)
    assert editor.requests() == ["save-next"]  # no polygon was open any more


@pytest.mark.parametrize("ratio", [1.0, 1.25])
def test_after_zoom_and_pan_a_stroke_is_still_where_the_screen_shows_it(opener: Opener, ratio: float) -> None:
    editor = opener(ratio)
    editor.open(cells="empty")
    editor.set_number("size", 4)
    mouse = editor.page.mouse
    under = (640, 263)  # a wheel event tells whole screen pixels only
    left, top, scale = editor.image_box()
    pixel = ((under[0] - left) / scale, (under[1] - top) / scale)
    mouse.move(*under)
    for _ in range(6):
        mouse.wheel(0, -170)
    editor.page.evaluate("harness.rest()")
    assert editor.on_screen(pixel) == pytest.approx(under, abs=0.05)  # it stayed under the pointer
    left, top, scale = editor.image_box()
    editor.page.keyboard.down("Space")
    mouse.down()
    mouse.move(under[0] + 37, under[1] - 23, steps=3)
    mouse.up()
    editor.page.keyboard.up("Space")
    editor.page.evaluate("harness.rest()")
    assert editor.image_box() == pytest.approx((left + 37, top - 23, scale), abs=0.05)
    editor.forget_path()

    x, y = pixel
    editor.stroke([(x - 10.3, y - 5.2), (x + 8.8, y + 1.6), (x + 1.1, y + 8.9)])

    assert "pixelated" in editor.page.evaluate("getComputedStyle(document.querySelector('.mask-layer')).imageRendering")
    [path] = editor.path()
    assert np.array_equal(editor.mask(), stroke_mask(path, 4, (300, 300)))


def test_the_screen_is_red_where_the_mask_is_and_nowhere_else(editor: EditorPage) -> None:
    editor.open(40, 30, cells="empty", withMap=False)
    editor.set_number("size", 1)
    editor.set_number("opacity", 100)
    editor.stroke([(10.5, 12.5), (14.5, 12.5)])
    editor.page.mouse.move(5, 5)
    editor.page.evaluate("harness.rest()")

    picture = np.asarray(
        editor.page.evaluate(
            "Array.from(document.querySelector('.mask-layer').getContext('2d').getImageData(0, 0, 40, 30).data)"
        )
    ).reshape(30, 40, 4)

    assert np.array_equal(picture[..., 3] > 0, editor.mask())
    assert editor.mask().sum() == 5
