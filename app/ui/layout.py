"""The page: header, tabs, and the named endpoints behind them."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.services.annotating import Annotator
from app.store.workspace import Workspace
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
from app.ui.scratch import Scratch
from app.ui.session import PictureShelf, Session
from models.errors import ExpectedError
from models.registry import DEFAULT_PRESET, PRESETS

_POLL_S = 1.0
_CORRECT = "correct"
_CLEAN_EVERY_S, _KEEP_UPLOADS_S = 3600, 86400


def build_page(engine: Engine, workspace: Workspace | ExpectedError, *, is_mcp: bool = False) -> gr.Blocks:
    """Build the whole page; loads no model and starts nothing.

    Args:
        engine: what inspects; shared by all visitors.
        workspace: what corrections are kept in, or why there is none.
        is_mcp: whether the named endpoints are offered to MCP clients, which may read only.
    """
    scratch = Scratch()
    desk = Desk(engine, PictureShelf(scratch), scratch)
    page: gr.Blocks
    with gr.Blocks(
        title="Oddity · anomaly inspection", analytics_enabled=False, delete_cache=(_CLEAN_EVERY_S, _KEEP_UPLOADS_S)
    ) as page:
        header = masthead(engine.status.value(), "masthead")
        with gr.Tabs() as tabs:
            with gr.Tab("Inspect", id="inspect"):
                tab = build_inspect_tab(desk)
            with gr.Tab("Correct", id=_CORRECT):
                if isinstance(workspace, ExpectedError):
                    build_problem(str(workspace))
                    tab.correct.interactive = False
                else:
                    correct_desk = CorrectDesk(Annotator(workspace, engine.inspector), scratch)
                    correct_tab = build_correct_tab(correct_desk)
        build_api(desk)
        if not isinstance(workspace, ExpectedError):
            connect_correct_this(tab.correct, tab.session, tabs, _CORRECT, correct_tab, correct_desk.annotator)
            build_correct_api(correct_desk, writes="undocumented" if is_mcp else "public")
        _show_engine_status(page, engine, header, tab)
    return page


def _show_engine_status(page: gr.Blocks, engine: Engine, header: gr.HTML, tab: InspectTab) -> None:
    """Follow the warm-up in the header, and offer the layers of the head that was loaded."""
    timer = gr.Timer(_POLL_S)

    def follow(session: Session) -> tuple[Any, Any, Any]:
        status = engine.status
        layers: Any = gr.skip()
        if status.layers and status.layers != PRESETS[DEFAULT_PRESET].layers:
            layers = gr.update(choices=layer_choices(status.layers), value=list(status.default_layers))
        return engine.header(session.preset), gr.Timer(active=not status.settled), layers

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
    outputs = [header, timer, tab.controls.layers]
    page.load(Session.with_page, tab.session, tab.session, **quiet)
    page.load(follow, tab.session, outputs, **quiet)
    timer.tick(follow, tab.session, outputs, **quiet)
    tab.session.change(lambda session: engine.header(session.preset), tab.session, header, **quiet)
