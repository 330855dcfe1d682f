"""What happens when someone acts on the Inspect tab; plain values in, component values out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import gradio as gr

from app.services.alignment import align, alignment_image
from app.services.branch_sheet import branch_sheet
from app.services.inspection import Inspection
from app.services.layer_sheet import layer_sheet
from app.services.rendering import map_image, overlay_image
from app.services.words import check_readable, own_words, takes_words, words_written
from app.ui import reference_views, views
from app.ui.controls import Controls, layer_choices, layers_info, threshold_update
from app.ui.engine import Engine
from app.ui.presets import caption_update, first_ready, picker_value
from app.ui.reference_shelf import ReferenceShelf
from app.ui.scoring_controls import scoring_updates
from app.ui.scratch import Scratch
from app.ui.session import NewestChoices, PictureShelf, Session, ShelvedPicture
from app.ui.shown import Chosen, OfModel, Shown, nothing_shown
from app.ui.words import word_fields, words_label
from models.config import InspectionConfig
from models.errors import DataError, PictureError, WeightsError
from models.presets import NEEDS_REFERENCES
from models.registry import DEFAULT_PRESET, PRESETS, get_preset

__all__ = ["Chosen", "Desk", "OfModel", "Shown", "nothing_shown"]


@dataclass(frozen=True, slots=True, eq=False)
class Desk:
    """What handlers work with; one for the whole process."""

    engine: Engine
    shelf: PictureShelf
    scratch: Scratch
    newest: NewestChoices = field(default_factory=NewestChoices)
    references: ReferenceShelf = field(default_factory=ReferenceShelf)

    def open_picture(self, path: str | None, session: Session, *values: Any) -> tuple[Any, ...]:
        """A picture was uploaded, pasted, photographed or picked: inspect it at once."""
        if path is None:
            self.newest.choose(replace(session, picture=None))
            return nothing_shown(session)
        references = self.newest.of(session).references  # some may have been added a moment ago
        opened = replace(session.with_page(), picture=self.shelf.open(path), references=references)
        return self._redraw_chosen(opened, values)

    def redraw(self, session: Session, *values: Any) -> tuple[Any, ...]:
        """Show the session's picture with the present settings; the backbone runs only if it has not yet."""
        if session.picture is None:
            is_outdated = self.newest.is_outdated(session)
            return (gr.skip() if is_outdated else session, *[gr.skip()] * (len(Shown._fields) - 1))
        controls = Controls.read(values)
        shelved = self.shelf.get(session.picture)
        inspection = self._inspect(shelved, controls, session)
        if self.newest.is_outdated(session):
            return (gr.skip(),) * len(Shown._fields)
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

    def set_reference_weight(self, weight: float, session: Session, *values: Any) -> tuple[Any, ...]:
        """The share of the normal pictures was set by hand."""
        return self.redraw(replace(session, reference_weight=min(1.0, max(0.0, float(weight)))), *values)

    def use_weight_by_rule(self, session: Session, *values: Any) -> tuple[Any, ...]:
        """Go back to the share that follows from what the method says about the normal pictures."""
        return self.redraw(replace(session, reference_weight=None), *values)

    def use_words(
        self, object_name: str, normal: str, anomalous: str, session: Session, *values: Any
    ) -> tuple[Any, ...]:
        """Compare with other words, one state a line; what was on screen stays if they cannot be used.

        Raises:
            DataError: a field is empty, or a text does not fit into the text tower.
        """
        worded = replace(session, prompts=words_written(object_name, normal, anomalous))
        with self.newest.choosing(worded):
            if session.picture is None:  # else inspecting tells
                check_readable(self.engine.inspector, session.preset, worded.prompts)
            return self.redraw(worded, *values)

    def use_own_words(self, session: Session, *values: Any) -> tuple[Any, ...]:
        """Go back to the words that the model has of its own."""
        return self._redraw_chosen(replace(session, prompts=None), values)

    def of_model(self, session: Session) -> OfModel:
        """Show what only the loaded model knows: its own words, and whether it has maps to blend."""
        preset = get_preset(session.preset)
        if not takes_words(preset):
            return OfModel(*[gr.skip()] * len(OfModel._fields))
        model = self.engine.inspector.model(session.preset)
        own = own_words(model)
        return OfModel(
            *word_fields(session.prompts or own),
            gr.update(label=words_label(session.prompts, own)),
            gr.update(visible=preset.alpha is not None and len(model.branches) > 1),
        )

    def alignment(self, session: Session, *values: Any) -> Any:
        """The picture of the text-visual alignment of the result on screen; runs the towers once.

        Raises:
            PictureError: no picture was chosen yet.
            DataError: the method compares with no words.
        """
        inspection, controls = self.inspection(session, values)
        drawn = alignment_image(align(self.engine.inspector, inspection), inspection, controls.look().colour_map)
        if self.newest.is_outdated(session):
            return gr.skip()
        return self.scratch.png(drawn, "alignment")

    def choose_preset(self, name: str, session: Session) -> Chosen:
        """Take another backbone, with the layers, the smoothing and the score of that preset.

        Raises:
            UnknownModelError: there is no such preset.
            WeightsError: it has no weights here.
        """
        preset = get_preset(name)
        statuses = self.engine.inspector.statuses()
        status = next(status for status in statuses if status.preset == name)
        if not status.ready:
            raise WeightsError(f"{preset.title} has no weights here: {status.how_to_get}")
        newest = self.newest.of(session)  # a picture that is still being inspected was chosen before this
        if preset.needs_references and not newest.references:
            raise DataError(NEEDS_REFERENCES.format(method=preset.method))
        loaded = self.engine.status if name == DEFAULT_PRESET and self.engine.status.layers else preset
        layers = gr.update(
            choices=layer_choices(loaded.layers), value=list(loaded.default_layers), info=layers_info(preset)
        )
        chosen = replace(session, preset=name, threshold=None, picture=newest.picture, references=newest.references)
        self.newest.choose(chosen)
        return Chosen(
            chosen,
            picker_value(statuses, name),
            caption_update(preset),
            layers,
            preset.blur_sigma,
            gr.update(visible=takes_words(preset)),
            gr.update(visible=takes_words(preset)),
            *scoring_updates(preset),
        )

    def choose_method(self, method: str, session: Session) -> Chosen:
        """Take another method with the first of its backbones that has weights.

        Raises:
            WeightsError: none of them has.
        """
        if PRESETS[session.preset].method == method:
            return Chosen(*[gr.skip()] * len(Chosen._fields))
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
        return self._inspect(self.shelf.get(session.picture), controls, session), controls

    def _inspect(self, shelved: ShelvedPicture, controls: Controls, session: Session) -> Inspection:
        """Inspect a picture, compared with the session's references where there are some."""
        inspector, settings = self.engine.inspector, self._settings(controls, session)
        references = self.references.references(inspector.references, session.references, controls.reference_options())
        return inspector.inspect(shelved.picture, session.preset, settings, references)

    def _redraw_chosen(self, session: Session, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """`redraw` with another picture or other words, which is from now on what the page wants."""
        with self.newest.choosing(session):
            return self.redraw(session, *values)

    def _settings(self, controls: Controls, session: Session) -> InspectionConfig:
        """What the inspector is asked for, without what the loaded model does not have or does by itself."""
        settings, model = controls.settings(session), self.engine.inspector.model(session.preset)
        if len(model.branches) < 2:
            settings = replace(settings, alpha=None)
        is_own = settings.prompts is not None and settings.prompts == own_words(model)
        return replace(settings, prompts=None) if is_own else settings

    def _show(self, inspection: Inspection, controls: Controls, shelved: ShelvedPicture, session: Session) -> Shown:
        """Draw a result."""
        look = controls.look()
        overlay = overlay_image(inspection, look, shelved.preview)
        sheet_key = _sheet_key(inspection, look.colour_map)
        is_other = sheet_key != session.sheet
        sources = reference_views.sources_key(inspection, look.colour_map)
        zero_shot_map, reference_map = (
            (gr.skip(), gr.skip())
            if sources == session.sources
            else reference_views.source_updates(inspection, look.colour_map, self.scratch)
        )
        title = views.fused_title(inspection)
        return Shown(
            session=replace(session, sheet=sheet_key, sources=sources),
            compare=(shelved.preview_path, self.scratch.png(overlay, "overlay")),
            verdict=views.verdict_value(inspection),
            threshold=threshold_update(inspection),
            calibrated=gr.update(interactive=session.threshold is not None and inspection.thresholds is not None),
            fused_map=gr.update(value=self.scratch.png(map_image(inspection, look.colour_map), "map"), label=title),
            sheet=self._sheet(inspection, look.colour_map) if is_other else gr.skip(),
            regions_heading=views.regions_heading(inspection),
            regions=views.region_rows(inspection),
            weights=views.weights_sentence(inspection),
            alignment=None if is_other else gr.skip(),
            zero_shot_map=zero_shot_map,
            reference_map=reference_map,
            references_say=reference_views.says_value(session, inspection),
            **reference_views.weight_updates(session, inspection),
        )

    def _sheet(self, inspection: Inspection, colour_map: str) -> Any:
        """The layers' maps, with those of each branch where there are several."""
        draw = branch_sheet if len(inspection.branches) > 1 else layer_sheet
        return gr.update(
            value=self.scratch.png(draw(inspection, colour_map), "layers"), label=views.sheet_title(inspection)
        )


def _sheet_key(inspection: Inspection, colour_map: str) -> tuple[str, ...]:
    """What the layer sheet depends on; prompts and alpha too where a method has them."""
    return (
        inspection.picture.digest,
        inspection.preset,
        inspection.checkpoint,
        colour_map,
        str(inspection.layers),
        str(inspection.alpha),
        repr(inspection.settings.prompts),
    )
