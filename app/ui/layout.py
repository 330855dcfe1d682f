"""The page: header, tabs, and the named endpoints behind them."""

from __future__ import annotations

from functools import partial
from typing import Any

import gradio as gr

from app.services.annotating import Annotator
from app.services.teaching_jobs import TeachingDesk
from app.store.workspace import Workspace
from app.ui.active_version import follow_versions, header_value
from app.ui.api import build_api
from app.ui.components import masthead
from app.ui.controls import layer_choices
from app.ui.correct_api import build_correct_api
from app.ui.correct_handlers import CorrectDesk
from app.ui.correct_tab import build_correct_tab, build_problem
from app.ui.correct_this import connect_correct_this
from app.ui.engine import Engine
from app.ui.handlers import Desk
from app.ui.inspect_tab import InspectTab, build_inspect_tab
from app.ui.reference_handlers import ReferenceDesk
from app.ui.references_events import connect_references
from app.ui.scratch import Scratch
from app.ui.session import PictureShelf, Session
from app.ui.teach_api import build_teach_api
from app.ui.teach_events import connect_teach, connect_to_correct
from app.ui.teach_handlers import TeachDesk
from app.ui.teach_tab import build_teach_problem, build_teach_tab
from models.errors import ExpectedError
from models.registry import DEFAULT_PRESET, PRESETS

_POLL_S = 1.0
_CORRECT, _TEACH = "correct", "teach"
_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
_CLEAN_EVERY_S, _KEEP_UPLOADS_S = 3600, 86400


def build_page(
    engine: Engine,
    workspace: Workspace | ExpectedError,
    *,
    is_mcp: bool = False,
    teaching: TeachingDesk | None = None,
) -> gr.Blocks:
    """Build the whole page; loads no model and starts nothing.

    Args:
        engine: what inspects; shared by all visitors.
        workspace: what corrections are kept in, or why there is none.
        is_mcp: whether the named endpoints are offered to MCP clients, which may read only.
        teaching: what teaches from the workspace; None = one of its own.
    """
    scratch = Scratch()
    desk = Desk(engine, PictureShelf(scratch), scratch)
    page: gr.Blocks
    with gr.Blocks(
        title="Oddity · anomaly inspection", analytics_enabled=False, delete_cache=(_CLEAN_EVERY_S, _KEEP_UPLOADS_S)
    ) as page:
        header = masthead(engine.status.value(), "masthead")
        with gr.Tabs() as tabs:
            with gr.Tab("Inspect", id="inspect") as inspect_tab:
                tab = build_inspect_tab(desk)
                connect_references(
                    tab, ReferenceDesk(desk, None if isinstance(workspace, ExpectedError) else workspace)
                )
            with gr.Tab("Correct", id=_CORRECT):
                if isinstance(workspace, ExpectedError):
                    build_problem(str(workspace))
                    tab.correct.interactive = False
                else:
                    correct_desk = CorrectDesk(Annotator(workspace, engine.inspector), scratch)
                    correct_tab = build_correct_tab(correct_desk)
            with gr.Tab("Teach", id=_TEACH):
                if isinstance(workspace, ExpectedError):
                    build_teach_problem(str(workspace))
                else:
                    teach_desk = TeachDesk(correct_desk.annotator, teaching or desk_of(engine, workspace), scratch)
                    teach_tab = build_teach_tab(teach_desk)
        build_api(desk)
        if not isinstance(workspace, ExpectedError):
            connect_correct_this(tab.correct, tab.session, tabs, _CORRECT, correct_tab, correct_desk.annotator)
            build_correct_api(correct_desk, writes="undocumented" if is_mcp else "public")
            build_teach_api(workspace)
            connect_teach(teach_tab, teach_desk, page, tabs)
            connect_to_correct(teach_tab, tabs, _CORRECT, correct_tab)
            follow_versions(page, inspect_tab, tab, desk, workspace)
            teach_tab.seen.change(partial(_header, engine, workspace), tab.session, header, **_QUIET)
        _show_engine_status(page, engine, workspace, header, tab)
    return page


def desk_of(engine: Engine, workspace: Workspace) -> TeachingDesk:
    """What teaches from a workspace with the weights of an engine; nothing is started."""
    return TeachingDesk(workspace, engine.inspector.where, engine.inspector.device)


def _header(engine: Engine, workspace: Workspace | ExpectedError, session: Session) -> dict[str, str]:
    return header_value(engine, workspace, session.preset)


def _show_engine_status(
    page: gr.Blocks, engine: Engine, workspace: Workspace | ExpectedError, header: gr.HTML, tab: InspectTab
) -> None:
    """Follow the warm-up in the header, and offer the layers of the head that was loaded."""
    timer = gr.Timer(_POLL_S)

    def follow(session: Session) -> tuple[Any, Any, Any]:
        status = engine.status
        layers: Any = gr.skip()
        if status.layers and status.layers != PRESETS[DEFAULT_PRESET].layers:
            layers = gr.update(choices=layer_choices(status.layers), value=list(status.default_layers))
        return _header(engine, workspace, session), gr.Timer(active=not status.settled), layers

    outputs = [header, timer, tab.controls.layers]
    page.load(Session.with_page, tab.session, tab.session, **_QUIET)
    page.load(follow, tab.session, outputs, **_QUIET)
    timer.tick(follow, tab.session, outputs, **_QUIET)
    tab.session.change(partial(_header, engine, workspace), tab.session, header, **_QUIET)
