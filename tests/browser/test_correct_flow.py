"""Ten images in a row, the way from Inspect, and two people in one workspace, on the real page with a fake model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Locator, ViewportSize, expect

from app.store.workspace import Workspace
from app.ui.engine import Engine
from tests.app.fakes import FakeModel, loader, nowhere
from tests.browser.correct_page import Hands, Site, changed_pixels, digest_of, open_hands, site_of
from tests.browser.test_inspect_page import upload

pytestmark = pytest.mark.browser

SIZE_WH = (120, 90)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_of(Engine(nowhere(), load=loader(FakeModel())), tmp_path / "workspace") as site:
        yield site


@pytest.fixture
def visitor(chromium: Browser, site: Site) -> Iterator[Callable[[], Hands]]:
    """Another person with a browser of their own, which remembers nothing yet."""
    contexts: list[BrowserContext] = []
    everyone: list[Hands] = []

    def arrive() -> Hands:
        contexts.append(chromium.new_context(viewport=ViewportSize(width=1366, height=900)))
        everyone.append(open_hands(contexts[-1].new_page(), site.url))
        return everyone[-1]

    yield arrive
    assert [complaint for hands in everyone for complaint in hands.complaints] == []
    for context in contexts:
        context.close()


def part(folder: Path, number: int = 0) -> Path:
    """A light picture with a dark blot, at another place for every number."""
    rgb = np.full((SIZE_WH[1], SIZE_WH[0]), 240, dtype=np.uint8)
    rgb[20:50, 10 + 7 * number : 30 + 7 * number] = 10
    path = folder / f"part_{number:02d}.png"
    Image.fromarray(rgb).save(path)
    return path


def bar(hands: Hands, text: str) -> Locator:
    return hands.page.locator("#workbench .bar", has_text=text)


def call_oneself(hands: Hands, name: str) -> None:
    """Fill in the author, and give the keys back to the editor."""
    author = hands.page.get_by_label("Author")
    author.fill(name)
    author.press("Escape")


def test_ten_images_take_at_most_two_clicks_or_keys_each_besides_painting(
    site: Site, visitor: Callable[[], Hands], tmp_path: Path
) -> None:
    names = {path.name: site.add(path) for path in (part(tmp_path, number) for number in range(10))}
    hands = visitor()
    expected = {}
    assert hands.count == 0

    hands.open_tab()
    for name in sorted(names, reverse=True):  # the newest is opened first
        hands.is_open(name)
        places = [(15.0, 70.0), (60.0, 75.0), (100.0, 70.0)]
        path = hands.stroke(places)
        expected[name] = path
        hands.press("Enter")
    hands.status("Anomalous, revision 1")

    assert hands.count == 11
    assert hands.count <= 2 * len(names)
    for name, digest in names.items():
        stored, proposed = site.stored(digest), site.proposed(digest)
        assert all(stored[y, x] for x, y in expected[name])
        assert (stored & ~proposed).sum() > 500
        assert not (proposed & ~stored).any()
        assert [revision.number for revision in site.history(digest)] == [1]


def test_correct_this_opens_the_inspected_picture_in_the_workbench(
    site: Site, visitor: Callable[[], Hands], tmp_path: Path
) -> None:
    site.add(part(tmp_path, 1))
    path = part(tmp_path, 2)
    hands = visitor()
    upload(hands.page, path)

    hands.click(hands.page.locator("#correct-this"))
    hands.is_open("part_02.png")
    proposed = site.proposed(digest_of(path))
    expected = hands.draws([("b", 9, [(20.0, 70.0), (80.0, 75.0)])], proposed)
    hands.press("Control+s")
    hands.status("Anomalous, revision 1")

    assert proposed.any()
    assert changed_pixels(site.stored(digest_of(path)), expected) == 0


def test_two_people_see_each_others_saves_and_both_revisions_stay(
    site: Site, visitor: Callable[[], Hands], tmp_path: Path
) -> None:
    digest = site.add(part(tmp_path))
    people = {"Ada": visitor(), "Ben": visitor()}
    ada, ben = people.values()
    expected = []
    for number, (name, hands) in enumerate(people.items()):
        hands.open_tab()
        hands.is_open("part_00.png")
        call_oneself(hands, name)
        stroke = ("b", 9, [(20.0, 60.0 + 10 * number), (80.0, 65.0 + 10 * number)])
        expected.append(hands.draws([stroke], site.proposed(digest)))

    ada.press("Control+s")
    ada.status("Anomalous, revision 1")
    expect(bar(ben, "Ada saved revision 1 of this image at")).to_be_visible()
    expect(ben.page.locator("#workbench .row.current")).to_contain_text("Ada")
    ben.press("Control+s")

    expect(bar(ben, "Ada saved revision 1 while you worked; both are kept; yours is newest.")).to_be_visible()
    expect(bar(ada, "Ben saved revision 2 of this image at")).to_be_visible()
    expect(ada.page.locator("#workbench .row.current")).to_contain_text("Ben")
    history = site.history(digest)
    assert [(revision.number, revision.author, revision.based_on) for revision in history] == [
        (1, "Ada", 0),
        (2, "Ben", 0),
    ]
    assert [changed_pixels(site.stored(digest, number), expected[number - 1]) for number in (1, 2)] == [0, 0]
    assert changed_pixels(*expected) > 0


def test_uploads_and_unsaved_work_of_one_person_are_not_seen_by_another(
    site: Site, visitor: Callable[[], Hands], tmp_path: Path
) -> None:
    digest = site.add(part(tmp_path))
    ada, ben = visitor(), visitor()
    private = part(tmp_path, 5)
    upload(ada.page, private)
    ada.open_tab()
    ada.is_open("part_00.png")
    painted = ada.draws([("b", 9, [(20.0, 70.0), (80.0, 75.0)])], site.proposed(digest))
    ada.status("Unsaved, kept in this browser")

    expect(ben.page.locator("#verdict .verdict:not(.empty)")).to_have_count(0)
    ben.open_tab()
    ben.is_open("part_00.png")
    ben.press("Control+s")
    ben.status("Anomalous, revision 1")

    expect(ben.page.locator("#workbench .bar")).to_have_count(0)
    expect(ben.page.locator("#workbench .queue .row")).to_have_count(1)
    assert changed_pixels(site.stored(digest), site.proposed(digest)) == 0
    assert changed_pixels(painted, site.proposed(digest)) > 0
    with Workspace.open(site.folder, create=False) as workspace:
        assert [image.digest for image in workspace.images()] == [digest]


def test_a_region_of_the_list_is_dropped(site: Site, visitor: Callable[[], Hands], tmp_path: Path) -> None:
    digest = site.add(part(tmp_path))
    hands = visitor()
    hands.open_tab()
    hands.is_open("part_00.png")
    kept = hands.draws([("b", 9, [(20.0, 80.0), (50.0, 82.0)])], np.zeros(SIZE_WH[::-1], dtype=np.bool_))

    hands.click(hands.page.get_by_role("button", name="Drop region 1"))
    hands.press("Control+s")
    hands.status("Anomalous, revision 1")

    assert site.proposed(digest).sum() > kept.sum() > 0  # the list begins with the largest
    assert changed_pixels(site.stored(digest), kept) == 0
