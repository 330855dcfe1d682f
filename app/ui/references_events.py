"""The reference panel's events: which one calls which handler."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import gradio as gr

from app.ui import reference_views as views
from app.ui.components import uploaded_paths
from app.ui.errors import shows_errors
from app.ui.inspect_events import following, model_event, redraw_event
from app.ui.reference_handlers import ReferenceDesk
from app.ui.session import Session

if TYPE_CHECKING:
    from app.ui.inspect_tab import InspectTab

_QUIET: Final[dict[str, Any]] = {"show_progress": "hidden", "api_visibility": "private"}
_FILES: Final[dict[str, Any]] = {"concurrency_id": "files", "concurrency_limit": 2, "api_visibility": "private"}


def connect_references(tab: InspectTab, desk: ReferenceDesk) -> None:
    """Connect the panel: each change of the pictures inspects again, each change of the weight draws again.

    Args:
        tab: laid out, with its panel.
        desk: what the handlers work with.
    """
    panel = tab.references
    _connect_pictures(tab, desk)
    _connect_options(tab, desk)

    def count() -> Any:
        return views.workspace_button(desk.normals())

    panel.accordion.expand(shows_errors(count), None, panel.from_workspace, concurrency_limit=None, **_QUIET)


def _connect_pictures(tab: InspectTab, desk: ReferenceDesk) -> None:
    panel = tab.references

    def add(payload: Any, session: Session) -> Any:
        return (*desk.add(uploaded_paths(payload), session), None)

    def remove(session: Session, event: gr.EventData) -> Any:
        return desk.remove(str(event._data.get("digest")), session)

    outputs = panel.outputs(tab.session)
    added = panel.files.upload(
        shows_errors(add),
        [panel.files, tab.session],
        [*outputs, panel.files],
        preprocess=False,
        show_progress_on=panel.pictures,
        **_FILES,
    )
    added.failure(lambda: None, None, panel.files, **_QUIET)  # what was refused must not look taken
    for changed in (
        added,
        panel.pictures.remove(shows_errors(remove), tab.session, outputs, show_progress="hidden", **_FILES),
        panel.pictures.clear(shows_errors(desk.clear), tab.session, outputs, show_progress="hidden", **_FILES),
        panel.from_workspace.click(
            shows_errors(desk.use_workspace), tab.session, outputs, show_progress_on=panel.pictures, **_FILES
        ),
    ):
        _inspect_again(changed, tab, desk)


def _connect_options(tab: InspectTab, desk: ReferenceDesk) -> None:
    panel, values = tab.references, [tab.session, *tab.controls.inputs()]
    for event, handler, inputs in (
        (panel.weight.release, desk.desk.set_reference_weight, [panel.weight, *values]),
        (panel.by_rule.click, desk.desk.use_weight_by_rule, values),
    ):
        event(
            shows_errors(handler),
            inputs,
            tab.outputs(),
            show_progress="hidden",
            trigger_mode="always_last",
            **redraw_event(),
        )
    for option in (panel.rotations, panel.flips):
        option.input(
            shows_errors(following(desk.desk, desk.desk.redraw)),
            values,
            tab.outputs(),
            show_progress_on=tab.verdict,
            **model_event(),
        )


def _inspect_again(changed: Any, tab: InspectTab, desk: ReferenceDesk) -> None:
    """Inspect with other references; where the method knows nothing else, the default one goes on without them."""
    changed.success(shows_errors(desk.without_references), tab.session, [tab.method, *tab.chosen()], **_QUIET).success(
        shows_errors(following(desk.desk, desk.desk.redraw)),
        [tab.session, *tab.controls.inputs()],
        tab.outputs(),
        show_progress_on=tab.verdict,
        **model_event(),
    )
