"""How a picture is scored: by pixels, or by patches and a blend of two maps; only what the method has is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import gradio as gr

from models.presets import Preset

MOST_PATCHES: Final = 400
_ALPHA: Final = 0.7  # where a preset has none, so that the hidden slider holds a number
_PATCHES: Final = 80


@dataclass(frozen=True, slots=True)
class ScoringComponents:
    """The components of both kinds; those that the method does not have are hidden."""

    by_pixels: gr.Group
    top_k: gr.Slider
    industrial: gr.Button
    medical: gr.Button
    by_patches: gr.Group
    alpha: gr.Slider
    top_patches: gr.Slider

    def of_preset(self) -> list[Any]:
        """The components that `scoring_updates` is for, in its order."""
        return [self.by_pixels, self.top_k, self.by_patches, self.alpha, self.top_patches]


def build_scoring(preset: Preset) -> ScoringComponents:
    """Put the controls where the caller's layout is.

    Args:
        preset: whose values they begin with.
    """
    with gr.Group(visible=preset.reading.score == "pixels") as by_pixels:
        top_k = gr.Slider(
            0.1,
            20.0,
            value=preset.top_k * 100,
            step=0.1,
            label="Top-k (% of pixels)",
            elem_id="top-k",
            info="the score is the mean of these highest pixels",
            buttons=[],
        )
        with gr.Row(elem_classes="pair"):
            industrial = gr.Button("1 % industrial", size="sm", elem_id="top-k-industrial")
            medical = gr.Button("5 % medical", size="sm", elem_id="top-k-medical")
    with gr.Group(visible=preset.top_patches is not None) as by_patches:
        top_patches = gr.Slider(
            1,
            MOST_PATCHES,
            value=preset.top_patches or _PATCHES,
            step=1,
            label="Top-k (patches)",
            elem_id="top-patches",
            info="the score is half the whole picture's probability, half the mean of these highest patches",
            buttons=["reset"],
        )
        alpha = gr.Slider(
            0.0,
            1.0,
            value=_ALPHA if preset.alpha is None else preset.alpha,
            step=0.05,
            label="Alpha",
            elem_id="alpha",
            info="share of the refined map; the rest is the static one",
            visible=preset.alpha is not None,
            buttons=["reset"],
        )
    return ScoringComponents(by_pixels, top_k, industrial, medical, by_patches, alpha, top_patches)


def scoring_updates(preset: Preset) -> list[Any]:
    """Show what a preset has, at its own values, for the outputs of `ScoringComponents.of_preset`."""
    return [
        gr.update(visible=preset.reading.score == "pixels"),
        preset.top_k * 100,
        gr.update(visible=preset.top_patches is not None),
        gr.update(visible=preset.alpha is not None, value=_ALPHA if preset.alpha is None else preset.alpha),
        preset.top_patches or _PATCHES,
    ]
