"""A folder goes into the workspace through the page with its structure, so that annotations find their pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, ViewportSize, expect

from app.ui.engine import Engine
from tests.app.fakes import FakeModel, loader, nowhere
from tests.browser.correct_page import Hands, Site, digest_of, open_hands, site_of

pytestmark = pytest.mark.browser

SIZE_HW = (60, 80)
INPUT: Final = "#import-folder input[type=file]"
TOAST: Final = ".toast-body"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_of(Engine(nowhere(), load=loader(FakeModel())), tmp_path / "workspace") as site:
        yield site


@pytest.fixture
def hands(chromium: Browser, site: Site) -> Iterator[Hands]:
    context = chromium.new_context(viewport=ViewportSize(width=1366, height=900))
    hands = open_hands(context.new_page(), site.url)
    hands.open_tab()
    expect(hands.page.locator("#import-folder button")).to_be_enabled()
    yield hands
    context.close()
    assert hands.complaints == []


def picture(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (*SIZE_HW, 3), dtype=np.uint8)).save(path)
    return path


def scattered(seed: int) -> NDArray[np.bool_]:
    return np.random.default_rng(seed).random(SIZE_HW) < 0.3


def truth(path: Path, mask: NDArray[np.bool_]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask.astype(np.uint8) * 255).save(path)


def test_mvtec_folders_become_annotations_although_their_pictures_have_the_same_names(
    site: Site, hands: Hands, tmp_path: Path
) -> None:
    category = tmp_path / "Größe 7"
    good = picture(category / "test" / "good" / "000.png", 1)
    crack = picture(category / "test" / "crack" / "000.png", 2)
    hole = picture(category / "test" / "hole" / "000.png", 3)
    truth(category / "ground_truth" / "crack" / "000_mask.png", scattered(4))
    truth(category / "ground_truth" / "hole" / "000_mask.png", scattered(5))
    (category / ".DS_Store").write_bytes(b"of a system")

    hands.page.set_input_files(INPUT, category)

    expect(hands.page.locator("#correct-status").locator("input, textarea")).to_have_value(
        "Import: 3 added, 3 annotations taken in."
    )
    for path, mask in ((crack, scattered(4)), (hole, scattered(5))):
        np.testing.assert_array_equal(site.stored(digest_of(path)), mask)
    (revision,) = site.history(digest_of(crack))
    assert (revision.label, {region.defect_class for region in revision.regions}) == ("anomalous", {"crack"})
    assert [revision.label for revision in site.history(digest_of(good))] == ["normal"]
    hands.is_open("000.png")  # the queue was read again


def test_the_button_opens_the_browser_s_choice_of_a_folder_by_mouse_and_by_key(
    site: Site, hands: Hands, tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    only = picture(folder / "line 1" / "a.png", 1)
    button = hands.page.locator("#import-folder button")

    button.focus()
    with hands.page.expect_file_chooser() as by_key:
        hands.press("Enter")
    by_key.value.set_files(folder)
    status = hands.page.locator("#correct-status").locator("input, textarea")
    expect(status).to_have_value("Import: 1 added.")
    with hands.page.expect_file_chooser() as by_mouse:
        button.click()
    by_mouse.value.set_files(folder)

    expect(status).to_have_value("Import: 0 added, 1 known already.")
    assert site.history(digest_of(only)) == []


@pytest.mark.parametrize("names", [[], [".DS_Store"]])
def test_a_folder_without_files_is_one_sentence(hands: Hands, tmp_path: Path, names: list[str]) -> None:
    folder = tmp_path / "nothing"
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(b"of a system")

    hands.page.set_input_files(INPUT, folder)

    expect(hands.page.locator(TOAST)).to_contain_text("There is no file in that folder, hidden ones aside;")
    expect(hands.page.locator("#import-folder button")).to_have_text("Import a folder")


def test_a_choice_of_nothing_is_noted_in_passing(hands: Hands) -> None:
    button = hands.page.locator("#import-folder button")

    hands.page.dispatch_event(INPUT, "cancel")

    expect(button).to_have_text("No files chosen")
    expect(button).to_have_text("Import a folder")


def test_too_large_a_folder_is_refused_before_it_is_uploaded(hands: Hands, tmp_path: Path) -> None:
    folder = tmp_path / "large"
    folder.mkdir()
    with (folder / "a.tiff").open("wb") as file:
        file.truncate(2_000_000_000)  # takes no room on the disk
    sent: list[str] = []
    hands.page.on("request", lambda request: sent.append(request.url) if "/upload" in request.url else None)

    hands.page.set_input_files(INPUT, folder)

    expect(hands.page.locator(TOAST)).to_contain_text("takes 2.1 GB, and at most 2 GB are taken at once")
    assert sent == []


def test_progress_is_told_and_a_failed_upload_leaves_the_button_ready(hands: Hands, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    picture(folder / "a.png", 1)
    told = hands.page.evaluate_handle("""() => {
        const button = document.querySelector('#import-folder button'), told = [];
        new MutationObserver(() => told.push(button.textContent)).observe(button, {childList: true});
        return told;
    }""")
    hands.page.route("**/upload*", lambda route: route.fulfill(status=500, body="broken"))

    hands.page.set_input_files(INPUT, folder)

    expect(hands.page.locator(TOAST, has_text="The folder did not arrive")).to_contain_text(
        "nothing of it was imported"
    )
    assert told.json_value() == ["Packing 0 of 1 …", "Uploading …", "Import a folder"]
    hands.page.unroute("**/upload*")
    hands.complaints.clear()  # the browser's own, of the answer 500
    hands.page.set_input_files(INPUT, folder)
    expect(hands.page.locator("#correct-status").locator("input, textarea")).to_have_value("Import: 1 added.")


def test_the_button_looks_like_the_one_beside_it(hands: Hands) -> None:
    looks = hands.page.evaluate("""() => ['import-files', 'import-folder'].map((id) => {
        const place = document.getElementById(id);
        const button = place.tagName === 'BUTTON' ? place : place.querySelector('button');
        const style = getComputedStyle(button), box = button.getBoundingClientRect();
        const names = ['color', 'backgroundColor', 'borderTopColor', 'borderTopWidth', 'borderTopLeftRadius',
            'fontFamily', 'fontSize', 'fontWeight', 'lineHeight', 'paddingLeft', 'boxShadow', 'cursor', 'whiteSpace'];
        return {...Object.fromEntries(names.map((name) => [name, style[name]])), top: box.top, height: box.height};
    })""")

    assert looks[0] == looks[1]
    assert hands.page.evaluate("document.getElementById('import-folder').getBoundingClientRect().width") == 120
