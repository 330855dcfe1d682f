"""The Teach tab's handlers, called without a browser."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from app.services.annotating import Annotator
from app.services.teaching_jobs import TeachingDesk
from app.store.errors import StoreError
from app.store.workspace import Workspace
from app.ui.errors import ShownError, shows_errors
from app.ui.scratch import Scratch
from app.ui.teach_choices import mode_choices, modes_of, teachable
from app.ui.teach_handlers import DELETE, DELETE_REALLY, READ_ONLY, Followed, Seen, TeachDesk
from app.ui.teach_version_handlers import VersionDesk
from app.ui.teach_version_views import SHIPPED
from models.errors import DataError
from models.registry import DEFAULT_PRESET, PRESETS
from tests.app.fakes import FakeModel, fake_inspector, nowhere
from tests.app.ui.teach_fakes import FAKE_TEACH, add_version, corrected

TEXT_PRESET = "daclip-compact"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[TeachDesk]:
    with Workspace.open(tmp_path / "w") as workspace:
        teaching = TeachingDesk(workspace, nowhere(), "cpu", teach=FAKE_TEACH, poll_s=0.02)
        yield TeachDesk(Annotator(workspace, fake_inspector(FakeModel())), teaching, Scratch())
        teaching.close()


@pytest.fixture
def versions(desk: TeachDesk) -> VersionDesk:
    return VersionDesk(desk)


def value_of(update: Any, name: str) -> Any:
    return update[name]


def is_skip(update: Any) -> bool:
    return bool(update == gr.skip())


def follow_until_done(desk: TeachDesk) -> list[Followed]:
    """Follow as a page does, until nothing is under way."""
    seen, chosen, looks = Seen(), "", list[Followed]()
    give_up_s = time.monotonic() + 60
    while time.monotonic() < give_up_s:
        looks.append(desk.follow(DEFAULT_PRESET, seen, chosen))
        seen = seen if is_skip(looks[-1].seen) else looks[-1].seen
        chosen = chosen if is_skip(looks[-1].chosen) else looks[-1].chosen
        if looks[-1].job["tone"] in ("done", "failed", "cancelled"):
            return looks
        time.sleep(0.2)
    pytest.fail("it was not done in time")


def test_a_taught_version_is_seen_from_the_queue_to_the_list_and_chosen(desk: TeachDesk) -> None:
    corrected(desk.workspace, ["normal", "anomalous"])
    desk.follow(DEFAULT_PRESET, Seen(), "")
    desk.teach(DEFAULT_PRESET, "quick", False, 3, "Ann")
    looks = follow_until_done(desk)
    (version,) = desk.workspace.versions.list()
    assert looks[0].job["badge"] in ("Waiting", "Teaching")
    assert looks[-1].job["badge"] == "Done"
    assert looks[-1].job["curve"]["last"] == "step 2"
    assert looks[-1].chosen == version.id
    assert looks[-1].finished == version.id
    assert value_of(looks[0].cancel, "visible") is True
    assert value_of(looks[-1].cancel, "visible") is False


def test_the_request_carries_every_setting(desk: TeachDesk) -> None:
    desk.teach(DEFAULT_PRESET, "full", True, 40.0, "Ann")
    request = desk.teaching.jobs()[0].request
    assert (request.preset, request.mode, request.flips, request.steps, request.author) == (
        DEFAULT_PRESET, "full", True, 40, "Ann",
    )  # fmt: skip
    assert request.activate is False


@pytest.mark.parametrize(
    ("preset", "mode", "steps", "sentence"),
    [
        (TEXT_PRESET, "full", None, "DA-CLIP cannot be taught that way"),
        (DEFAULT_PRESET, "other", None, "VisualAD cannot be taught that way"),
        (DEFAULT_PRESET, "quick", 0, "Steps must be from 1 to 10,000, or left empty; got 0."),
        (DEFAULT_PRESET, "quick", 20_000, "Steps must be from 1 to 10,000"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    desk: TeachDesk, preset: str, mode: str, steps: float | None, sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        desk.teach(preset, mode, False, steps, "")
    assert desk.teaching.jobs() == ()


def test_a_second_look_at_the_same_things_shows_nothing_anew(desk: TeachDesk) -> None:
    first = desk.follow(DEFAULT_PRESET, Seen(), "")
    second = desk.follow(DEFAULT_PRESET, first.seen, SHIPPED)
    assert first.chosen == SHIPPED
    assert is_skip(second.seen)
    assert is_skip(second.chosen)


def test_a_correction_is_something_new_to_show(desk: TeachDesk) -> None:
    first = desk.follow(DEFAULT_PRESET, Seen(), "")
    corrected(desk.workspace, ["normal"])
    second = desk.follow(DEFAULT_PRESET, first.seen, SHIPPED)
    assert not is_skip(second.seen)
    assert is_skip(second.chosen)


def test_a_waiting_job_is_taken_out_and_the_shown_one_is_cancelled(desk: TeachDesk) -> None:
    desk.teach(DEFAULT_PRESET, "quick", False, 100, "")
    desk.teach(DEFAULT_PRESET, "quick", False, 100, "")
    newer, older = desk.teaching.jobs()
    desk.cancel(newer.id)
    assert desk.workspace.jobs.get(newer.id).state == "cancelled"
    desk.cancel()
    assert desk.workspace.jobs.is_cancelled(older.id)


def test_cancelling_what_is_over_is_one_sentence(desk: TeachDesk) -> None:
    with pytest.raises(DataError, match="That is not being taught any more"):
        desk.cancel()


def test_a_cancelled_job_can_go_on(desk: TeachDesk) -> None:
    desk.teach(DEFAULT_PRESET, "quick", False, 100, "")
    desk.cancel()
    looks = follow_until_done(desk)
    assert value_of(looks[-1].resume, "visible") is True
    desk.resume()
    assert desk.teaching.jobs()[0].is_open


def test_nothing_corrected_leaves_the_button_off(desk: TeachDesk) -> None:
    assert value_of(desk.overview(DEFAULT_PRESET, "").teach, "interactive") is False
    corrected(desk.workspace, ["unsure"])
    assert value_of(desk.overview(DEFAULT_PRESET, "").teach, "interactive") is False
    corrected(desk.workspace, ["normal"])
    assert value_of(desk.overview(DEFAULT_PRESET, "").teach, "interactive") is True


@pytest.mark.parametrize(("better", "use", "keep"), [(True, "primary", "secondary"), (False, "secondary", "primary")])
def test_the_emphasised_button_follows_the_verdict(
    desk: TeachDesk, tmp_path: Path, better: bool, use: str, keep: str
) -> None:
    version = add_version(desk.workspace, tmp_path, better=better)
    overview = desk.overview(DEFAULT_PRESET, version.id)
    assert (value_of(overview.use, "variant"), value_of(overview.keep, "variant")) == (use, keep)


def test_a_version_that_is_gone_gives_way_to_the_newest(desk: TeachDesk, tmp_path: Path) -> None:
    version = add_version(desk.workspace, tmp_path)
    assert desk.overview(DEFAULT_PRESET, "f" * 64).chosen == version.id
    assert desk.overview(DEFAULT_PRESET, SHIPPED).chosen == SHIPPED


def test_the_version_in_use_can_be_rolled_back_but_not_deleted(
    desk: TeachDesk, versions: VersionDesk, tmp_path: Path
) -> None:
    version = add_version(desk.workspace, tmp_path)
    assert versions.activate(DEFAULT_PRESET, version.id, "Ann") == "Version 1 is in use now, everywhere."
    overview = desk.overview(DEFAULT_PRESET, version.id)
    buttons = (overview.activate, overview.roll_back, overview.delete, overview.use)
    assert [value_of(button, "interactive") for button in buttons] == [False, True, False, False]
    assert versions.roll_back(DEFAULT_PRESET, "Ann") == "Rolled back: the shipped head is in use now."
    assert desk.workspace.versions.active(DEFAULT_PRESET) is None


def test_keeping_the_old_one_goes_back_to_what_a_version_was_built_on(
    desk: TeachDesk, versions: VersionDesk, tmp_path: Path
) -> None:
    first = add_version(desk.workspace, tmp_path)
    second = add_version(desk.workspace, tmp_path, parent=first.id)
    versions.activate(DEFAULT_PRESET, second.id, "")
    assert versions.keep_old(DEFAULT_PRESET, second.id, "") == "Version 1 is in use now, everywhere."
    assert versions.keep_old(DEFAULT_PRESET, second.id, "") == "Version 1 stays in use; version 2 is kept in the list."
    assert versions.keep_old(DEFAULT_PRESET, first.id, "") == "The shipped head is in use now, everywhere."
    with pytest.raises(DataError, match="there is no older one to keep"):
        versions.keep_old(DEFAULT_PRESET, SHIPPED, "")


def test_a_version_is_deleted_at_the_second_press_only(desk: TeachDesk, versions: VersionDesk, tmp_path: Path) -> None:
    version = add_version(desk.workspace, tmp_path)
    button, told = versions.delete(version.id, DELETE)
    assert (value_of(button, "value"), told) == (DELETE_REALLY, "Press once more to delete version 1 for good.")
    assert [kept.id for kept in desk.workspace.versions.list()] == [version.id]
    button, told = versions.delete(version.id, DELETE_REALLY)
    assert (value_of(button, "value"), told) == (DELETE, "Version 1 is deleted.")
    assert desk.workspace.versions.list() == ()


def test_a_version_is_exported_and_imported_with_its_bytes(
    desk: TeachDesk, versions: VersionDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = add_version(desk.workspace, tmp_path)
    exported = Path(versions.export(version.id))
    monkeypatch.setattr("app.ui.teach_version_handlers.is_uploaded", lambda path: True)
    with Workspace.open(tmp_path / "other") as other:
        taken = VersionDesk(TeachDesk(Annotator(other, fake_inspector(FakeModel())), desk.teaching, desk.scratch))
        assert taken.take_in(str(exported), DEFAULT_PRESET, "Ben").startswith("Imported as version 1;")
        assert other.versions.list()[0].id == version.id
        assert other.versions.active(DEFAULT_PRESET) is None
        assert taken.take_in(str(exported), TEXT_PRESET, "Ben").endswith(
            f"It belongs to {PRESETS[DEFAULT_PRESET].name}; choose that above to see it."
        )


@pytest.mark.parametrize("path", [None, "/etc/hostname"])
def test_a_file_of_the_server_is_no_upload(versions: VersionDesk, path: str | None) -> None:
    with pytest.raises(DataError, match="Nothing arrived; choose a version's file again."):
        versions.take_in(path, DEFAULT_PRESET, "")


def test_the_shipped_head_is_neither_deleted_nor_exported(versions: VersionDesk) -> None:
    with pytest.raises(DataError, match="cannot be deleted"):
        versions.delete(SHIPPED, DELETE_REALLY)
    with pytest.raises(DataError, match="choose a version to export"):
        versions.export(SHIPPED)


def test_a_version_that_is_gone_is_one_sentence_on_the_page(versions: VersionDesk) -> None:
    with pytest.raises(ShownError, match="There is no version"):
        shows_errors(versions.export)("f" * 64)
    with pytest.raises(StoreError, match="there is nothing to roll back to"):
        versions.roll_back(DEFAULT_PRESET, "")


def test_a_workspace_that_may_only_be_read_says_so_and_offers_nothing(
    desk: TeachDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corrected(desk.workspace, ["normal", "anomalous"])
    version = add_version(desk.workspace, tmp_path)
    monkeypatch.setattr(Workspace, "read_only", property(lambda workspace: True))
    overview = desk.overview(DEFAULT_PRESET, version.id)
    assert overview.counts["sentence"] == READ_ONLY
    offered = (overview.teach, overview.use, overview.keep, overview.activate, overview.delete)
    assert [value_of(button, "interactive") for button in offered] == [False] * 5
    assert value_of(overview.export, "interactive") is True
    with pytest.raises(DataError, match="may only be read"):
        desk.teach(DEFAULT_PRESET, "quick", False, None, "")


def test_presets_that_can_be_taught_are_those_with_a_head(desk: TeachDesk) -> None:
    names = [name for _, name in teachable(desk.annotator.proposer.inspector.statuses())]
    assert DEFAULT_PRESET in names
    assert TEXT_PRESET in names
    assert all(PRESETS[name].needs_head and not PRESETS[name].needs_references for name in names)


def test_only_visualad_has_tokens_to_teach() -> None:
    assert modes_of(DEFAULT_PRESET) == ("quick", "full")
    assert modes_of(TEXT_PRESET) == ("quick",)
    assert [mode for _, mode in mode_choices(TEXT_PRESET)] == ["quick"]
