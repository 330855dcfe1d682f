"""The Teach tab as people use it, in a real Chromium; a fake model, and a worker process that learns nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page, ViewportSize, expect

from app.services.teaching_jobs import TeachingDesk
from app.store.errors import StoreError
from app.store.workspace import Workspace
from app.ui.engine import Engine
from app.ui.launch import Address, start
from models.loading import LoadedModel
from tests.app.fakes import FakeModel, loader, nowhere
from tests.app.ui.teach_fakes import FAKE_TEACH, add_version, corrected
from tests.browser.conftest import Visit, visiting
from tests.browser.test_inspect_page import upload

pytestmark = pytest.mark.browser

WORKER_MS = 60_000  # a process has to start on a busy machine


@dataclass(slots=True)
class Teaching:
    """An open page, its workspace, and the ways in which both are used."""

    visit: Visit
    workspace: Workspace
    folder: Path

    @property
    def page(self) -> Page:
        return self.visit.page

    def open(self) -> None:
        self.page.get_by_role("tab", name="Teach").click()

    def steps(self, number: int) -> None:
        """Say how many steps are taken, under the accordion."""
        field = self.page.locator("#teach-steps input")
        if not field.is_visible():
            self.page.locator("#teach-more button").first.click()
        field.fill(str(number))
        field.blur()

    def teach(self) -> None:
        self.page.locator("#teach-start:not([disabled])").click()

    def is_done(self) -> None:
        expect(self.page.locator("#teach-job .job.done")).to_be_visible(timeout=WORKER_MS)

    def told(self, where: str, text: str) -> None:
        expect(self.page.locator(f"#{where} textarea")).to_have_value(text)


@pytest.fixture
def teaching(chromium: Browser, tmp_path: Path) -> Iterator[Teaching]:
    heads = Engine(nowhere(), load=loader(FakeModel()), load_version=load_version)
    with Workspace.open(tmp_path / "workspace") as workspace:
        desk = TeachingDesk(workspace, nowhere(), "cpu", teach=FAKE_TEACH)
        page, url = start(heads, workspace, Address(port=None), desk)
        visits = visiting(chromium, url)
        yield Teaching(next(visits), workspace, tmp_path)
        for _ in visits:
            pass
        desk.close()
        page.close()


class DullModel(FakeModel):
    """What a version of the fake model sees: its maps, halved."""

    def layer_maps(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(H, W, 3) to (4, 37, 37)."""
        return FakeModel.layer_maps(self, rgb) / np.float32(2.0)


def load_version(preset: str, head: Path) -> LoadedModel:
    """A version's model, whatever its file holds."""
    return DullModel(checkpoint_digest=head.stem)  # type: ignore[return-value]


def test_the_first_screen_shows_what_there_is_the_button_and_the_state(teaching: Teaching) -> None:
    corrected(teaching.workspace, ["normal", "anomalous", "unsure", None])
    add_version(teaching.workspace, teaching.folder, taught={})
    teaching.page.reload()
    teaching.open()
    page = teaching.page
    expect(page.locator("#teach-counts p")).to_have_text("2 of 2 are new to the shipped head.")
    assert page.locator("#teach-counts li b").all_inner_texts() == ["1", "1", "0", "1"]
    for shown in ("#teach-counts", "#teach-mode", "#teach-start", "#teach-job", "#teach-metrics"):
        box = page.locator(shown).bounding_box()
        assert box is not None, shown
        assert box["y"] + box["height"] <= 768, shown
        assert box["x"] + box["width"] <= 1366, shown
    assert page.evaluate("document.documentElement.scrollWidth") <= 1366
    expect(page.locator("#suggestions button")).to_have_count(1)
    page.wait_for_timeout(1500)
    expect(page.locator(".toast-body")).to_have_count(0)
    assert teaching.visit.foreign_requests == []
    assert teaching.visit.complaints == []


