"""Downloads made when they are asked for, so that moving a slider never writes a full-size file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import gradio as gr

from app.services import results
from app.services.inspection import Inspection
from app.services.rendering import Look
from app.ui.errors import shows_errors
from app.ui.handlers import Desk
from app.ui.session import Session


@dataclass(frozen=True, slots=True)
class Download:
    """One kind of file."""

    label: str
    ending: str
    write: Callable[[Inspection, Path, Look], Path]


DOWNLOADS: Final[Mapping[str, Download]] = MappingProxyType(
    {
        "map-npy": Download("Map .npy", ".map.npy", lambda found, path, _: results.write_map_npy(found, path)),
        "map-tiff": Download("Map .tiff", ".map.tiff", lambda found, path, _: results.write_map_tiff(found, path)),
        "mask": Download("Mask .png", ".mask.png", lambda found, path, _: results.write_mask_png(found, path)),
        "overlay": Download("Overlay .png", ".overlay.png", results.write_overlay_png),
        "json": Download("Result .json", ".json", lambda found, path, _: results.write_json(found, path)),
    }
)

# The file is made by a button; a hidden download button then hands it to the browser.
CLICK: Final = "() => { const box = document.querySelector('#%s'); (box.querySelector('a') ?? box).click(); }"


def build_downloads(desk: Desk, session: gr.State, inputs: list[Any], first: gr.Button) -> None:
    """Put a row of buttons, one per kind of file, where the caller's layout is.

    Args:
        desk: what the handlers work with.
        session: the visitor's state.
        inputs: the components behind `Controls`.
        first: a button that is not rendered yet and goes to the left of them.
    """
    with gr.Row(elem_classes="downloads"):
        first.render()
        for kind, download in DOWNLOADS.items():
            button = gr.Button(download.label, size="sm", elem_id=f"download-{kind}", min_width=90)
            file = gr.DownloadButton(visible="hidden", elem_id=f"file-{kind}")
            button.click(
                shows_errors(partial(make_file, desk, kind)),
                [session, *inputs],
                file,
                concurrency_id="redraw",
                show_progress="hidden",
                api_visibility="private",
            ).success(fn=None, js=CLICK % f"file-{kind}")


def make_file(desk: Desk, kind: str, session: Session, *values: Any) -> str:
    """Write the result that is on screen as one kind of file and return its path.

    Raises:
        PictureError: there is no result yet.
    """
    inspection, controls = desk.inspection(session, values)
    download = DOWNLOADS[kind]
    name = Path(inspection.picture.name).stem or "picture"
    path = desk.scratch.folder() / f"{name}{download.ending}"
    return str(download.write(inspection, path, controls.look()))
