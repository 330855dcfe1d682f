"""The settings on the left of the page: their components, their values as one record, and what a preset puts there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.services.colours import COLOUR_MAPS, DEFAULT_COLOUR_MAP, fused_scale
from app.services.inspection import Inspection
from app.services.references import ReferenceOptions
from app.services.rendering import Look
from app.services.words import takes_words
from app.ui.references_panel import ReferencePanel
from app.ui.scoring_controls import MOST_PATCHES, ScoringComponents, build_scoring
from app.ui.session import Session
from app.ui.views import digits_of
from models.config import InspectionConfig
from models.errors import DataError
from models.presets import Preset
from models.registry import DEFAULT_PRESET, PRESETS, get_preset

HEATMAP, OUTLINE = "Heatmap", "Outline"


@dataclass(frozen=True, slots=True)
class Controls:
    """The values of the controls, in the order in which handlers receive them."""

    layers: tuple[int, ...]
    top_k_percent: float
    blur_sigma: float
    style: str
    opacity_percent: float
    colour_map: str
    alpha: float
    top_patches: int
    rotations: bool
    flips: bool

    @classmethod
    def read(cls, values: tuple[Any, ...]) -> Controls:
        """Take the components' values.

        Raises:
            DataError: no layer is chosen.
        """
        (
            layers, top_k_percent, blur_sigma, style, opacity_percent, colour_map, alpha, top_patches, rotations, flips
        ) = values  # fmt: skip
        if not layers:
            raise DataError("Choose at least one layer; the result shown is that of the last choice.")
        return cls(
            layers=tuple(sorted(int(layer) for layer in layers)),
            top_k_percent=float(top_k_percent),
            blur_sigma=float(blur_sigma),
            style=style,
            opacity_percent=float(opacity_percent),
            colour_map=colour_map,
            alpha=float(alpha),
            top_patches=int(top_patches),
            rotations=bool(rotations),
            flips=bool(flips),
        )

    def settings(self, session: Session) -> InspectionConfig:
        """What the inspector is asked for; what the session's preset does not have is left out."""
        preset = get_preset(session.preset)
        return InspectionConfig(
            layers=self.layers,
            top_k=min(1.0, max(1e-6, self.top_k_percent / 100.0)),
            blur_sigma=max(0.0, self.blur_sigma),
            threshold=session.threshold,
            alpha=None if preset.alpha is None else min(1.0, max(0.0, self.alpha)),
            top_patches=None if preset.top_patches is None else min(MOST_PATCHES, max(1, self.top_patches)),
            prompts=session.prompts if takes_words(preset) else None,
            reference_weight=session.reference_weight if session.references else None,
        )

    def reference_options(self) -> ReferenceOptions:
        """How normal pictures are compared with."""
        return ReferenceOptions(rotations=self.rotations, flips=self.flips)

    def look(self) -> Look:
        """How the overlay is drawn."""
        return Look(
            colour_map=self.colour_map if self.colour_map in COLOUR_MAPS else DEFAULT_COLOUR_MAP,
            opacity=min(1.0, max(0.0, self.opacity_percent / 100.0)),
            outline_only=self.style == OUTLINE,
        )


@dataclass(frozen=True, slots=True)
class ControlComponents:
    """The components behind `Controls`, and those that act on them."""

    layers: gr.CheckboxGroup
    blur_sigma: gr.Slider
    style: gr.Radio
    opacity: gr.Slider
    colour_map: gr.Dropdown
    scoring: ScoringComponents
    threshold: gr.Slider
    calibrated: gr.Button
    references: ReferencePanel

    def inputs(self) -> list[Any]:
        """The components whose values make a `Controls`, in its order."""
        return [
            self.layers, self.scoring.top_k, self.blur_sigma, self.style, self.opacity, self.colour_map,
            self.scoring.alpha, self.scoring.top_patches, *self.references.inputs(),
        ]  # fmt: skip


def build_controls(references: ReferencePanel) -> ControlComponents:
    """Put the controls where the caller's layout is.

    Args:
        references: whose weight and options belong to them; it stands elsewhere on the page.
    """
    preset = PRESETS[DEFAULT_PRESET]
    layers = gr.CheckboxGroup(
        choices=layer_choices(preset.layers),
        value=list(preset.default_layers),
        label="Layers",
        info=layers_info(preset),
        elem_id="layers",
    )
    with gr.Group():
        threshold = gr.Slider(
            0.0,
            2.0,
            value=1.0,
            step=0.01,
            label="Threshold (map value)",
            interactive=False,
            elem_id="threshold",
            info="verdict and mask; calibrated on normal pictures",
            buttons=[],
        )
        calibrated = gr.Button("Back to calibrated", size="sm", interactive=False, elem_id="calibrated")
    scoring = build_scoring(preset)
    blur_sigma = gr.Slider(
        0.0,
        16.0,
        value=preset.blur_sigma,
        step=0.5,
        label="Smoothing (px)",
        elem_id="smoothing",
        info="Gaussian sigma in pixels of the model's input; 0 = off",
        buttons=["reset"],
    )
    style = gr.Radio([HEATMAP, OUTLINE], value=HEATMAP, label="Overlay", elem_id="style")
    opacity = gr.Slider(0, 100, value=65, step=5, label="Opacity (%)", elem_id="opacity", buttons=["reset"])
    colour_map = gr.Dropdown(
        [(f"{name} ({colours})", name) for name, colours in COLOUR_MAPS.items()],
        value=DEFAULT_COLOUR_MAP,
        label="Colour map",
        elem_id="colour-map",
    )
    return ControlComponents(layers, blur_sigma, style, opacity, colour_map, scoring, threshold, calibrated, references)


def layer_choices(layers: Sequence[int]) -> list[tuple[str, int]]:
    """Layers as entries of the checkbox group."""
    return [(str(layer), layer) for layer in layers]


def layers_info(preset: Preset) -> str:
    """What layers are, and what becomes of those that are chosen."""
    joined = "added" if preset.reading.joining == "sum" else "averaged"
    return f"early = fine texture, late = parts and objects; their maps are {joined}"


def threshold_update(inspection: Inspection) -> Any:
    """Set the slider to the threshold in force, around the calibrated one."""
    scale = fused_scale(inspection)
    value = scale.low if inspection.threshold is None else inspection.threshold
    digits = digits_of(scale)
    low, high = round(min(scale.low, value), digits), round(max(scale.high, value), digits)
    return gr.update(minimum=low, maximum=high, step=10**-digits, value=round(value, max(3, digits)), interactive=True)
