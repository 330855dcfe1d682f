"""What a hand paints on the real page is what the workspace stores, bit for bit, at any scale of the screen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, ViewportSize

from app.ui.engine import Engine
from tests.app.fakes import FakeModel, loader, nowhere
from tests.browser.correct_page import Hands, Site, changed_pixels, open_hands, site_of

pytestmark = pytest.mark.browser

Strokes: TypeAlias = list[tuple[str, int, list[tuple[float, float]]]]

# Thick and thin, straight and bent, over the image's border, and over each other: (key, diameter, places).
STROKES: Strokes = [
    ("b", 1, [(0.05, 0.05), (0.3, 0.9), (0.31, 0.1)]),
    ("b", 24, [(0.4, 0.2), (0.6, 0.25), (0.62, 0.8)]),
    ("e", 7, [(0.35, 0.22), (0.7, 0.24), (0.6, 0.5), (0.64, 0.7)]),
    ("b", 2, [(0.8, 0.02), (0.98, 0.98)]),
    ("e", 1, [(0.45, 0.1), (0.55, 0.6)]),
    ("b", 5, [(0.9, 0.5), (1.01, 0.52)]),
]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_of(Engine(nowhere(), load=loader(FakeModel())), tmp_path / "workspace") as site:
        yield site


def hands_at(chromium: Browser, url: str, ratio: float) -> Hands:
    context = chromium.new_context(viewport=ViewportSize(width=1366, height=900), device_scale_factor=ratio)
    return open_hands(context.new_page(), url)


def spotted(path: Path, size_wh: tuple[int, int]) -> Path:
    """Grey, with a dark blot that the fake model finds, and noise over it that no two masks can be mixed up in."""
    width, height = size_wh
    noise = np.random.default_rng(3).integers(0, 40, (height // 16 + 1, width // 16 + 1), dtype=np.uint8)
    grey = 215 + noise.repeat(16, axis=0).repeat(16, axis=1)[:height, :width]
    grey[height // 2 : 5 * height // 6, width // 8 : width // 3] = 5
    Image.fromarray(grey).save(path, compress_level=1)
    return path


def scaled(size_wh: tuple[int, int], strokes: Strokes = STROKES) -> Strokes:
    width, height = size_wh
    return [(key, size, [(x * width, y * height) for x, y in places]) for key, size, places in strokes]


@pytest.mark.parametrize("ratio", [1.0, 1.25, 2.0])
def test_strokes_are_stored_bit_for_bit_at_any_device_pixel_ratio(
    chromium: Browser, site: Site, tmp_path: Path, ratio: float
) -> None:
    size_wh = (301, 203)
    digest = site.add(spotted(tmp_path / "blot.png", size_wh))
    hands = hands_at(chromium, site.url, ratio)
    hands.open_tab()
    hands.is_open("blot.png")
    proposed = site.proposed(digest)

    expected = hands.draws(scaled(size_wh), proposed)
    hands.press("Control+s")
    hands.status("Anomalous, revision 1")

    assert hands.page.evaluate("devicePixelRatio") == ratio
    assert proposed.any()
    assert changed_pixels(expected, proposed) > 2_000
    assert changed_pixels(site.stored(digest), expected) == 0
    assert hands.complaints == []
    hands.page.context.close()


@pytest.mark.slow
def test_strokes_on_an_image_of_24_megapixels_are_stored_bit_for_bit(
    chromium: Browser, site: Site, tmp_path: Path
) -> None:
    size_wh = (6000, 4000)
    digest = site.add(spotted(tmp_path / "large.png", size_wh))
    hands = hands_at(chromium, site.url, 1.0)
    hands.open_tab()
    hands.is_open("large.png")
    proposed = site.proposed(digest)
    assert hands.image_on_screen()[2] < 0.2  # the whole of it is on screen

    expected = hands.draws(scaled(size_wh, [("b", 200, [(0.5, 0.1), (0.9, 0.3)]), STROKES[0]]), proposed)
    zoom_in(hands, (0.3, 0.6))
    assert hands.image_on_screen()[2] > 4  # a pixel is as large as a fingertip
    around = [("e", 1, [(0.3, 0.6), (0.3 + 40 / 6000, 0.6 - 9 / 4000)]), ("b", 3, [(0.3, 0.602), (0.304, 0.598)])]
    expected = hands.draws(scaled(size_wh, around), expected)
    hands.press("Control+s")
    hands.status("Anomalous, revision 1")

    stored = site.stored(digest)
    assert stored.shape == (4000, 6000)
    assert changed_pixels(expected, proposed) > 100_000
    assert changed_pixels(stored, expected) == 0
    assert hands.complaints == []
    hands.page.context.close()


def zoom_in(hands: Hands, place: tuple[float, float]) -> None:
    """Turn the wheel over a place of the image, until its pixels can be told apart."""
    left, top, scale = hands.image_on_screen()
    hands.page.mouse.move(left + place[0] * hands.size_wh[0] * scale, top + place[1] * hands.size_wh[1] * scale)
    for _ in range(20):
        hands.page.mouse.wheel(0, -100)
    hands.page.wait_for_function(
        "width => document.querySelector('.picture-layer').getBoundingClientRect().width > width",
        arg=4 * hands.size_wh[0],
    )
