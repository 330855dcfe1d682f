"""The settings on the left of the page: their components, their values as one record, and what a preset puts there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import gradio as gr

from app.services.colours import COLOUR_MAPS, DEFAULT_COLOUR_MAP, fused_scale
from app.services.inspection import Inspection
from app.services.rendering import Look
from models.config import InspectionConfig
from models.errors import DataError
from models.registry import DEFAULT_PRESET, PRESETS

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

    @classmethod
    def read(cls, values: tuple[Any, ...]) -> Controls:
        """Take the components' values.

        Raises:
            DataError: no layer is chosen.
        """
        layers, top_k_percent, blur_sigma, style, opacity_percent, colour_map = values
        if not layers:
            raise DataError("Choose at least one layer; the result shown is that of the last choice.")
        numbers = tuple(sorted(int(layer) for layer in layers))
        return cls(numbers, float(top_k_percent), float(blur_sigma), style, float(opacity_percent), colour_map)

    def settings(self, threshold: float | None) -> InspectionConfig:
        """What the inspector is asked for; `threshold` None means the calibrated one."""
        return InspectionConfig(
            layers=self.layers,
            top_k=min(1.0, max(1e-6, self.top_k_percent / 100.0)),
            blur_sigma=max(0.0, self.blur_sigma),
            threshold=threshold,
        )

    def look(self) -> Look:
        """How the overlay is drawn."""
        return Look(
            colour_map=self.colour_map if self.colour_map in COLOUR_MAPS else DEFAULT_COLOUR_MAP,
            opacity=min(1.0, max(0.0, self.opacity_percent / 100.0)),
            outline_only=self.style == OUTLINE,
        )


@dataclass(frozen=True, slots=True)
class ControlComponents:
    """The components behind `Controls`, in the same order, and those that act on them."""

    layers: gr.CheckboxGroup
    top_k: gr.Slider
    blur_sigma: gr.Slider
    style: gr.Radio
    opacity: gr.Slider
    colour_map: gr.Dropdown
    threshold: gr.Slider
    calibrated: gr.Button
    industrial: gr.Button
    medical: gr.Button

    def inputs(self) -> list[Any]:
        """The components whose values make a `Controls`."""
        return [getattr(self, field.name) for field in fields(self)][:6]


def build_controls() -> ControlComponents:
    """Put the controls where the caller's layout is."""
    preset = PRESETS[DEFAULT_PRESET]
    layers = gr.CheckboxGroup(
        choices=layer_choices(preset.layers),
        value=list(preset.default_layers),
        label="Layers",
        info="early = fine texture, late = parts and objects; their maps are added",
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
    with gr.Group():
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
    return ControlComponents(
        layers, top_k, blur_sigma, style, opacity, colour_map, threshold, calibrated, industrial, medical
    )


def layer_choices(layers: Sequence[int]) -> list[tuple[str, int]]:
    """Layers as entries of the checkbox group."""
    return [(str(layer), layer) for layer in layers]


def threshold_update(inspection: Inspection) -> Any:
    """Set the slider to the threshold in force, around the calibrated one."""
    scale = fused_scale(inspection)
    value = scale.low if inspection.threshold is None else inspection.threshold
    low, high = round(min(scale.low, value), 2), round(max(scale.high, value), 2)
    return gr.update(minimum=low, maximum=high, value=round(value, 3), interactive=True)
