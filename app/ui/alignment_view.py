"""The accordion with the text-visual alignment, which is computed when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from app.services.words import takes_words
from models.presets import Preset


@dataclass(frozen=True, slots=True)
class AlignmentComponents:
    """The accordion and what is in it."""

    accordion: gr.Accordion
    show: gr.Button
    picture: gr.Image


def build_alignment(preset: Preset) -> AlignmentComponents:
    """Put the accordion where the caller's layout is.

    Args:
        preset: the one that the page begins with; the accordion is hidden unless it takes words.
    """
    with gr.Accordion(
        "Text-visual alignment", open=False, visible=takes_words(preset), elem_id="alignment"
    ) as accordion:
        show = gr.Button("Show text-visual alignment", size="sm", elem_id="alignment-show")
        picture = gr.Image(
            label="Patches, the whole picture and the words, before and after the head",
            format="png",
            interactive=False,
            elem_id="alignment-picture",
            buttons=["fullscreen"],
        )
    return AlignmentComponents(accordion, show, picture)
