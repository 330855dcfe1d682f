"""New values for the Inspect tab's components, by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import gradio as gr

from app.ui import reference_views, views
from app.ui.session import Session


class Shown(NamedTuple):
    """New values for the outputs of every redraw, in their order."""

    session: Session
    compare: Any
    verdict: Any
    threshold: Any
    calibrated: Any
    fused_map: Any
    sheet: Any
    regions_heading: Any
    regions: Any
    weights: Any
    alignment: Any
    zero_shot_map: Any
    reference_map: Any
    references_say: Any
    reference_weight: Any
    weight_by_rule: Any


class Chosen(NamedTuple):
    """New values for what depends on the preset, in the order of `InspectTab.chosen`."""

    session: Any
    picker: Any
    caption: Any
    layers: Any
    blur_sigma: Any
    words: Any
    alignment: Any
    by_pixels: Any
    top_k: Any
    by_patches: Any
    alpha: Any
    top_patches: Any


class OfModel(NamedTuple):
    """New values for what only the loaded model knows, in the order of `InspectTab.of_model`."""

    object_name: Any
    normal: Any
    anomalous: Any
    words: Any
    alpha: Any


def nothing_shown(session: Session) -> Shown:
    """The page without a picture."""
    empty = replace(session, picture=None, threshold=None, sheet=(), sources=())
    hidden = gr.update(value=None, visible=False)
    return Shown(
        session=empty,
        compare=None,
        verdict=views.empty_verdict(),
        threshold=gr.update(interactive=False),
        calibrated=gr.update(interactive=False),
        fused_map=None,
        sheet=None,
        regions_heading="",
        regions=[],
        weights="",
        alignment=None,
        zero_shot_map=hidden,
        reference_map=hidden,
        references_say=reference_views.says_value(empty),
        **reference_views.weight_updates(empty),
    )