def test_with_nothing_corrected_the_tab_says_so_and_leads_to_correct(teaching: Teaching) -> None:
    teaching.open()
    expect(teaching.page.locator("#teach-counts p")).to_contain_text("Correct a few pictures first")
    expect(teaching.page.locator("#teach-start")).to_be_disabled()
    teaching.page.locator("#teach-to-correct").click()
    expect(teaching.page.locator("#workbench .welcome")).to_be_visible()


def test_teaching_is_followed_to_its_version_which_is_used_rolled_back_and_deleted(teaching: Teaching) -> None:
    corrected(teaching.workspace, ["normal", "anomalous", "anomalous"])
    first = add_version(teaching.workspace, teaching.folder)
    teaching.open()
    page = teaching.page
    page.locator("#teach-versions input").first.check()
    page.locator("#version-activate").click()
    teaching.told("versions-told", "Version 1 is in use now, everywhere.")
    expect(page.locator("#masthead .engine")).to_contain_text("version 1")

    teaching.steps(10)
    teaching.teach()
    expect(page.locator("#teach-job .job.running svg.curve")).to_be_visible(timeout=WORKER_MS)
    expect(page.locator("#teach-cancel")).to_be_visible()
    teaching.is_done()
    expect(page.locator("#teach-cancel")).to_be_hidden()
    expect(page.locator("#teach-metrics h2")).to_have_text("Before and after: version 1 → version 2")
    expect(page.locator("#teach-metrics tbody tr").nth(3)).to_contain_text("+0.225")
    expect(page.locator("#teach-sheet img")).to_be_visible()
    expect(page.locator("#teach-use.primary")).to_be_visible()

    page.locator("#teach-use").click()
    teaching.told("teach-told", "Version 2 is in use now, everywhere.")
    expect(page.locator("#teach-versions tr", has_text="in use")).to_contain_text("version 2")
    page.locator("#version-roll-back").click()
    teaching.told("versions-told", "Rolled back: version 1 is in use now.")
    expect(page.locator("#teach-versions tr", has_text="in use")).to_contain_text("version 1")
    assert teaching.workspace.versions.active(first.preset) == first.id

    page.locator("#version-delete").click()
    teaching.told("versions-told", "Press once more to delete version 2 for good.")
    page.locator("#version-delete", has_text="Delete for good?").click()
    teaching.told("versions-told", "Version 2 is deleted.")
    expect(page.locator("#teach-versions tbody tr")).to_have_count(2)
    assert teaching.visit.complaints == []


def test_a_reload_in_mid_training_shows_how_far_it_is(teaching: Teaching) -> None:
    corrected(teaching.workspace, ["normal", "anomalous"])
    teaching.open()
    teaching.steps(40)
    teaching.teach()
    expect(teaching.page.locator("#teach-job .job.running svg.curve")).to_be_visible(timeout=WORKER_MS)
    teaching.page.reload()
    teaching.open()
    expect(teaching.page.locator("#teach-job .job.running svg.curve")).to_be_visible()
    share = int(teaching.page.locator("#teach-job .bar").get_attribute("aria-valuenow") or 0)
    assert share > 0
    teaching.page.locator("#teach-cancel").click()
    expect(teaching.page.locator("#teach-job .job.cancelled")).to_be_visible(timeout=WORKER_MS)
    expect(teaching.page.locator("#teach-resume")).to_be_visible()
    assert teaching.workspace.versions.list() == ()


def test_a_second_job_waits_and_can_be_taken_out(teaching: Teaching) -> None:
    corrected(teaching.workspace, ["normal", "anomalous"])
    teaching.open()
    teaching.steps(60)
    teaching.teach()
    expect(teaching.page.locator("#teach-job .job.running")).to_be_visible(timeout=WORKER_MS)
    teaching.teach()
    waiting = teaching.page.locator("#teach-job ol li")
    expect(waiting).to_have_count(1)
    waiting.get_by_role("button", name="Take out").click()
    expect(waiting).to_have_count(0)
    expect(teaching.page.locator("#teach-job .job.running")).to_be_visible()


