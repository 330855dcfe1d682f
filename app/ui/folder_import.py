"""A button that imports a folder with its structure, of which Gradio's own keeps nothing but the files' base names.

The browser packs the folder as a zip without compression (workbench/folder.js) and uploads that.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import gradio as gr

from app.store.intake.limits import DEFAULT_LIMITS
from app.ui.components import is_uploaded
from app.ui.workbench_component import script_url
from models.errors import DataError

_TEMPLATE: Final = """
<div class="folder-import">
  <button type="button" disabled>%s</button><input type="file" webkitdirectory hidden tabindex="-1">
</div>
"""

# How large an upload may be is what the page was launched with.
_ON_LOAD: Final = """
const config = window.gradio_config ?? {};
import((config.root ?? '').replace(/[/]+$/, '') + %s)
  .then(({start}) => start(element.querySelector('.folder-import'), {
    upload,
    arrived: (path) => trigger('upload', {path}),
    refused: (problem) => trigger('refuse', {problem}),
    limits: {maxFiles: %s, maxBytes: config.max_file_size ?? undefined},
  }))
  .catch((error) => console.error(error));
"""


def folder_import(label: str, elem_id: str) -> gr.HTML:
    """A button that asks for a folder; what comes of it are the events "upload" and "refuse".

    Args:
        label: what stands on the button.
        elem_id: for the style sheet and the tests.
    """
    return gr.HTML(
        html_template=_TEMPLATE % html.escape(label),
        js_on_load=_ON_LOAD % (json.dumps(script_url("folder.js")), DEFAULT_LIMITS.max_files),
        apply_default_css=False,
        elem_id=elem_id,
    )


@contextmanager
def arrived_zip(event: gr.EventData) -> Iterator[Path]:
    """The zip that "upload" tells of; gone afterwards, for it was made for one import.

    Raises:
        DataError: no zip was uploaded.
    """
    given = _field(event, "path")
    # Of a folder everything would be imported, and that of the uploads holds other people's.
    if not is_uploaded(given) or not Path(given).is_file() or Path(given).suffix.lower() != ".zip":
        raise DataError("The folder did not arrive; choose it again.")
    try:
        yield Path(given)
    finally:
        Path(given).unlink(missing_ok=True)


def refuse(event: gr.EventData) -> None:
    """Show what "refuse" tells of as the page shows every error.

    Raises:
        DataError: always.
    """
    raise DataError(str(_field(event, "problem")))


def _field(event: gr.EventData, name: str) -> Any:
    """A field of what came with an event, which anybody can send."""
    return event._data.get(name) if isinstance(event._data, dict) else None
