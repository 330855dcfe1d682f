"""What happens when someone acts on the Inspect tab; plain values in, component values out."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple
from uuid import uuid4

import gradio as gr

from app.services.inspection import Inspection
from app.services.layer_sheet import layer_sheet
from app.services.rendering import map_image, overlay_image
from app.ui import views
from app.ui.controls import Controls, layer_choices, threshold_update
from app.ui.engine import Engine
from app.ui.presets import first_ready, picker_value
from app.ui.scratch import Scratch
from app.ui.session import PictureRef, PictureShelf, Session, ShelvedPicture
from models.errors import PictureError, WeightsError
from models.registry import DEFAULT_PRESET, PRESETS, get_preset

_PAGES_KEPT: Final = 10_000


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


@dataclass(frozen=True, slots=True, eq=False)
class Desk:
    """What handlers work with; one for the whole process."""

    engine: Engine
    shelf: PictureShelf
    scratch: Scratch
    newest: OrderedDict[str, PictureRef] = field(default_factory=OrderedDict)  # of each page, by `Session.page`

    def open_picture(self, path: str | None, session: Session, *values: Any) -> tuple[Any, ...]:
        """A picture was uploaded, pasted, photographed or picked: inspect it at once."""
        if path is None:
            return nothing_shown(session)
        opened = replace(session, page=session.page or uuid4().hex, picture=self.shelf.open(path))
        assert opened.picture is not None
        self.newest[opened.page] = opened.picture
        while len(self.newest) > _PAGES_KEPT:
            self.newest.popitem(last=False)
        return self.redraw(opened, *values)

    def redraw(self, session: Session, *values: Any) -> tuple[Any, ...]:
        """Show the session's picture with the present settings; the backbone runs only if it has not yet."""
        if session.picture is None:
            return (session, *[gr.skip()] * (len(Shown._fields) - 1))
        controls = Controls.read(values)
        shelved = self.shelf.get(session.picture)
        settings = controls.settings(session.threshold)
        inspection = self.engine.inspector.inspect(shelved.picture, session.preset, settings)
        if self.newest.get(session.page, session.picture) != session.picture:
            return (gr.skip(),) * len(Shown._fields)  # another picture was opened meanwhile
        return self._show(inspection, controls, shelved, replace(session, drawn=repr(values)))

    def catch_up(self, session: Session, *values: Any) -> tuple[Any, ...]:
        """Redraw only if a control was moved while the picture on screen was on its way."""
        if session.drawn == repr(values):
            return (gr.skip(),) * len(Shown._fields)
        return self.redraw(session, *values)

    def set_threshold(self, threshold: float, session: Session, *values: Any) -> tuple[Any, ...]:
        """The threshold was set by hand."""
        return self.redraw(replace(session, threshold=float(threshold)), *values)

    def use_calibrated(self, session: Session, *values: Any) -> tuple[Any, ...]:
        """Go back to the calibrated threshold; also right after a change of layers, which changes the unit."""
        return self.redraw(replace(session, threshold=None), *values)

    def choose_preset(self, name: str, session: Session) -> tuple[Session, Any, Any, Any]:
        """Take another backbone: the session, the picker, the layers and the smoothing of that preset.

        Raises:
            UnknownModelError: there is no such preset.
            WeightsError: it has no weights here.
        """
        preset = get_preset(name)
        statuses = self.engine.inspector.statuses()
        status = next(status for status in statuses if status.preset == name)
        if not status.ready:
            raise WeightsError(f"{preset.title} has no weights here: {status.how_to_get}")
        chosen = replace(session, preset=name, threshold=None)
        loaded = self.engine.status if name == DEFAULT_PRESET and self.engine.status.layers else preset
        return (
            chosen,
            picker_value(statuses, name),
            gr.update(choices=layer_choices(loaded.layers), value=list(loaded.default_layers)),
            preset.blur_sigma,
        )

    def choose_method(self, method: str, session: Session) -> tuple[Session, Any, Any, Any]:
        """Take another method with the first of its backbones that has weights.

        Raises:
            WeightsError: none of them has.
        """
        if PRESETS[session.preset].method == method:
            return session, gr.skip(), gr.skip(), gr.skip()
        name = first_ready(self.engine.inspector.statuses(), method)
        if name is None:
            raise WeightsError(f"{method} has no weights here; `python -m app weights` says how to get them.")
        return self.choose_preset(name, session)

    def shown_picture(self, session: Session) -> str | None:
        """The PNG of the session's picture, to put back what an unreadable file has pushed out of the input."""
        return None if session.picture is None else self.shelf.get(session.picture).preview_path

    def inspection(self, session: Session, values: tuple[Any, ...]) -> tuple[Inspection, Controls]:
        """The result that is on screen.

        Raises:
            PictureError: no picture was chosen yet.
        """
        if session.picture is None:
            raise PictureError("There is no result yet; choose a picture first.")
        controls = Controls.read(values)
        picture = self.shelf.get(session.picture).picture
        settings = controls.settings(session.threshold)
        return self.engine.inspector.inspect(picture, session.preset, settings), controls

    def _show(self, inspection: Inspection, controls: Controls, shelved: ShelvedPicture, session: Session) -> Shown:
        """Draw a result."""
        look = controls.look()
        overlay = overlay_image(inspection, look, shelved.preview)
        sheet_key = (inspection.picture.digest, session.preset, look.colour_map, str(inspection.layers))
        sheet: Any = gr.skip()
        if sheet_key != session.sheet:
            sheet = self.scratch.png(layer_sheet(inspection, look.colour_map), "layers")
        return Shown(
            session=replace(session, sheet=sheet_key),
            compare=(shelved.preview_path, self.scratch.png(overlay, "overlay")),
            verdict=views.verdict_value(inspection),
            threshold=threshold_update(inspection),
            calibrated=gr.update(interactive=session.threshold is not None and inspection.thresholds is not None),
            fused_map=self.scratch.png(map_image(inspection, look.colour_map), "map"),
            sheet=sheet,
            regions_heading=views.regions_heading(inspection),
            regions=views.region_rows(inspection),
            weights=views.weights_sentence(inspection),
        )


def nothing_shown(session: Session) -> Shown:
    """The page without a picture."""
    empty = replace(session, picture=None, threshold=None, sheet=())
    return Shown(
        empty,
        None,
        views.empty_verdict(),
        gr.update(interactive=False),
        gr.update(interactive=False),
        None,
        None,
        "",
        [],
        "",
    )
