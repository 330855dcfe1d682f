"""The Teach tab's events: which one calls which handler."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import gradio as gr

from app.ui.correct_tab import CorrectTab
from app.ui.downloads import CLICK
from app.ui.errors import UNEXPECTED, shows_errors
from app.ui.teach_choices import mode_update
from app.ui.teach_handlers import Followed, Seen, TeachDesk
from app.ui.teach_job_view import problem_value
from app.ui.teach_tab import TeachTab
from app.ui.teach_tool_events import connect_tools
from app.ui.teach_version_handlers import VersionDesk
from app.ui.workbench_component import open_image
from app.ui.workbench_server import account_of
from models.errors import DataError, ExpectedError

_log = logging.getLogger(__name__)

_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
# Looking must not wait for anyone's training, nor for each other.
_LOOKS: dict[str, Any] = {**_QUIET, "concurrency_id": "teach-looks", "concurrency_limit": 4}
_WRITES: dict[str, Any] = {**_QUIET, "concurrency_id": "teach-writes", "concurrency_limit": 2}


def connect_teach(tab: TeachTab, desk: TeachDesk, page: gr.Blocks, tabs: gr.Tabs) -> None:
    """Connect the tab's components.

    Args:
        tab: laid out.
        desk: what the handlers work with.
        page: that is loaded.
        tabs: of the page; the tab is followed while it is open.
    """
    follow = _following(tab, desk)
    _connect_looks(tab, desk, page, tabs, follow)
    _connect_job(tab, desk, follow)
    _connect_versions(tab, VersionDesk(desk), follow)
    connect_tools(tab, desk, follow)


def connect_to_correct(tab: TeachTab, tabs: gr.Tabs, tab_id: str, correct: CorrectTab) -> None:
    """Let the tab lead to Correct, with a picture or without.

    Args:
        tab: laid out.
        tabs: of the page.
        tab_id: the Correct tab's.
        correct: its components.
    """

    def open_picture(preset: str, event: gr.EventData) -> tuple[Any, str, dict[str, Any]]:
        return gr.Tabs(selected=tab_id), preset, open_image(_field(event, "id"), preset)

    tab.to_correct.click(lambda: gr.Tabs(selected=tab_id), None, tabs, **_QUIET)
    tab.tools.suggestions.select(
        shows_errors(open_picture), tab.preset, [tabs, correct.preset, correct.workbench], **_QUIET
    )


def _following(tab: TeachTab, desk: TeachDesk) -> Callable[[Callable[..., Any]], Any]:
    """What connects an event so that the page is looked through afterwards."""

    def follow(preset: str, seen: Seen, chosen: str) -> Followed:
        # Called every second: a message each time would bury the page.
        try:
            return desk.follow(preset, seen, chosen)
        except ExpectedError as error:
            problem = str(error)
        except Exception:  # noqa: BLE001 - the border to the browser: a sentence there, the traceback in the log
            _log.exception("the jobs cannot be followed")
            problem = UNEXPECTED
        return Followed(problem_value(problem), *[gr.skip()] * (len(Followed._fields) - 1))

    return lambda event: event(follow, [tab.preset, tab.seen, tab.chosen], tab.followed(), **_LOOKS)


def _connect_looks(tab: TeachTab, desk: TeachDesk, page: gr.Blocks, tabs: gr.Tabs, follow: Callable[..., Any]) -> None:
    """The tab is followed while it is open; everything else is shown anew only when there is something new."""
    follow(page.load)
    follow(tab.timer.tick)
    for child in tabs.children:
        if not isinstance(child, gr.Tab):
            continue
        is_teach = child.id == "teach"
        selected = child.select(partial(_timer, active=is_teach), None, tab.timer, **_QUIET)
        if is_teach:
            follow(selected.then)
    tab.preset.input(mode_update, tab.preset, tab.mode, **_QUIET)
    follow(tab.preset.input)
    look = [tab.preset, tab.chosen]
    tab.seen.change(shows_errors(desk.overview), look, tab.overview(), **_LOOKS)

    def choose(event: gr.EventData) -> str:
        return _field(event, "id")

    chosen = tab.versions.table.select(shows_errors(choose), None, tab.chosen, **_QUIET)
    chosen.success(shows_errors(desk.overview), look, tab.overview(), **_LOOKS)


def _connect_job(tab: TeachTab, desk: TeachDesk, follow: Callable[..., Any]) -> None:
    """Teach, cancel, take a waiting job out, go on with one that ended early."""

    def teach(preset: str, mode: str, flips: bool, steps: float | None, request: gr.Request) -> None:
        desk.teach(preset, mode, flips, steps, account_of(request))

    def take_out(event: gr.EventData) -> None:
        desk.cancel(_field(event, "id"))

    asked = tab.teach.click(shows_errors(teach), [tab.preset, tab.mode, tab.flips, tab.steps], None, **_WRITES)
    for event in (
        asked,
        tab.cancel.click(shows_errors(desk.cancel), None, None, **_WRITES),
        tab.resume.click(shows_errors(desk.resume), None, None, **_WRITES),
        tab.job.select(shows_errors(take_out), None, None, **_WRITES),
    ):
        follow(event.then)


def _connect_versions(tab: TeachTab, versions: VersionDesk, follow: Callable[..., Any]) -> None:
    """What can be done to a version; every change shows at once."""
    panel, of_chosen = tab.versions, [tab.preset, tab.chosen]

    def activate(preset: str, chosen: str, request: gr.Request) -> str:
        return versions.activate(preset, chosen, account_of(request))

    def keep(preset: str, chosen: str, request: gr.Request) -> str:
        return versions.keep_old(preset, chosen, account_of(request))

    def roll_back(preset: str, request: gr.Request) -> str:
        return versions.roll_back(preset, account_of(request))

    def take_in(path: str | None, preset: str, request: gr.Request) -> str:
        return versions.take_in(path, preset, account_of(request))

    for event in (
        tab.use.click(shows_errors(activate), of_chosen, tab.told, **_WRITES),
        tab.keep.click(shows_errors(keep), of_chosen, tab.told, **_WRITES),
        panel.activate.click(shows_errors(activate), of_chosen, panel.told, **_WRITES),
        panel.roll_back.click(shows_errors(roll_back), tab.preset, panel.told, **_WRITES),
        panel.delete.click(
            shows_errors(versions.delete), [tab.chosen, panel.delete], [panel.delete, panel.told], **_WRITES
        ),
        panel.take_in.upload(shows_errors(take_in), [panel.take_in, tab.preset], panel.told, **_WRITES),
    ):
        follow(event.then)
    panel.export.click(shows_errors(versions.export), tab.chosen, panel.exported, **_WRITES).success(
        fn=None, js=CLICK % "version-exported"
    )


def _field(event: gr.EventData, name: str) -> str:
    """A text that came with an event, which anybody can send.

    Raises:
        DataError: there is none.
    """
    value = event._data.get(name) if isinstance(event._data, dict) else None
    if not isinstance(value, str):
        raise DataError("That did not arrive; try again.")
    return value


def _timer(*, active: bool) -> gr.Timer:
    return gr.Timer(active=active)
