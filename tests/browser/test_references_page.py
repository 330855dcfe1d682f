"""Reference pictures on the page, in a real Chromium; with fakes, and once with the real engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from app.config import AppConfig
from app.services.proposing import references_in
from app.store.records import NewRevision
from app.store.workspace import Workspace
from app.ui.engine import Engine
from app.ui.launch import Address, start
from models.registry import DEFAULT_PRESET, PRESETS
from models.status import preset_status
from tests.app.fakes import FakeModel
from tests.app.reference_fakes import FakeDescriber, compared_engine
from tests.app.ui.reference_pictures import drawn
from tests.browser.conftest import Visit, visiting
from tests.browser.references_page import drop, open_panel, score_of, shown_pictures
from tests.browser.test_daclip_page import shown_map
from tests.browser.test_inspect_page import score, set_slider, upload

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def fakes() -> tuple[FakeModel, FakeDescriber]:
    return FakeModel(), FakeDescriber()


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with Workspace.open(tmp_path_factory.mktemp("workspace")) as opened:
        yield opened


@pytest.fixture(scope="module")
def references_url(fakes: tuple[FakeModel, FakeDescriber], workspace: Workspace) -> Iterator[str]:
    page, url = start(compared_engine(*fakes), workspace, Address(port=None))
    yield url
    page.close()


@pytest.fixture
def visit(chromium: Browser, references_url: str) -> Iterator[Visit]:
    yield from visiting(chromium, references_url)


@pytest.fixture
def spotted(tmp_path: Path) -> Path:
    return Path(drawn(tmp_path, "spotted.png", 204, spot=20))


@pytest.fixture
def normals(tmp_path: Path) -> list[str]:
    return [drawn(tmp_path, f"grey {level}.png", level) for level in (200, 204, 208)]


def test_dropping_normals_compares_at_once_and_removing_them_brings_the_first_result_back(
    visit: Visit, spotted: Path, normals: list[str]
) -> None:
    page = visit.page
    upload(page, spotted)
    first = score(page), shown_map(page)
    expect(page.locator("#zero-shot-map")).to_have_count(0)
    open_panel(page)

    drop(page, normals)

    expect(page.locator("#verdict .how")).to_contain_text("Compared with 3 normal pictures")
    expect(page.locator("#references > button")).to_contain_text("Normal pictures for reference: 3")
    expect(page.locator("#zero-shot-map img")).to_be_visible()
    expect(page.locator("#reference-map img")).to_be_visible()
    expect(page.locator("#references-say")).to_contain_text("nearest patch of 3 normal pictures")
    assert shown_pictures(page) == ["grey 200.png", "grey 204.png", "grey 208.png"]
    assert score(page) != first[0]
    assert shown_map(page) != first[1]

    page.locator("#reference-list li").first.hover()
    page.locator("#reference-list li button").first.click()
    expect(page.locator("#verdict .how")).to_contain_text("Compared with 2 normal pictures")
    page.get_by_role("button", name="Remove all").click()

    expect(page.locator("#verdict .how")).not_to_contain_text("Compared with")
    expect(page.locator("#zero-shot-map")).to_have_count(0)
    assert (score(page), shown_map(page)) == first
    assert visit.complaints == []
    assert visit.foreign_requests == []


def test_the_weight_goes_from_one_source_to_the_other_without_a_forward_pass(
    visit: Visit, fakes: tuple[FakeModel, FakeDescriber], spotted: Path, normals: list[str]
) -> None:
    page = visit.page
    upload(page, spotted)
    open_panel(page)
    drop(page, normals)
    expect(page.locator("#verdict .how")).to_contain_text("Compared with 3 normal pictures")
    by_rule = score(page)
    calls = [fake.calls for fake in fakes]

    set_slider(page, "reference-weight", "1")
    expect(page.locator("#verdict .how")).to_contain_text("which count 100 %")
    assert score(page) == score_of(page, "reference-map")
    set_slider(page, "reference-weight", "0")
    expect(page.locator("#verdict .how")).to_contain_text("which count 0 %")
    assert score(page) == score_of(page, "zero-shot-map")
    page.locator("#reference-rule").click()
    expect(page.locator("#verdict .number")).to_have_text(by_rule)

    assert [fake.calls for fake in fakes] == calls


def test_what_is_wrong_with_references_is_said_and_the_rest_is_used(
    visit: Visit, spotted: Path, normals: list[str], tmp_path: Path
) -> None:
    page = visit.page
    upload(page, spotted)
    open_panel(page)
    broken = tmp_path / "broken&amp;.png"
    broken.write_bytes(b"no picture")
    wide = drawn(tmp_path, "wide.png", 204, size_hw=(56, 168))

    drop(page, [*normals[:2], broken, wide, str(spotted)])

    expect(page.locator("#verdict .how")).to_contain_text("Compared with 4 normal pictures")
    expect(page.locator("#reference-list .told")).to_contain_text("broken&amp;.png is not a picture in a known format")
    expect(page.locator("#references-say")).to_contain_text("spotted.png is the inspected picture too")
    expect(page.locator("#references-say")).to_contain_text("wide.png has another aspect")
    many = [drawn(tmp_path, f"many {level}.png", level) for level in range(30)]
    drop(page, many)
    expect(page.locator(".toast-body")).to_contain_text("4 and 30 more are 34 normal pictures; 32 can be used")
    assert len(shown_pictures(page)) == 4


def test_the_nearest_patch_says_what_it_needs_and_goes_when_its_references_go(
    visit: Visit, spotted: Path, normals: list[str]
) -> None:
    page = visit.page
    upload(page, spotted)
    first = score(page), shown_map(page)

    page.locator("#method label", has_text="Nearest patch").click()
    expect(page.locator(".toast-body")).to_contain_text("Nearest patch needs reference pictures")
    expect(page.locator("#method label.selected")).to_have_text("VisualAD")

    open_panel(page)
    drop(page, normals)
    expect(page.locator("#verdict .how")).to_contain_text("which count")
    page.locator("#method label", has_text="Nearest patch").click()
    expect(page.locator("#references-say")).to_contain_text("The distance to 3 normal pictures alone decides")
    expect(page.locator("#zero-shot-map")).to_have_count(0)
    expect(page.locator("#reference-map")).to_have_count(0)

    page.get_by_role("button", name="Remove all").click()
    expect(page.locator("#method label.selected")).to_have_text("VisualAD")
    expect(page.locator("#verdict .how")).not_to_contain_text("Compared")
    assert (score(page), shown_map(page)) == first


def test_references_are_one_visitors_own(
    visit: Visit, chromium: Browser, references_url: str, spotted: Path, normals: list[str]
) -> None:
    upload(visit.page, spotted)
    open_panel(visit.page)
    drop(visit.page, normals)
    expect(visit.page.locator("#verdict .how")).to_contain_text("Compared with 3")

    for other in visiting(chromium, references_url):
        upload(other.page, spotted)
        expect(other.page.locator("#verdict .how")).not_to_contain_text("Compared")
        open_panel(other.page)
        assert shown_pictures(other.page) == []


def test_the_workspaces_confirmed_normals_are_used_in_both_tabs(
    visit: Visit, workspace: Workspace, spotted: Path, normals: list[str]
) -> None:
    page = visit.page
    open_panel(page)
    expect(page.locator("#references-workspace")).to_contain_text("none yet")
    page.locator("#references-workspace").click()
    expect(page.locator(".toast-body")).to_contain_text("Nobody has called a picture of this workspace normal yet")
    for path in map(Path, normals):
        digest = workspace.add_image(path.read_bytes(), path.name, author="a").image.digest
        workspace.save(digest, NewRevision(label="normal", mask=None, author="a"))
    upload(page, spotted)
    page.locator("#references > button").click()
    open_panel(page)
    expect(page.locator("#references-workspace")).to_contain_text("(3)")

    page.locator("#references-workspace").click()

    expect(page.locator("#verdict .how")).to_contain_text("Compared with 3 normal pictures")
    assert shown_pictures(page) == ["grey 208.png", "grey 204.png", "grey 200.png"]

    digest = workspace.add_image(spotted.read_bytes(), spotted.name, author="a").image.digest
    page.get_by_role("tab", name="Correct").click()
    page.locator("#correct-preset input").click()
    page.get_by_role("option", name="With normals: VisualAD · DINOv2 ViT-S/14").click()
    expect(page.locator("#workbench .facts")).to_contain_text("score")
    proposals: list[tuple[str, ...]] = []
    for _ in range(60):
        newest = workspace.newest_proposal(digest)
        proposals.append(() if newest is None else references_in(newest.settings))
        if proposals[-1]:
            break
        page.wait_for_timeout(500)
    assert len(proposals[-1]) == 3
    expect(page.locator("#workbench .image-name")).to_have_text("spotted.png")
    expect(page.locator("#workbench .facts")).to_contain_text("with 3 confirmed normals")


@pytest.mark.slow
def test_three_normal_cells_show_the_cracks_of_a_fourth(chromium: Browser, tmp_path: Path, cell: Path) -> None:
    where = AppConfig.from_environment().location()
    status = preset_status(PRESETS[DEFAULT_PRESET], where)
    assert status.ready, status.how_to_get
    folder = cell.parent
    normal_cells = [folder / name for name in ("cell0509.png", "cell0518.png", "cell0519.png")]
    with Workspace.open(tmp_path / "workspace") as workspace:
        served, url = start(Engine(where, "cpu"), workspace, Address(port=None))
        for visit in visiting(chromium, url):
            page = visit.page
            upload(page, cell)
            first = score(page), shown_map(page)
            open_panel(page)
            drop(page, normal_cells)
            expect(page.locator("#verdict .how")).to_contain_text("Compared with 3", timeout=120_000)
            fused = score(page), shown_map(page)
            assert fused[0] != first[0]
            assert fused[1] != first[1]
            set_slider(page, "reference-weight", "1")
            expect(page.locator("#verdict .how")).to_contain_text("which count 100 %")
            assert score(page) == score_of(page, "reference-map")
            assert shown_map(page) not in {first[1], fused[1]}
            expect(page.locator("#zero-shot-map img")).to_be_visible()
            page.get_by_role("button", name="Remove all").click()
            expect(page.locator("#verdict .how")).not_to_contain_text("Compared")
            assert (score(page), shown_map(page)) == first
            assert (visit.foreign_requests, visit.complaints) == ([], [])
        served.close()
