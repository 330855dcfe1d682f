"""Below the versions: the threshold from labels, and what to label next."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from app.ui.teach_components import suggestions_panel
from app.ui.teach_tool_views import BEST_F1, FALSE_ALARMS, NORMALS, suggestions_value

RULES = [
    ("As calibrated: above nearly all held-out normal pictures", NORMALS),
    ("Best F1 on your labelled pictures", BEST_F1),
    ("At a rate of false alarms on your normal pictures", FALSE_ALARMS),
]


@dataclass(frozen=True, slots=True)
class TeachTools:
    """The components."""

    rule: gr.Radio
    rate_percent: gr.Slider
    show: gr.Button
    use: gr.Button
    told: gr.Textbox
    figure: gr.Image
    suggestions: gr.HTML
    look: gr.Button
    stop: gr.Button
    looked: gr.Textbox


def build_tools() -> TeachTools:
    """Put them where the caller's layout is."""
    with gr.Row(equal_height=False, elem_id="teach-tools"):
        with gr.Column(scale=1, min_width=420):
            gr.Markdown("## Threshold from your labels", elem_classes="teach-heading")
            rule = gr.Radio(RULES, value=BEST_F1, label="Where the threshold lies", elem_id="threshold-rule")
            rate = gr.Slider(
                0.5, 20, value=2, step=0.5, label="False alarms, % of normal pictures", visible=False,
                elem_id="threshold-rate",
            )  # fmt: skip
            with gr.Row(elem_classes="toolbar"):
                show = _button("Show the scores", "threshold-show")
                use = _button("Use this threshold", "threshold-use")
            told = _text("threshold-told", "Threshold")
            figure = gr.Image(
                label="Scores of normal and anomalous pictures", format="png", interactive=False, visible=False,
                elem_id="threshold-figure", buttons=["fullscreen"],
            )  # fmt: skip
        with gr.Column(scale=1, min_width=420):
            gr.Markdown("## What to label next", elem_classes="teach-heading")
            with gr.Row(elem_classes="toolbar"):
                look = _button("Look through all pictures", "suggest-look")
                stop = gr.Button(
                    "Stop", size="sm", scale=0, min_width=70, variant="stop", visible=False, elem_id="suggest-stop"
                )
                looked = _text("suggest-looked", "How far it is")
            suggestions = suggestions_panel(suggestions_value((), {}), "suggestions")
    return TeachTools(rule, rate, show, use, told, figure, suggestions, look, stop, looked)


def _button(label: str, elem_id: str) -> gr.Button:
    return gr.Button(label, size="sm", scale=0, min_width=170, elem_id=elem_id)


def _text(elem_id: str, label: str) -> gr.Textbox:
    """Plain text: names are people's."""
    return gr.Textbox(
        "", interactive=False, container=False, show_label=False, lines=1, max_lines=4, elem_id=elem_id, label=label,
        scale=1, min_width=160,
    )  # fmt: skip
