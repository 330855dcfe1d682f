"""Which version looks at pictures now: said in the header, and what Inspect shows follows it."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.store.workspace import Workspace
from app.ui.engine import Engine
from app.ui.errors import shows_errors
from app.ui.handlers import Desk
from app.ui.inspect_tab import InspectTab
from app.ui.session import Session
from models.errors import ExpectedError


def header_value(engine: Engine, workspace: Workspace | ExpectedError, preset: str) -> dict[str, str]:
    """What the masthead shows to someone who chose a preset, the version in use included.

    Args:
        engine: what inspects.
        workspace: whose versions it uses; an error: there are none.
        preset: the chosen one.
    """
    value, active = engine.header(preset), active_id(engine, workspace, preset)
    if active is None or isinstance(workspace, ExpectedError) or value["state"] != "ready":
        return value
    try:
        name = workspace.versions.get(active, preset).name
    except ExpectedError:
        name = "its version cannot be used"
    return {**value, "text": f"{value['text']} · {name}"}


def active_id(engine: Engine, workspace: Workspace | ExpectedError, preset: str) -> str | None:
    """The id of the version that a preset uses; None: it uses none."""
    given = engine.inspector.where.head_path is not None
    return None if given or isinstance(workspace, ExpectedError) else workspace.versions.active(preset)


def follow_versions(page: gr.Blocks, opened: gr.Tab, tab: InspectTab, desk: Desk, workspace: Workspace) -> None:
    """When Inspect is opened again and another version is in use since, inspect the picture on screen anew.

    Args:
        page: that is loaded.
        opened: the Inspect tab itself.
        tab: its components.
        desk: what its handlers work with.
        workspace: whose versions are used.
    """
    shown, changes = gr.State(""), gr.State(0)
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}

    def in_use(session: Session) -> str:
        return f"{session.preset} {active_id(desk.engine, workspace, session.preset)}"

    def look(before: str, count: int, session: Session) -> tuple[str, Any]:
        now = in_use(session)
        return now, gr.skip() if session.picture is None or now == before else count + 1

    page.load(in_use, tab.session, shown, **quiet)
    opened.select(look, [shown, changes, tab.session], [shown, changes], **quiet)
    # Apart from looking: the page opens with this tab, before its controls can be read.
    changes.change(
        shows_errors(desk.redraw),
        [tab.session, *tab.controls.inputs()],
        tab.outputs(),
        show_progress_on=tab.verdict,
        concurrency_id="model",
        concurrency_limit=1,
        api_visibility="private",
    )