def test_inspect_follows_the_version_in_use_when_it_is_opened_again(teaching: Teaching, cell: Path) -> None:
    add_version(teaching.workspace, teaching.folder)
    page = teaching.page
    upload(page, cell)
    first = page.locator("#verdict .number").inner_text()
    teaching.open()
    page.locator("#version-activate:not([disabled])").click()
    teaching.told("versions-told", "Version 1 is in use now, everywhere.")
    page.get_by_role("tab", name="Inspect").click()
    expect(page.locator("#verdict .number")).not_to_have_text(first)
    teaching.open()
    page.locator("#version-roll-back:not([disabled])").click()
    teaching.told("versions-told", "Rolled back: the shipped head is in use now.")
    page.get_by_role("tab", name="Inspect").click()
    expect(page.locator("#verdict .number")).to_have_text(first)


def test_two_versions_are_compared_on_a_picture_and_one_is_downloaded(teaching: Teaching) -> None:
    corrected(teaching.workspace, [None])
    version = add_version(teaching.workspace, teaching.folder)
    teaching.open()
    page = teaching.page
    page.locator("#compare-image input").click()
    page.get_by_role("option", name="part 0.png").click()
    page.locator("#compare-draw").click()
    expect(page.locator("#compare-sheet img")).to_be_visible()
    with page.expect_download() as download:
        page.locator("#version-export:not([disabled])").click()
    path = teaching.folder / "exported.safetensors"
    download.value.save_as(path)
    assert path.read_bytes() == teaching.workspace.versions.path(version.id).read_bytes()


def test_a_version_comes_in_from_a_file(teaching: Teaching) -> None:
    with Workspace.open(teaching.folder / "other") as other:
        version = add_version(other, teaching.folder)
        path = other.versions.export(version.id, teaching.folder)
    teaching.open()
    with teaching.page.expect_file_chooser() as chooser:
        teaching.page.locator("#version-import").click()
    chooser.value.set_files(str(path))
    teaching.told("versions-told", "Imported as version 1; it is not in use until you activate it.")
    expect(teaching.page.locator("#teach-versions tbody tr")).to_have_count(2)


def test_a_picture_to_label_next_is_opened_in_correct(teaching: Teaching) -> None:
    corrected(teaching.workspace, ["normal", None, None])
    teaching.open()
    page = teaching.page
    buttons = page.locator("#suggestions button")
    expect(buttons).to_have_count(2)
    name = buttons.nth(1).locator("b").inner_text()
    buttons.nth(1).click()
    expect(page.locator("#workbench .image-name")).to_have_text(name)


def test_what_people_call_things_is_never_run_as_markup(teaching: Teaching) -> None:
    nasty = "<img src=x onerror=document.title='run'>${document.title='run'}{{value}}"
    (digest,) = corrected(teaching.workspace, ["normal"])
    data = teaching.workspace.image_bytes(digest) + b"\0"
    teaching.workspace.add_image(data, f"{nasty}.png", author="Ann")
    add_version(teaching.workspace, teaching.folder, author=nasty)
    teaching.open()
    expect(teaching.page.locator("#suggestions b")).to_have_text(f"{nasty}.png")
    expect(teaching.page.locator("#teach-versions .who").first).to_have_text(nasty)
    assert "run" not in teaching.page.title()
    assert teaching.visit.complaints == []


def test_without_a_workspace_the_tab_says_why(chromium: Browser) -> None:
    page, url = start(Engine(nowhere(), load=loader(FakeModel())), StoreError("/w is a file."), Address(port=None))
    context = chromium.new_context(viewport=ViewportSize(width=1366, height=768))
    opened = context.new_page()
    opened.goto(url)
    opened.get_by_role("tab", name="Teach").click()
    expect(opened.locator("#teach-problem textarea")).to_have_value(
        "/w is a file.\nInspect works as ever; Teach needs a workspace. Choose its folder with --workspace."
    )
    context.close()
    page.close()
