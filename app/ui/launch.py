"""Start the page: local, without telemetry, without any request to another host."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read by gradio when it is imported

import gradio as gr
from starlette.middleware import Middleware

from app.services.teaching_jobs import TeachingDesk
from app.store.workspace import Workspace
from app.ui.engine import Engine
from app.ui.fresh_scripts import FreshScripts
from app.ui.layout import build_page, desk_of
from app.ui.theme import STYLE_SHEET, make_theme, workbench_styles
from app.ui.workbench_component import serve_scripts
from models.errors import ExpectedError

MAX_FILE_SIZE = 2_000_000_000  # bytes: a data set in one zip; of pictures the loader has a limit of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the page listens."""

    host: str = "127.0.0.1"
    port: int | None = 7860  # None: the first free one from 7860 on
    open_browser: bool = False
    mcp: bool = False  # also serve the named endpoints to MCP clients


def start(
    engine: Engine,
    workspace: Workspace | ExpectedError,
    address: Address,
    teaching: TeachingDesk | None = None,
) -> tuple[gr.Blocks, str]:
    """Serve the page in the background, load the model, and go on with what was being taught.

    Args:
        engine: what inspects; its warm-up starts once the page answers.
        workspace: what corrections are kept in, or why there is none; closed by the caller.
        address: where to listen.
        teaching: what teaches from the workspace, closed by the caller; None = one that begins nothing by itself.
    Returns:
        The page, to be closed by the caller, and its address for a browser.
    Raises:
        ExpectedError: the port is taken, or MCP was asked for without its package.
    """
    if not isinstance(workspace, ExpectedError):
        engine.use_versions_of(workspace)
    page = build_page(engine, workspace, is_mcp=address.mcp, teaching=teaching)
    if address.mcp and find_spec("mcp") is None:
        raise ExpectedError(
            "MCP needs the package mcp, which is not installed; install gradio[mcp], or leave --mcp out."
        )
    try:
        url = _launch(page, address)
    except OSError as error:
        raise ExpectedError(f"Port {address.port} cannot be used ({error}); choose another with --port.") from error
    engine.warm_up()
    if teaching is not None:
        teaching.start()
    return page, url


def _launch(page: gr.Blocks, address: Address) -> str:
    serve_scripts()
    _, url, _ = page.queue(default_concurrency_limit=4).launch(
        server_name=address.host,
        server_port=address.port,
        inbrowser=address.open_browser,
        prevent_thread_lock=True,
        share=False,
        show_error=False,
        ssr_mode=False,
        run_history=False,
        enable_monitoring=False,
        allowed_paths=[],
        max_file_size=MAX_FILE_SIZE,
        mcp_server=address.mcp,
        app_kwargs={"middleware": [Middleware(FreshScripts)]},
        footer_links=["api"],
        quiet=True,
        theme=make_theme(),
        css_paths=[STYLE_SHEET],
        head=workbench_styles(),
    )
    return str(url)


def serve(engine: Engine, workspace: Workspace | ExpectedError, address: Address) -> None:
    """Serve the page until the process is stopped."""
    teaching = None if isinstance(workspace, ExpectedError) else desk_of(engine, workspace)
    page, url = start(engine, workspace, address, teaching)
    print(f"Oddity is open at {url}  (stop with Ctrl+C)", flush=True)
    try:
        page.block_thread()
    finally:
        if teaching is not None:
            teaching.close()
        if not isinstance(workspace, ExpectedError):
            workspace.close()
