"""The events of the Teach tab's lower part."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from app.ui.errors import shows_errors, shows_errors_of_steps
from app.ui.teach_handlers import TeachDesk
from app.ui.teach_tab import TeachTab
from app.ui.teach_tool_handlers import ToolDesk
from app.ui.teach_tool_views import FALSE_ALARMS
from app.ui.workbench_server import account_of

_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
_LOOKS: dict[str, Any] = {**_QUIET, "concurrency_id": "teach-looks", "concurrency_limit": 4}
_MODEL: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 1, "api_visibility": "private"}


def connect_tools(tab: TeachTab, desk: TeachDesk, follow: Callable[..., Any]) -> None:
    """Connect the lower part.

    Args:
        tab: laid out.
        desk: what the handlers work with.
        follow: makes an event look through the page afterwards.
    """
    tools = ToolDesk(desk)
    _connect_sheets(tab, tools)
    _connect_threshold(tab, tools, follow)
    _connect_suggestions(tab, tools)


def _connect_sheets(tab: TeachTab, tools: ToolDesk) -> None:
    """Maps side by side; those of a version that was just taught are drawn by themselves."""
    panel = tab.versions

    def draw_finished(finished: str) -> Any:
        return tools.held_out(finished) if finished else gr.skip()  # a page that opens tells of a change too

    def other(chosen: str, finished: str) -> Any:
        return gr.skip() if chosen == finished else gr.update(value=None, visible=False)

    tab.draw.click(shows_errors(tools.held_out), tab.chosen, tab.sheet, show_progress_on=tab.draw, **_MODEL)
    tab.finished.change(shows_errors(draw_finished), tab.finished, tab.sheet, show_progress="hidden", **_MODEL)
    # A sheet of another version must not stand below these numbers.
    tab.chosen.change(other, [tab.chosen, tab.finished], tab.sheet, **_QUIET)
    panel.compare.click(
        shows_errors(tools.compare),
        [tab.preset, panel.left, panel.right, panel.image],
        panel.compared,
        show_progress_on=panel.compare,
        **_MODEL,
    )
    tab.seen.change(shows_errors(tools.pictures), None, panel.image, **_LOOKS)


def _connect_threshold(tab: TeachTab, tools: ToolDesk, follow: Callable[..., Any]) -> None:
    """A rule is tried on the labelled pictures before it is used."""
    parts = tab.tools
    parts.rule.input(lambda rule: gr.update(visible=rule == FALSE_ALARMS), parts.rule, parts.rate_percent, **_QUIET)
    asked = [tab.preset, parts.rule, parts.rate_percent]
    parts.show.click(
        shows_errors(tools.threshold), asked, [parts.told, parts.figure], show_progress_on=parts.show, **_MODEL
    )

    def use(preset: str, rule: str, rate_percent: float, request: gr.Request) -> str:
        return tools.use_threshold(preset, rule, rate_percent, account_of(request))

    used = parts.use.click(shows_errors(use), asked, parts.told, show_progress_on=parts.use, **_MODEL)
    follow(used.then)


def _connect_suggestions(tab: TeachTab, tools: ToolDesk) -> None:
    """What is known is shown at once; models look at pictures only when asked, and can be stopped."""
    parts = tab.tools

    def running(is_running: bool) -> tuple[Any, Any]:
        return gr.update(visible=not is_running), gr.update(visible=is_running)

    def look(preset: str) -> Iterator[Any]:
        yield from tools.look(preset)

    tab.seen.change(shows_errors(tools.suggestions), tab.preset, parts.suggestions, **_LOOKS)
    buttons = [parts.look, parts.stop]
    started = parts.look.click(lambda: running(True), None, buttons, **_QUIET)
    # Apart from "model": the inspector's lock takes turns picture by picture, so nobody waits for all of them.
    looking = started.then(
        shows_errors_of_steps(look),
        tab.preset,
        [parts.looked, parts.suggestions],
        concurrency_id="propose-all",
        concurrency_limit=1,
        **_QUIET,
    )
    looking.then(lambda: running(False), None, buttons, **_QUIET)
    parts.stop.click(lambda: running(False), None, buttons, cancels=[looking], **_QUIET)
