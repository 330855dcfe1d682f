"""The workbench as a Gradio component: its scripts are files of this package, its data go through server functions."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import gradio as gr
from gradio.route_utils import API_PREFIX

from app.services.annotating import Annotator
from app.ui.workbench_server import WorkbenchServer

SCRIPTS: Final = Path(__file__).resolve().parent / "workbench"

_TEMPLATE: Final = "<div class='oddity-workbench'></div>"

# Where the page is mounted is known in the browser only.  A call that fails answers nothing there: unlike a refusal,
# which comes as {error}, it is to be tried again.
_ON_LOAD: Final = """
const root = (window.gradio_config?.root ?? '').replace(/[/]+$/, '');
const calls = {};
for (const name of Object.keys(server)) {
  calls[name] = async (request) => {
    const reply = await server[name](request);
    if (!reply) throw new Error('The server does not answer; nothing was lost here.');
    if (typeof reply.url === 'string') reply.url = root + reply.url;
    return reply;
  };
}
const place = element.querySelector('.oddity-workbench');
import(root + %s)
  .then(({start}) => start(place, {server: calls, watch, props, trigger}))
  .catch((error) => {
    console.error(error);
    place.textContent = 'The workbench could not be loaded; reload the page.';
  });
"""


def workbench(annotator: Annotator, preset: str, elem_id: str) -> gr.HTML:
    """Queue, editor and history over the full width.

    Not a subclass of gr.HTML, because Gradio writes a stub beside a subclass's source.

    Args:
        annotator: what opens and saves.
        preset: name of the preset that proposes at first.
        elem_id: for the style sheet and the tests.
    """
    return gr.HTML(
        use_preset(preset),
        html_template=_TEMPLATE,
        js_on_load=_ON_LOAD % json.dumps(script_url()),
        apply_default_css=False,
        server_functions=WorkbenchServer(annotator).functions(),
        elem_id=elem_id,
    )


def use_preset(preset: str) -> dict[str, Any]:
    """The workbench's value that makes another preset propose from now on."""
    return {"preset": preset}


def open_image(digest: str, preset: str) -> dict[str, Any]:
    """The workbench's value that opens an image; the nonce tells the same wish from a new one."""
    return {"open": digest, "preset": preset, "nonce": time.time_ns() // 1_000}


def refresh(preset: str) -> dict[str, Any]:
    """The workbench's value that makes it read the queue again at once.

    Args:
        preset: what proposes; a workbench that is still loading sees this value only, and none from before.
    """
    return {"refresh": time.time_ns() // 1_000, "preset": preset}


def script_url(name: str = "workbench.js") -> str:
    """URL of one of the scripts, from the page's root on."""
    return f"{API_PREFIX}/file={quote(str(SCRIPTS / name))}"


def serve_scripts() -> None:
    """Let Gradio serve the folder of the scripts, and nothing beside it."""
    gr.set_static_paths([SCRIPTS])
