"""The Inspect tab: what is where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.ui.alignment_view import AlignmentComponents, build_alignment
from app.ui.components import picture_input, preset_picker, verdict_panel
from app.ui.controls import ControlComponents, build_controls
from app.ui.downloads import build_downloads
from app.ui.example_row import build_examples
from app.ui.examples import find_examples
from app.ui.handlers import Desk
from app.ui.inspect_events import connect
from app.ui.presets import methods, picker_value
from app.ui.references_panel import ReferencePanel, build_references_panel
from app.ui.session import Session
from app.ui.views import LAYERS_TITLE, TABLE_HEADERS, empty_verdict
from app.ui.words import WordComponents, build_words
from models.registry import DEFAULT_PRESET, PRESETS


@dataclass(frozen=True, slots=True)
class InspectTab:
    """The tab's components."""

    session: gr.State
    picture: gr.Image
    examples: gr.Dataset
    references: ReferencePanel
    method: gr.Radio
    picker: gr.HTML
    caption: gr.Markdown
    words: WordComponents
    controls: ControlComponents
    verdict: gr.HTML
    compare: gr.ImageSlider
    fused_map: gr.Image
    zero_shot_map: gr.Image
    reference_map: gr.Image
    sheet: gr.Image
    alignment: AlignmentComponents
    regions_heading: gr.Markdown
    regions: gr.Dataframe
    weights: gr.Textbox
    correct: gr.Button

    def outputs(self) -> list[Any]:
        """The components that `handlers.Shown` is for, in its order."""
        return [
            self.session, self.compare, self.verdict, self.controls.threshold, self.controls.calibrated,
            self.fused_map, self.sheet, self.regions_heading, self.regions, self.weights, self.alignment.picture,
            self.zero_shot_map, self.reference_map, *self.references.of_result(),
        ]  # fmt: skip

    def chosen(self) -> list[Any]:
        """The components that `handlers.Chosen` is for, in its order."""
        return [
            self.session, self.picker, self.caption, self.controls.layers, self.controls.blur_sigma,
            self.words.accordion, self.alignment.accordion, *self.controls.scoring.of_preset(),
        ]  # fmt: skip

    def of_model(self) -> list[Any]:
        """The components that `handlers.OfModel` is for, in its order."""
        return [*self.words.fields(), self.words.accordion, self.controls.scoring.alpha]


def build_inspect_tab(desk: Desk) -> InspectTab:
    """Put the tab where the caller's layout is and connect it.

    Args:
        desk: what the handlers work with.
    """
    session, preset = gr.State(Session()), PRESETS[DEFAULT_PRESET]
    examples = find_examples()
    with gr.Row(elem_id="inspect", equal_height=False):
        with gr.Column(scale=0, min_width=340, elem_id="settings"):
            picture = picture_input(
                label="Picture",
                sources=["upload", "clipboard", "webcam"],
                height=210,
                elem_id="picture",
                placeholder="Drop a picture here\n- or -\nClick to choose one",
            )
            example_row = build_examples(examples, desk.scratch)
            references = build_references_panel()
            method = gr.Radio(methods(), value=preset.method, label="Method", elem_id="method")
            picker = preset_picker(picker_value(desk.engine.inspector.statuses(), DEFAULT_PRESET), "backbone")
            caption = gr.Markdown(preset.caption, visible=bool(preset.caption), elem_id="caption")
            words = build_words(preset)
            controls = build_controls(references)
        with gr.Column(scale=1, min_width=520, elem_id="results"):
            verdict = verdict_panel(empty_verdict(), "verdict")
            compare = gr.ImageSlider(
                label="Picture | overlay",
                format="png",
                max_height=470,
                interactive=False,
                elem_id="compare",
                slider_position=40,
                buttons=["fullscreen"],
            )
            correct = gr.Button(
                "Correct this", size="sm", variant="primary", elem_id="correct-this", min_width=110, render=False
            )
            build_downloads(desk, session, controls.inputs(), correct)
            with gr.Row(equal_height=False, elem_id="maps"):
                with gr.Column(scale=1, min_width=290):
                    fused_map = _image("Fused map (sum of the chosen layers)", "fused-map")
                zero_shot_map = _image("", "zero-shot-map", visible=False)
                reference_map = _image("", "reference-map", visible=False)
                with gr.Column(scale=1, min_width=320):
                    regions_heading = gr.Markdown(elem_id="regions-heading")
                    regions = gr.Dataframe(
                        headers=TABLE_HEADERS,
                        datatype="str",
                        interactive=False,
                        label="Regions",
                        wrap=True,
                        elem_id="regions",
                        max_height=360,
                        buttons=[],
                    )
            sheet = _image(LAYERS_TITLE, "layers-sheet")
            alignment = build_alignment(preset)
            weights = gr.Textbox(
                label="Weights used", interactive=False, lines=2, elem_id="weights-used", buttons=["copy"]
            )
    tab = InspectTab(
        session, picture, example_row, references, method, picker, caption, words, controls, verdict, compare,
        fused_map, zero_shot_map, reference_map, sheet, alignment, regions_heading, regions, weights, correct,
    )  # fmt: skip
    connect(tab, desk, examples)
    return tab


def _image(label: str, elem_id: str, *, visible: bool = True) -> gr.Image:
    return gr.Image(
        label=label, format="png", interactive=False, elem_id=elem_id, buttons=["fullscreen"], visible=visible,
        min_width=290,
    )  # fmt: skip
