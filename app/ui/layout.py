"""The page: header, tabs, and the named endpoints behind them."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.ui.api import build_api
from app.ui.components import masthead
from app.ui.controls import layer_choices
from app.ui.engine import Engine
from app.ui.handlers import Desk
from app.ui.inspect_tab import InspectTab, build_inspect_tab
from app.ui.scratch import Scratch
from app.ui.session import PictureShelf
from models.registry import DEFAULT_PRESET, PRESETS

_POLL_S = 1.0
_CLEAN_EVERY_S, _KEEP_UPLOADS_S = 3600, 86400


def build_page(engine: Engine) -> gr.Blocks:
    """Build the whole page; loads no model and starts nothing.

    Args:
        engine: what inspects; shared by all visitors.
    """
    scratch = Scratch()
    desk = Desk(engine, PictureShelf(scratch), scratch)
    page: gr.Blocks
    with gr.Blocks(
        title="Oddity · anomaly inspection", analytics_enabled=False, delete_cache=(_CLEAN_EVERY_S, _KEEP_UPLOADS_S)
    ) as page:
        header = masthead(engine.status.value(), "masthead")
        with gr.Tabs(), gr.Tab("Inspect"):
            tab = build_inspect_tab(desk)
        build_api(desk)
        _show_engine_status(page, engine, header, tab)
    return page


def _show_engine_status(page: gr.Blocks, engine: Engine, header: gr.HTML, tab: InspectTab) -> None:
    """Follow the warm-up in the header, and offer the layers of the head that was loaded."""
    timer = gr.Timer(_POLL_S)

    def follow() -> tuple[Any, Any, Any]:
        status = engine.status
        layers: Any = gr.skip()
        if status.layers and status.layers != PRESETS[DEFAULT_PRESET].layers:
            layers = gr.update(choices=layer_choices(status.layers), value=list(status.default_layers))
        return status.value(), gr.Timer(active=not status.settled), layers

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
    outputs = [header, timer, tab.controls.layers]
    page.load(follow, None, outputs, **quiet)
    timer.tick(follow, None, outputs, **quiet)
