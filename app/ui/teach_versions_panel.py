"""The list of versions with what can be done to the chosen one, and the comparison of any two."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from app.ui.teach_components import versions_table
from app.ui.teach_handlers import DELETE
from app.ui.teach_version_views import SHIPPED, versions_value


@dataclass(frozen=True, slots=True)
class VersionsPanel:
    """The panel's components."""

    table: gr.HTML
    activate: gr.Button
    roll_back: gr.Button
    delete: gr.Button
    export: gr.Button
    exported: gr.DownloadButton
    take_in: gr.UploadButton
    told: gr.Textbox
    left: gr.Dropdown
    right: gr.Dropdown
    image: gr.Dropdown
    compare: gr.Button
    compared: gr.Image


def build_versions() -> VersionsPanel:
    """Put the panel where the caller's layout is."""
    gr.Markdown("## Versions", elem_classes="teach-heading")
    table = versions_table(versions_value([], {}, SHIPPED, SHIPPED), "teach-versions")
    with gr.Row(elem_classes="toolbar", elem_id="version-tools"):
        activate = _button("Activate", "version-activate")
        roll_back = _button("Roll back", "version-roll-back")
        delete = _button(DELETE, "version-delete")
        export = _button("Export", "version-export")
        exported = gr.DownloadButton(visible="hidden", elem_id="version-exported")
        take_in = gr.UploadButton(
            "Import a version", file_types=[".safetensors"], size="sm", scale=0, min_width=130, elem_id="version-import"
        )
        # Plain text: names are people's.
        told = gr.Textbox(
            "", interactive=False, container=False, show_label=False, lines=1, max_lines=2, scale=1, min_width=200,
            elem_id="versions-told", label="What was done last",
        )  # fmt: skip
    gr.Markdown("## Compare two on a picture", elem_classes="teach-heading")
    with gr.Row(elem_id="compare-tools", equal_height=True):
        left = gr.Dropdown([], label="One", elem_id="compare-left", scale=1, min_width=180)
        right = gr.Dropdown([], label="Other", elem_id="compare-right", scale=1, min_width=180)
        image = gr.Dropdown([], label="Picture", elem_id="compare-image", scale=2, min_width=260)
        compare = gr.Button("Compare", size="sm", scale=0, min_width=110, elem_id="compare-draw")
    compared = gr.Image(
        label="The picture under both versions", format="png", interactive=False, visible=False,
        elem_id="compare-sheet", buttons=["fullscreen"],
    )  # fmt: skip
    return VersionsPanel(
        table, activate, roll_back, delete, export, exported, take_in, told, left, right, image, compare, compared
    )


def _button(label: str, elem_id: str) -> gr.Button:
    return gr.Button(label, size="sm", scale=0, min_width=100, elem_id=elem_id, interactive=False)
