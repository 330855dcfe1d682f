"""How long a person waits at the workbench: the page in a real Chromium, with a temporary workspace behind it.

What is timed is done with real pointer events and keys; `workbench_clock.js` holds the clocks.
"""

from __future__ import annotations

import io
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image

from app.commands.page import browsed, served
from app.services.bench import Spread, spread
from app.store.workspace import Workspace
from models.evaluation.synthetic import held_out_samples

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from app.ui.engine import Engine

BRUSHES_PX: Final = (24, 120)
_MOVES: Final = 48  # pointer events of a stroke
_SETTLED_MS: Final = 800  # regions are counted and drafts kept within this time after a step
_FIRST_PLACE, _LAST_PLACE = 300, 700  # where the threshold's slider is moved between, in thousandths of its track
_ASPECT: Final = 1.5
_TITLES: Final = MappingProxyType({
    "opening": "opening: the server's answer to drawn",
    "stroke_24_event": "brush 24 px: script per pointer event",
    "stroke_24_frame": "brush 24 px: script of the frame after it",
    "stroke_24_pause": "brush 24 px: longest pause after a stroke",
    "stroke_120_event": "brush 120 px: script per pointer event",
    "stroke_120_frame": "brush 120 px: script of the frame after it",
    "stroke_120_pause": "brush 120 px: longest pause after a stroke",
    "threshold": "threshold moved",
    "fill_holes": "fill holes",
    "grow": "grow by 2 px",
    "wand": "wand",
    "undo": "undo",
    "save": "save: key to the server's answer",
    "next": "save and next: key to the next image drawn",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingTime:
    """How long one kind of action takes, in seconds."""

    name: str
    title: str
    count: int  # how many were timed
    seconds: Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkbenchReport:
    """All waiting times at one size of picture; wand and threshold are missing where no model proposed."""

    size_wh: tuple[int, int]  # pixels
    device_pixel_ratio: float
    engine: str  # what proposed
    browser: str
    times: tuple[WaitingTime, ...]


def time_workbench(
    engine: Engine, megapixels: float, *, device_pixel_ratio: float = 1.0, repeats: int = 9
) -> WorkbenchReport:
    """Correct synthetic pictures as a person would, and time it.

    Args:
        engine: what proposes.
        megapixels: size of a picture.
        device_pixel_ratio: pixels of the screen per CSS pixel.
        repeats: how often each thing is done, 1 or more; one picture more than that is made.
    Raises:
        ExpectedError: there is no Chromium or no playwright, or the page does not answer.
    """
    size_wh = size_of(megapixels)
    clock = Path(__file__).with_name("workbench_clock.js").read_text(encoding="utf-8")
    with TemporaryDirectory(prefix="oddity-") as folder, Workspace.open(Path(folder)) as workspace:
        for number, data in enumerate(_pictures(size_wh, repeats + 1)):
            workspace.add_image(data, f"{number}.jpg", author="bench")
        with (
            served(engine, workspace) as url,
            browsed(url, device_pixel_ratio=device_pixel_ratio, script=clock) as page,
        ):
            times = _Sitting(page, repeats).times()
            browser = page.context.browser
            assert browser is not None, "the page is of a browser that was launched"
            name = f"Chromium {browser.version}"
    return WorkbenchReport(
        size_wh=size_wh,
        device_pixel_ratio=device_pixel_ratio,
        engine=engine.status.text,
        browser=name,
        times=tuple(
            WaitingTime(name=name, title=title, count=len(times[name]), seconds=spread(times[name]))
            for name, title in _TITLES.items()
            if name in times
        ),
    )


def size_of(megapixels: float) -> tuple[int, int]:
    """Width and height of a picture of so many million pixels, in a camera's proportions."""
    width = round(math.sqrt(megapixels * 1e6 * _ASPECT))
    return width, round(megapixels * 1e6 / width)


def _pictures(size_wh: tuple[int, int], count: int) -> Iterator[bytes]:
    """Anomalous pictures of the synthetic world with a camera's grain, as JPEG files."""
    width, height = size_wh
    grain = np.random.default_rng(0).integers(-8, 9, (256, 256, 1), dtype=np.int16)
    tiles = np.tile(grain, (math.ceil(height / 256), math.ceil(width / 256), 1))[:height, :width]
    samples = (sample for sample in held_out_samples(8 * count, seed=1, size_px=256) if sample.mask.any())
    for sample, _ in zip(samples, range(count), strict=False):
        smooth = np.asarray(Image.fromarray(sample.image).resize(size_wh, Image.Resampling.BICUBIC))
        file = io.BytesIO()
        Image.fromarray(np.clip(smooth + tiles, 0, 255).astype(np.uint8)).save(file, format="JPEG", quality=92)
        yield file.getvalue()


class _Sitting:
    """One person's way through the pictures."""

    def __init__(self, page: Page, repeats: int) -> None:
        self._page = page
        self._repeats = repeats
        self._times: defaultdict[str, list[float]] = defaultdict(list)  # in seconds

    def times(self) -> dict[str, list[float]]:
        """Go through all of them; in seconds by the names of `_TITLES`."""
        page = self._page
        page.get_by_role("tab", name="Correct").click()
        page.wait_for_selector("#workbench .image-name:not(:empty)")
        self._settle()
        for brush_px in BRUSHES_PX:
            self._strokes(brush_px)
        self._steps()
        self._saves()
        self._images()
        return dict(self._times)

    def _note(self, name: str, times_ms: Sequence[float]) -> None:
        self._times[name].extend(time_ms / 1000 for time_ms in times_ms)

    def _settle(self) -> None:
        """Wait until the page rests: nothing is asked of the server, the next image is there, the draft is kept."""
        self._page.wait_for_function("clock.isQuiet()")
        self._page.wait_for_timeout(_SETTLED_MS)

    def _stroke(self, number: int) -> None:
        """Paint a ring, which encloses a hole; each somewhere else."""
        left, top, width, height = self._page.evaluate(
            "(r => [r.x, r.y, r.width, r.height])(document.querySelector('#workbench .world').getBoundingClientRect())"
        )
        centre_x, centre_y = left + width * (0.2 + 0.6 * (number * 0.618 % 1)), top + height * 0.5
        turns = [2 * math.pi * move / _MOVES for move in range(_MOVES + 1)]
        points = [(centre_x + 0.2 * height * math.cos(a), centre_y + 0.2 * height * math.sin(a)) for a in turns]
        mouse = self._page.mouse
        mouse.move(*points[0])
        self._page.evaluate("clock.forget()")
        mouse.down()
        for point in points[1:]:
            mouse.move(*point)
        mouse.up()

    def _strokes(self, brush_px: int) -> None:
        page = self._page
        field = page.get_by_test_id("size-number")
        field.fill(str(brush_px))
        field.press("Enter")
        for number in range(self._repeats):
            self._stroke(number)
            pause_ms = page.evaluate("duration => clock.longestPause(duration)", _SETTLED_MS)
            events_ms, frames_ms = page.evaluate("[clock.events, [...clock.frames.values()]]")
            self._note(f"stroke_{brush_px}_event", events_ms)
            self._note(f"stroke_{brush_px}_frame", frames_ms)
            self._note(f"stroke_{brush_px}_pause", [pause_ms])

    def _steps(self) -> None:
        """What changes the whole mask at once; each is undone, so that the next finds the same mask."""
        peak = self._page.evaluate("clock.peak()")
        places = np.linspace(_FIRST_PLACE, _LAST_PLACE, self._repeats + 1).round().tolist()
        if peak is not None:
            self._note("threshold", self._page.evaluate("places => clock.drag('threshold', places)", places))
            self._undo()
        for _ in range(self._repeats):
            for name, control in (("fill_holes", "fill-holes"), ("grow", "grow")):
                self._note(name, [self._page.evaluate("control => clock.press(control)", control)])
                self._undo()
            if peak is not None:
                self._wand(peak)
                self._undo()

    def _wand(self, point: tuple[float, float]) -> None:
        page = self._page
        page.keyboard.press("w")
        page.mouse.move(*point)
        page.evaluate("clock.forget()")
        page.mouse.click(*point)
        page.wait_for_timeout(100)
        self._note("wand", [page.evaluate("Math.max(...clock.events) + Math.max(0, ...clock.frames.values())")])
        page.keyboard.press("b")

    def _undo(self) -> None:
        if self._page.get_by_test_id("undo").is_enabled():
            self._note("undo", [self._page.evaluate("clock.press('undo')")])

    def _saves(self) -> None:
        page = self._page
        for number in range(self._repeats):
            page.keyboard.press("e" if number % 2 else "b")  # else the ring would be there already
            self._stroke(0)
            self._settle()
            before = page.evaluate("clock.answered('save').length")
            page.keyboard.press("Control+s")
            page.wait_for_function("before => clock.answered('save').length > before", arg=before)
            self._note("save", [page.evaluate("clock.sinceKey('save')")])

    def _images(self) -> None:
        """Forward to images that were fetched ahead, then back to images that have to be asked for."""
        page = self._page
        page.keyboard.press("b")
        for number in range(self._repeats):
            self._stroke(number)
            self._settle()
            opened = self._press_and_wait("Enter")
            self._note("next", [opened["ready"] - opened["keyed"]])
        for _ in range(self._repeats):
            page.wait_for_function("clock.isQuiet()")
            opened = self._press_and_wait("Backspace")
            self._note("opening", [opened["ready"] - opened["call"]["answered"]])

    def _press_and_wait(self, key: str) -> dict[str, Any]:
        self._page.evaluate("clock.watch()")
        self._page.keyboard.press(key)
        opened: dict[str, Any] = self._page.evaluate("clock.ready")
        return opened
