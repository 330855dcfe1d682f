"""The accordion "Words": what a method that compares pictures with text looks for, one's own or the model's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.services.words import PAPER_WORDS, takes_words
from models.methods.prompts import PromptSet
from models.presets import Preset


@dataclass(frozen=True, slots=True)
class WordComponents:
    """The accordion and what is in it."""

    accordion: gr.Accordion
    object_name: gr.Textbox
    normal: gr.Textbox
    anomalous: gr.Textbox
    use: gr.Button
    back: gr.Button

    def fields(self) -> list[Any]:
        """The text fields, in the order of `word_fields`."""
        return [self.object_name, self.normal, self.anomalous]


def build_words(preset: Preset) -> WordComponents:
    """Put the accordion where the caller's layout is.

    Args:
        preset: the one that the page begins with; the accordion is hidden unless it takes words.
    """
    name, normal, anomalous = word_fields(PAPER_WORDS)
    with gr.Accordion(
        words_label(None, PAPER_WORDS), open=False, visible=takes_words(preset), elem_id="words"
    ) as accordion:
        name_field = gr.Textbox(
            name, label="Object", info="what the picture shows", max_lines=1, elem_id="words-object"
        )
        normal_field = gr.Textbox(
            normal,
            label="Normal states",
            info="one a line; {} stands for the object",
            lines=3,
            max_lines=12,
            elem_id="words-normal",
        )
        anomalous_field = gr.Textbox(
            anomalous,
            label="Anomalous states",
            info="one a line; “cracked” means “cracked {}”",
            lines=5,
            max_lines=12,
            elem_id="words-anomalous",
        )
        with gr.Row(elem_classes="pair"):
            use = gr.Button("Use", size="sm", variant="primary", elem_id="words-use")
            back = gr.Button("Back to the model's own", size="sm", elem_id="words-back")
    return WordComponents(accordion, name_field, normal_field, anomalous_field, use, back)


def word_fields(prompts: PromptSet) -> tuple[str, str, str]:
    """Words as the text fields show them: the object's name, the normal and the anomalous states, one a line."""
    return prompts.object_name, "\n".join(prompts.normal), "\n".join(prompts.anomalous)


def words_label(prompts: PromptSet | None, own: PromptSet) -> str:
    """The accordion's title, which says whose words are in use.

    Args:
        prompts: those of the visitor; None = the model's own.
        own: the model's own.
    """
    if prompts is not None and prompts != own:
        return "Words: your own"
    return "Words: the paper's" if own == PAPER_WORDS else "Words: the head's own"
