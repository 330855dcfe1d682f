"""The Inspect tab's events: which one calls which handler."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from app.ui.components import uploaded_path
from app.ui.errors import shows_errors
from app.ui.examples import Example
from app.ui.handlers import Desk
from app.ui.session import Session
from models.registry import PRESETS

if TYPE_CHECKING:
    from app.ui.inspect_tab import InspectTab

_FOLLOW_EVERY_S = 0.2
_PROGRESS = gr.Progress()
_NOT_SHOWN_BY_BROWSERS = (".tif", ".tiff", ".jp2", ".j2k", ".ppm", ".pgm", ".pbm", ".pnm")
_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


def connect(tab: InspectTab, desk: Desk, examples: Sequence[Example]) -> None:
    """Connect the tab's components.

    Args:
        tab: laid out.
        desk: what the handlers work with.
        examples: those that the tab offers.
    """
    _connect_picture(tab, desk, examples)
    _connect_model(tab, desk)
    _connect_settings(tab, desk)
    _connect_text(tab, desk)


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
        **model_event(),
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
        **redraw_event(),
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
        **model_event(),
    ).success(desk.shown_picture, tab.session, tab.picture, show_progress="hidden", api_visibility="private")


def _connect_model(tab: InspectTab, desk: Desk) -> None:
    """Another method or backbone: take its layers, smoothing and score, then inspect."""

    def pick(session: Session, event: gr.EventData) -> Any:
        return desk.choose_preset(str(event._data.get("name")), session)

    picked = tab.picker.select(shows_errors(pick), tab.session, tab.chosen(), **_QUIET)
    chosen = tab.method.input(shows_errors(desk.choose_method), [tab.method, tab.session], tab.chosen(), **_QUIET)
    chosen.failure(lambda session: PRESETS[session.preset].method, tab.session, tab.method, **_QUIET)
    for changed in (picked, chosen):
        changed.success(
            shows_errors(following(desk, desk.redraw)),
            [tab.session, *tab.controls.inputs()],
            tab.outputs(),
            show_progress_on=tab.verdict,
            **model_event(),
        ).then(shows_errors(desk.of_model), tab.session, tab.of_model(), show_progress="hidden", **model_event())


def _connect_settings(tab: InspectTab, desk: Desk) -> None:
    """Settings: everything after the forward pass, so results change at once."""
    controls, scoring = tab.controls, tab.controls.scoring
    values = [tab.session, *controls.inputs()]

    def redraws(event: Callable[..., Any], handler: Callable[..., Any], inputs: list[Any]) -> None:
        event(
            shows_errors(handler),
            inputs,
            tab.outputs(),
            show_progress="hidden",
            trigger_mode="always_last",
            **redraw_event(),
        )

    for slider in (scoring.top_k, controls.blur_sigma, controls.opacity, scoring.alpha, scoring.top_patches):
        redraws(slider.release, desk.redraw, values)
    for choice in (controls.style, controls.colour_map):
        redraws(choice.input, desk.redraw, values)
    redraws(controls.layers.input, desk.use_calibrated, values)
    redraws(controls.calibrated.click, desk.use_calibrated, values)
    redraws(controls.threshold.release, desk.set_threshold, [controls.threshold, *values])
    for button, percent in ((scoring.industrial, 1.0), (scoring.medical, 5.0)):
        set_share = button.click(
            partial(float, percent), None, scoring.top_k, show_progress="hidden", api_visibility="private"
        )
        redraws(set_share.then, desk.redraw, values)


def _connect_text(tab: InspectTab, desk: Desk) -> None:
    """Words and alignment, of methods that compare with text; both run the model."""
    words, values = tab.words, [tab.session, *tab.controls.inputs()]

    def title(session: Session) -> Any:
        return desk.of_model(session).words

    words.use.click(
        shows_errors(desk.use_words),
        [*words.fields(), *values],
        tab.outputs(),
        show_progress_on=tab.verdict,
        **model_event(),
    ).success(
        shows_errors(title),
        tab.session,
        words.accordion,
        show_progress="hidden",
        **model_event(),
    )
    words.back.click(
        shows_errors(desk.use_own_words), values, tab.outputs(), show_progress_on=tab.verdict, **model_event()
    ).success(shows_errors(desk.of_model), tab.session, tab.of_model(), show_progress="hidden", **model_event())
    tab.alignment.show.click(
        shows_errors(desk.alignment),
        values,
        tab.alignment.picture,
        show_progress_on=tab.alignment.picture,
        **model_event(),
    )


def model_event() -> dict[str, Any]:
    """Settings of every event that may run the model: one at a time, and none of them in the API."""
    return {"concurrency_id": "model", "concurrency_limit": 1, "api_visibility": "private"}


def redraw_event() -> dict[str, Any]:
    """Settings of events that work on remembered layer maps, and so need not wait for anyone's picture."""
    return {"concurrency_id": "redraw", "concurrency_limit": 4, "api_visibility": "private"}


def following(desk: Desk, handler: Callable[..., Any]) -> Callable[..., Any]:
    """A handler of a session and values that says what is going on while it waits for the model."""

    def followed(session: Session, progress: gr.Progress = _PROGRESS, *values: Any) -> Any:
        _follow(desk, progress)
        return handler(session, *values)

    return followed


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
