"""The Inspect tab: what is where, and which event calls which handler."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from app.ui.components import picture_input, preset_picker, uploaded_path, verdict_panel
from app.ui.controls import ControlComponents, build_controls
from app.ui.downloads import build_downloads
from app.ui.errors import shows_errors
from app.ui.example_row import build_examples
from app.ui.examples import Example, find_examples
from app.ui.handlers import Desk
from app.ui.presets import methods, picker_value
from app.ui.session import Session
from app.ui.views import TABLE_HEADERS, empty_verdict
from models.registry import DEFAULT_PRESET, PRESETS

_FOLLOW_EVERY_S = 0.2
_PROGRESS = gr.Progress()
_NOT_SHOWN_BY_BROWSERS = (".tif", ".tiff", ".jp2", ".j2k", ".ppm", ".pgm", ".pbm", ".pnm")


@dataclass(frozen=True, slots=True)
class InspectTab:
    """The tab's components."""

    session: gr.State
    picture: gr.Image
    examples: gr.Dataset
    method: gr.Radio
    picker: gr.HTML
    controls: ControlComponents
    verdict: gr.HTML
    compare: gr.ImageSlider
    fused_map: gr.Image
    sheet: gr.Image
    regions_heading: gr.Markdown
    regions: gr.Dataframe
    weights: gr.Textbox
    correct: gr.Button

    def outputs(self) -> list[Any]:
        """The components that `handlers.Shown` is for, in its order."""
        return [
            self.session, self.compare, self.verdict, self.controls.threshold, self.controls.calibrated,
            self.fused_map, self.sheet, self.regions_heading, self.regions, self.weights,
        ]  # fmt: skip


def build_inspect_tab(desk: Desk) -> InspectTab:
    """Put the tab where the caller's layout is and connect it.

    Args:
        desk: what the handlers work with.
    """
    session = gr.State(Session())
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
            method = gr.Radio(methods(), value=PRESETS[DEFAULT_PRESET].method, label="Method", elem_id="method")
            picker = preset_picker(picker_value(desk.engine.inspector.statuses(), DEFAULT_PRESET), "backbone")
            controls = build_controls()
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
            with gr.Row(equal_height=False):
                with gr.Column(scale=1, min_width=320):
                    fused_map = _image("Fused map (sum of the chosen layers)", "fused-map")
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
            sheet = _image("Every layer's own map, at patch resolution, on one scale", "layers-sheet")
            weights = gr.Textbox(
                label="Weights used", interactive=False, lines=2, elem_id="weights-used", buttons=["copy"]
            )
    tab = InspectTab(
        session, picture, example_row, method, picker, controls, verdict, compare, fused_map, sheet,
        regions_heading, regions, weights, correct,
    )  # fmt: skip
    _connect_picture(tab, desk, examples)
    _connect_model(tab, desk)
    _connect_settings(tab, desk)
    return tab


def _image(label: str, elem_id: str) -> gr.Image:
    return gr.Image(label=label, format="png", interactive=False, elem_id=elem_id, buttons=["fullscreen"])


def _connect_picture(tab: InspectTab, desk: Desk, examples: Sequence[Example]) -> None:
    """A new picture is inspected at once; one that cannot be read leaves the last one in place."""

    def arrive(payload: dict[str, Any] | None, progress: gr.Progress = _PROGRESS, *values: Any) -> Any:
        _follow(desk, progress)
        return desk.open_picture(uploaded_path(payload), *values)

    arrived = tab.picture.input(  # upload, paste, webcam and clear all end here
        shows_errors(arrive),
        [tab.picture, tab.session, *tab.controls.inputs()],
        tab.outputs(),
        preprocess=False,
        show_progress_on=tab.verdict,
        # A paste first reports an empty input, then the picture; "once" would drop the second while the first runs.
        trigger_mode="always_last",
        **_model_event(),
    )
    arrived.success(
        partial(_browser_preview, desk),
        tab.session,
        tab.picture,
        show_progress="hidden",
        api_visibility="private",
    )
    # A setting that was changed while the picture was on its way was read too early.
    arrived.success(
        shows_errors(desk.catch_up),
        [tab.session, *tab.controls.inputs()],
        tab.outputs(),
        show_progress="hidden",
        **_redraw_event(),
    )
    arrived.failure(desk.shown_picture, tab.session, tab.picture, show_progress="hidden", api_visibility="private")

    def pick(index: int, progress: gr.Progress = _PROGRESS, *values: Any) -> Any:
        _follow(desk, progress)
        return desk.open_picture(str(examples[index].path), *values)

    tab.examples.click(
        shows_errors(pick),
        [tab.examples, tab.session, *tab.controls.inputs()],
        tab.outputs(),
        show_progress_on=tab.verdict,
        **_model_event(),
    ).success(desk.shown_picture, tab.session, tab.picture, show_progress="hidden", api_visibility="private")


