"""A page with the mask editor alone, driven with a real mouse and real keys, and what should come of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final, TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, BrowserContext, Locator, Page, ViewportSize

Mask: TypeAlias = NDArray[np.bool_]
Points: TypeAlias = Sequence[tuple[float, float]]

_REPOSITORY: Final = Path(__file__).resolve().parents[2]


class _QuietHandler(SimpleHTTPRequestHandler):
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {".js": "text/javascript"}

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def serve_repository() -> Iterator[str]:
    """Serve the repository's files on this machine, without gradio."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_QuietHandler, directory=_REPOSITORY))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


class EditorPage:
    """The harness page.  Points are continuous coordinates of the image: (3.5, 0.5) is the middle of pixel x 3, y 0."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.size_wh = (0, 0)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        page.goto(f"{url}/tests/workbench/harness.html")
        page.wait_for_function("window.harness")

    def open(self, width: int = 300, height: int = 300, **options: Any) -> None:
        """Show a drawn image with two bumps on its map; see harness.js."""
        self.size_wh = (width, height)
        self.page.evaluate("options => harness.open(options)", {"width": width, "height": height, **options})

    def control(self, name: str) -> Locator:
        return self.page.get_by_test_id(name)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def set_number(self, name: str, value: float) -> None:
        """Type a number beside a slider, and give the keys back to the editor."""
        field = self.control(f"{name}-number")
        field.fill(str(value))
        field.press("Enter")

    def image_box(self) -> tuple[float, float, float]:
        """Where the screen shows the image: left, top, and screen pixels per image pixel."""
        rect = self.page.evaluate(
            "(r => [r.x, r.y, r.width])(document.querySelector('.world').getBoundingClientRect())"
        )
        return rect[0], rect[1], rect[2] / self.size_wh[0]

    def on_screen(self, point: tuple[float, float]) -> tuple[float, float]:
        left, top, scale = self.image_box()
        return left + point[0] * scale, top + point[1] * scale

    def click(self, *points: tuple[float, float]) -> None:
        for point in points:
            self.page.mouse.click(*self.on_screen(point))

    def stroke(self, points: Points, steps: int = 6, button: Any = "left") -> None:
        mouse = self.page.mouse
        mouse.move(*self.on_screen(points[0]))
        mouse.down(button=button)
        for point in points[1:]:
            mouse.move(*self.on_screen(point), steps=steps)
        mouse.up(button=button)

    def path(self) -> list[list[tuple[int, int]]]:
        """Pixels under the pointer since `open`, one list a stroke, from the positions that the browser reported."""
        stage_left, stage_top = self.page.evaluate(
            "(r => [r.x, r.y])(document.querySelector('.stage').getBoundingClientRect())"
        )
        left, top, scale = self.image_box()
        strokes: list[list[tuple[int, int]]] = []
        for x, y, is_first in self.page.evaluate("harness.positions"):
            if is_first:
                strokes.append([])
            pixel = (x + stage_left - left) / scale, (y + stage_top - top) / scale
            strokes[-1].append((int(np.floor(pixel[0])), int(np.floor(pixel[1]))))
        return strokes

    def clicks(self, first: int, end: int) -> list[tuple[float, float]]:
        """Continuous image coordinates of the pointer where buttons went down since `open`."""
        stage_left, stage_top = self.page.evaluate(
            "(r => [r.x, r.y])(document.querySelector('.stage').getBoundingClientRect())"
        )
        left, top, scale = self.image_box()
        found = self.page.evaluate("harness.positions.filter(([, , isFirst]) => isFirst)")[first:end]
        return [((x + stage_left - left) / scale, (y + stage_top - top) / scale) for x, y, _ in found]

    def forget_path(self) -> None:
        self.page.evaluate("harness.positions.length = 0")

    def mask(self) -> Mask:
        width, height = self.size_wh
        mask = np.zeros(width * height, dtype=bool)
        for start, length in self.page.evaluate("harness.runs()"):
            mask[start : start + length] = True
        return mask.reshape(height, width)

    def map(self) -> NDArray[np.float32]:
        width, height = self.size_wh
        values = self.page.evaluate("Array.from(harness.editor.bench.annotation.map)")
        return np.asarray(values, dtype=np.float32).reshape(height, width)

    def requests(self) -> list[str]:
        found = self.page.evaluate(
            "harness.events.filter(({name}) => name === 'request').map(({detail}) => detail.action)"
        )
        return [str(action) for action in found]

    def value(self, expression: str) -> Any:
        """A member of the editor, such as `dirty` or `classes()`."""
        return self.page.evaluate(f"harness.editor.{expression}")


def stroke_mask(path: Sequence[tuple[int, int]], diameter: int, size_wh: tuple[int, int]) -> Mask:
    """Pixels whose centre is within half the diameter of the path between pixel centres; exact, in whole numbers."""
    width, height = size_wh
    found = np.zeros((height, width), dtype=bool)
    for (ax, ay), (bx, by) in zip(path, [*path[1:], path[-1]], strict=True):
        reach = diameter // 2 + 1
        x0, x1 = max(0, min(ax, bx) - reach), min(width, max(ax, bx) + reach + 1)
        y0, y1 = max(0, min(ay, by) - reach), min(height, max(ay, by) + reach + 1)
        if x0 >= x1 or y0 >= y1:
            continue
        ys, xs = np.mgrid[y0:y1, x0:x1].astype(np.int64)
        px, py, dx, dy = xs - ax, ys - ay, bx - ax, by - ay
        length2, along, across = dx * dx + dy * dy, px * dx + py * dy, px * dy - py * dx
        near_start = 4 * (px * px + py * py) <= diameter**2
        near_end = 4 * ((xs - bx) ** 2 + (ys - by) ** 2) <= diameter**2
        beside = (along > 0) & (along < length2) & (4 * across * across <= diameter**2 * length2)
        found[y0:y1, x0:x1] |= near_start | near_end | beside
    return found


def polygon_mask(corners: Points, size_wh: tuple[int, int]) -> Mask:
    """Pixels whose centre a ray to the left leaves an odd number of times."""
    width, height = size_wh
    ys, xs = np.mgrid[0:height, 0:width] + 0.5
    inside = np.zeros((height, width), dtype=bool)
    for (ax, ay), (bx, by) in zip(corners, [*corners[1:], corners[0]], strict=True):
        if ay == by:
            continue
        crosses = (ys >= min(ay, by)) & (ys < max(ay, by))
        inside ^= crosses & (ax + (ys - ay) * (bx - ax) / (by - ay) <= xs)
    return inside


Opener: TypeAlias = Callable[..., EditorPage]


@pytest.fixture(scope="module")
def files_url() -> Iterator[str]:
    with serve_repository() as url:
        yield url


@pytest.fixture
def opener(chromium: Browser, files_url: str) -> Iterator[Opener]:
    contexts: list[BrowserContext] = []
    pages: list[EditorPage] = []

    def open_page(ratio: float = 1.0, touch: bool = False) -> EditorPage:
        viewport = ViewportSize(width=1280, height=800)
        contexts.append(chromium.new_context(viewport=viewport, device_scale_factor=ratio, has_touch=touch))
        pages.append(EditorPage(contexts[-1].new_page(), files_url))
        return pages[-1]

    yield open_page
    for context in contexts:
        context.close()
    assert [complaint for page in pages for complaint in page.complaints] == []


@pytest.fixture
def editor(opener: Opener) -> EditorPage:
    page = opener()
    page.open()
    return page
