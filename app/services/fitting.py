"""What fits a model: the settings that it can use, and what its results must be read with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from app.services.tiled import tiles_note
from app.services.words import own_words
from models.errors import DataError
from models.presets import NEEDS_REFERENCES

if TYPE_CHECKING:
    from app.services.map_keeper import Forward
    from app.services.reference_inspection import Combined
    from app.services.references import References
    from models.config import InspectionConfig
    from models.loading import LoadedModel


def checked(model: LoadedModel, settings: InspectionConfig, references: References | None) -> InspectionConfig:
    """The settings without what such a model cannot do.

    Raises:
        DataError: it needs references and there are none.
    """
    if not model.preset.needs_references:
        return settings
    if references is None:
        raise DataError(NEEDS_REFERENCES.format(method=model.preset.method))
    return replace(settings, tile=None)  # references are compared with the whole picture


def note_of(forward: Forward, model: LoadedModel, settings: InspectionConfig, combined: Combined | None) -> str:
    """What must be known to read the numbers of a result."""
    notes = [] if combined is None else [combined.note]
    if forward.layout is not None:
        notes.append(tiles_note(forward.layout))
    if settings.prompts is not None and model.calibration is not None and settings.prompts != own_words(model):
        notes.append("the thresholds were calibrated with the head's own words, not with yours")
    return "; ".join(notes)