def _connect_model(tab: InspectTab, desk: Desk) -> None:
    """Another method or backbone: take its layers and smoothing, then inspect."""
    chosen = [tab.session, tab.picker, tab.controls.layers, tab.controls.blur_sigma]

    def pick(session: Session, event: gr.EventData) -> Any:
        return desk.choose_preset(str(event._data.get("name")), session)

    def redraw(session: Session, progress: gr.Progress = _PROGRESS, *values: Any) -> Any:
        _follow(desk, progress)
        return desk.redraw(session, *values)

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    for changed in (
        tab.picker.select(shows_errors(pick), tab.session, chosen, **quiet),
        tab.method.input(shows_errors(desk.choose_method), [tab.method, tab.session], chosen, **quiet),
    ):
        changed.success(
            shows_errors(redraw),
            [tab.session, *tab.controls.inputs()],
            tab.outputs(),
            show_progress_on=tab.verdict,
            **_model_event(),
        )


def _connect_settings(tab: InspectTab, desk: Desk) -> None:
    """Settings: everything after the forward pass, so results change at once."""
    controls = tab.controls
    values = [tab.session, *controls.inputs()]

    def redraws(event: Callable[..., Any], handler: Callable[..., Any], inputs: list[Any]) -> None:
        event(
            shows_errors(handler),
            inputs,
            tab.outputs(),
            show_progress="hidden",
            trigger_mode="always_last",
            **_redraw_event(),
        )

    for slider in (controls.top_k, controls.blur_sigma, controls.opacity):
        redraws(slider.release, desk.redraw, values)
    for choice in (controls.style, controls.colour_map):
        redraws(choice.input, desk.redraw, values)
    redraws(controls.layers.input, desk.use_calibrated, values)
    redraws(controls.calibrated.click, desk.use_calibrated, values)
    redraws(controls.threshold.release, desk.set_threshold, [controls.threshold, *values])
    for button, percent in ((controls.industrial, 1.0), (controls.medical, 5.0)):
        set_share = button.click(
            partial(float, percent), None, controls.top_k, show_progress="hidden", api_visibility="private"
        )
        redraws(set_share.then, desk.redraw, values)


def _model_event() -> dict[str, Any]:
    """Settings of every event that may run the model: one at a time, and none of them in the API."""
    return {"concurrency_id": "model", "concurrency_limit": 1, "api_visibility": "private"}


def _redraw_event() -> dict[str, Any]:
    """Settings of events that work on remembered layer maps, and so need not wait for anyone's picture."""
    return {"concurrency_id": "redraw", "concurrency_limit": 4, "api_visibility": "private"}


def _follow(desk: Desk, progress: gr.Progress) -> None:
    """Say what is going on; the first picture waits for the model that is being loaded."""
    while not desk.engine.status.settled and desk.engine.status.state != "waiting":
        progress(0.2, desc=desk.engine.status.text)
        time.sleep(_FOLLOW_EVERY_S)
    progress(0.6, desc="Inspecting")


def _browser_preview(desk: Desk, session: Session) -> Any:
    """A PNG for formats that browsers cannot show; other pictures stay as they are."""
    if session.picture is None or Path(session.picture.name).suffix.lower() not in _NOT_SHOWN_BY_BROWSERS:
        return gr.skip()
    return desk.shown_picture(session)
