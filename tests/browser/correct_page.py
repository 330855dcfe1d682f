"""The Correct tab of the real page under real hands, and what they should leave in the workspace."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from playwright.sync_api import Locator, Page, expect

from app.store.records import Revision
from app.store.workspace import Workspace
from app.ui.engine import Engine
from app.ui.launch import Address, start
from models.data.pictures import load_picture
from tests.browser.editor_page import Mask, Points, stroke_mask

_FROM_AN_EDGE: Final = 1e-3  # of a pixel: no test depends on which of two pixels its border belongs to


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """A served page and its workspace's folder."""

    url: str
    folder: Path

    def stored(self, digest: str, number: int | None = None) -> Mask:
        """The mask of a revision, the newest one by default, as somebody else reads it from the folder."""
        with Workspace.open(self.folder, create=False) as workspace:
            revision = workspace.newest(digest) if number is None else workspace.revision(digest, number)
            assert revision is not None
            assert revision.mask_digest is not None
            return workspace.mask(revision.mask_digest)

    def proposed(self, digest: str) -> Mask:
        """The mask of the newest proposal."""
        with Workspace.open(self.folder, create=False) as workspace:
            proposal = workspace.newest_proposal(digest)
            assert proposal is not None
            return workspace.mask(proposal.mask_digest)

    def history(self, digest: str) -> list[Revision]:
        """All revisions of an image, oldest first."""
        with Workspace.open(self.folder, create=False) as workspace:
            return list(reversed(workspace.history(digest)))

    def add(self, path: Path) -> str:
        """Put a picture into the workspace beside the page, and return its digest."""
        with Workspace.open(self.folder, create=False) as workspace:
            return workspace.add_image(path.read_bytes(), path.name, author="the line").image.digest


@contextmanager
def site_of(engine: Engine, folder: Path) -> Iterator[Site]:
    """Serve the page with a new workspace."""
    with Workspace.open(folder) as workspace:
        page, url = start(engine, workspace, Address(port=None))
        try:
            yield Site(url, folder)
        finally:
            page.close()


@dataclass(slots=True)
class Hands:
    """A mouse and a keyboard on one page.  Strokes are aimed in pixels of the image; clicks and keys are counted."""

    page: Page
    size_wh: tuple[int, int] = (0, 0)
    count: int = 0
    complaints: list[str] = field(default_factory=list)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.count += 1
            self.page.keyboard.press(key)

    def click(self, locator: Locator) -> None:
        self.count += 1
        locator.click()

    def open_tab(self) -> None:
        self.click(self.page.get_by_role("tab", name="Correct"))

    def upload(self, *paths: Path) -> None:
        """Import through the page's own button."""
        with self.page.expect_file_chooser() as chooser:
            self.click(self.page.locator("#import-files button, button#import-files"))
        chooser.value.set_files([str(path) for path in paths])

    def is_open(self, name: str) -> None:
        """Wait until an image may be worked on."""
        expect(self.page.locator("#workbench .image-name")).to_have_text(name)
        expect(self.page.locator("#workbench .oddity-editor")).to_have_attribute("aria-busy", "false")
        width, height = self.page.locator("#workbench .facts").inner_text().split(" px")[0].split(" × ")
        self.size_wh = int(width), int(height)

    def status(self, text: str) -> None:
        """Wait for words under the decisions, e.g. "Anomalous, revision 2" once that is at the server."""
        expect(self.page.locator("#workbench .status")).to_contain_text(text)

    def set_number(self, name: str, value: int) -> None:
        """Type a number beside a slider, and give the keys back to the editor."""
        number = self.page.get_by_test_id(f"{name}-number")
        number.fill(str(value))
        number.press("Enter")

    def image_on_screen(self) -> tuple[float, float, float]:
        """Where the screen shows the picture: left, top, and screen pixels a pixel."""
        x, y, width, height = self.page.evaluate(
            "(r => [r.x, r.y, r.width, r.height])(document.querySelector('.picture-layer').getBoundingClientRect())"
        )
        scale = width / self.size_wh[0]
        assert math.isclose(scale, height / self.size_wh[1], rel_tol=1e-5)
        return x, y, scale

    def stroke(self, points: Points, button: Any = "left") -> list[tuple[int, int]]:
        """Drag the mouse past some places of the image.

        Returns:
            The pixels that the screen showed under the pointer, worked out from where the picture was.
        """
        aimed = [self._aim(point) for point in points]
        mouse = self.page.mouse
        mouse.move(*aimed[0][0])
        mouse.down(button=button)
        for place, _ in aimed[1:]:
            mouse.move(*place)
        mouse.up(button=button)
        return [pixel for _, pixel in aimed]

    def _aim(self, point: tuple[float, float]) -> tuple[tuple[int, int], tuple[int, int]]:
        """A whole screen pixel near a place of the image that lies clearly within one of its pixels; and that one."""
        left, top, scale = self.image_on_screen()
        ends = []
        for border, along in ((left, point[0]), (top, point[1])):
            screen = round(border + along * scale)
            while not _FROM_AN_EDGE < ((screen - border) / scale) % 1 < 1 - _FROM_AN_EDGE:
                screen += 1
            ends.append((screen, math.floor((screen - border) / scale)))
        (screen_x, x), (screen_y, y) = ends
        return (screen_x, screen_y), (x, y)

    def draws(self, strokes: Sequence[tuple[str, int, Points]], mask: Mask) -> Mask:
        """Paint ("b") and erase ("e") with brushes of some diameters; returns what should become of a mask."""
        expected = mask.copy()
        for key, diameter, points in strokes:
            self.page.keyboard.press(key)
            self.set_number("size", diameter)
            path = self.stroke(points)
            under = line_mask(path, self.size_wh) if diameter == 1 else stroke_mask(path, diameter, self.size_wh)
            expected[under] = key == "b"
        return expected


def open_hands(page: Page, url: str) -> Hands:
    """Open the page, wait for the engine, and note what goes wrong in it."""
    hands = Hands(page)
    page.set_default_timeout(60_000)
    page.on("filechooser", lambda chooser: None)  # listened to from now on: a key is faster than a new listener
    page.on("pageerror", lambda error: hands.complaints.append(str(error)))
    page.on("console", lambda said: hands.complaints.append(said.text) if said.type == "error" else None)
    page.goto(url)
    page.wait_for_selector("#masthead .engine.ready")
    return hands


def line_mask(path: Sequence[tuple[int, int]], size_wh: tuple[int, int]) -> Mask:
    """A brush of one pixel: at every step along the longer side the nearest pixel; from two equally near the later."""
    width, height = size_wh
    found = np.zeros((height, width), dtype=bool)
    for one, other in itertools.pairwise(path):
        (ax, ay), (bx, by) = sorted((one, other), key=lambda pixel: pixel[1])
        steps = max(abs(bx - ax), by - ay)
        for step in range(steps + 1):
            along_x, along_y = (round_half_up(Fraction(step * side, max(1, steps))) for side in (abs(bx - ax), by - ay))
            x, y = ax + (along_x if bx >= ax else -along_x), ay + along_y
            if 0 <= x < width and 0 <= y < height:
                found[y, x] = True
    return found


def round_half_up(number: Fraction) -> int:
    return math.floor(number + Fraction(1, 2))


def digest_of(path: Path) -> str:
    """What names a picture in every workspace."""
    return load_picture(path).digest


def changed_pixels(one: Mask, other: Mask) -> int:
    return int(np.count_nonzero(one != other))
