"""Inspect one picture with one preset: the only place where pictures meet models.

Thread-safe.  A model is loaded when it is first needed; the backbone runs once per picture and model, and every
later change of settings works on the remembered layer maps.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from app.services.caches import BoundedCache
from app.services.concluding import Cost, conclude
from app.services.fusing import reader_of, thresholds_of
from app.services.gpu import lent_gpu
from app.services.inspection import FloatMaps, Inspection
from app.services.map_keeper import Forward, MapKeeper
from app.services.model_shelf import LoadModel, ModelShelf
from app.services.patch_tokens import PatchDescriber, load_describer, reference_model
from app.services.reference_inspection import (
    Combined,
    OnReferences,
    Sight,
    ZeroShot,
    combine,
    look_at_references,
    reference_settings,
    reference_thresholds,
)
from app.services.references import ReferenceBuilder, References
from app.services.tiled import tiles_note
from app.services.words import own_words
from models.config import InspectionConfig
from models.errors import DataError
from models.presets import NEAREST_PATCH_PRESET, NEEDS_REFERENCES
from models.registry import PRESETS
from models.status import preset_status

if TYPE_CHECKING:
    from models.calibration import Thresholds
    from models.data.pictures import Picture
    from models.loading import LoadedModel
    from models.methods.prompts import PromptSet
    from models.reading import PictureMaps
    from models.status import PresetStatus
    from models.weights import WeightsLocation

__all__ = ["Inspection", "Inspector", "LoadModel"]

_MODELS_KEPT: Final = 2
_SEEN_KEPT: Final = 16  # sets of references
_MATCHED_BYTES: Final = 16 * 2**20


class Inspector:
    """Keeps models and their results; one instance serves every page, the API and the command line."""

    def __init__(
        self,
        where: WeightsLocation,
        device: str = "cpu",
        *,
        load: LoadModel | None = None,
        describe: Callable[[], PatchDescriber] | None = None,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Prepare without loading anything.

        Args:
            where: where weights may come from.
            device: "cpu", "cuda", "mps", or "auto" for the fastest that torch finds when it is loaded.
            load: how a preset's name becomes a model; the default is `models.loading.load_preset`.
            describe: gives the backbone that references are compared with; the default is that of `nearest-patch`.
            report: told in a sentence what loading does at the moment; for progress.
        """
        self.where = where
        self.device = device
        self.references = ReferenceBuilder(describe or self._load_describer)
        self._report = report
        self._models = ModelShelf(load or self._load_preset, _MODELS_KEPT)
        self._maps = MapKeeper(lent_gpu(self._run_loaded), self.references.maps)
        self._references_seen: BoundedCache[tuple[object, ...], OnReferences] = BoundedCache(_SEEN_KEPT, lambda _: 1)
        self._matched: BoundedCache[tuple[object, ...], PictureMaps] = BoundedCache(_MATCHED_BYTES, lambda m: m.nbytes)

    def statuses(self) -> tuple[PresetStatus, ...]:
        """Every preset: whether its weights are here, from where, or how to get them."""
        return tuple(preset_status(preset, self.where) for preset in PRESETS.values())

    def model(self, preset: str) -> LoadedModel:
        """The preset's model, loaded now if it is not in memory.

        Raises:
            WeightsError: its weights are missing or damaged.
            UnknownModelError: there is no such preset.
        """
        if preset in PRESETS and PRESETS[preset].needs_references:
            return reference_model(preset, self.references.describer())  # costs nothing, and the backbone is kept there
        return self._models.get(preset)

    def inspect(
        self, picture: Picture, preset: str, settings: InspectionConfig, references: References | None = None
    ) -> Inspection:
        """Find what is anomalous in a picture.

        Args:
            picture: (H, W, 3) uint8 of any size.
            preset: name of a preset.
            settings: what is done with the layer maps.  With tiles the map is the mean of the whole picture's and of
                the tiles'; thresholds stay those of whole pictures, as the result's note says.
            references: of `self.references.build`; map, score and thresholds are then in units in which 0 is the
                normal level and 1 the threshold.
        Returns:
            Maps, score and regions at the picture's size; single layers are the whole picture's.
        Raises:
            WeightsError: the preset's weights are missing or damaged.
            UnknownModelError: there is no such preset.
            DataError: the settings name a layer that the preset does not have, or tiles too small for the picture; or
                the preset needs references and there are none.
        """
        start_s = time.perf_counter()
        model = self.model(preset)
        settings = _checked(model, settings, references)
        size_hw = _sized(picture)
        forward, from_cache = self._maps.forward(picture, model, settings, references)
        sight = self._sight(forward, picture, model, settings, size_hw, references)
        combined = None if references is None else self._combined(sight, picture, model, settings, size_hw, references)
        return conclude(
            picture,
            preset,
            model,
            settings,
            sight.reader,
            combined or sight,
            forward.maps,
            layer_scale=combined.sources.layer_scale if combined and model.preset.needs_references else None,
            references=None if combined is None else combined.sources,
            note=_note(forward, model, settings, combined),
            cost=Cost(forward.seconds, start_s, from_cache=from_cache),
        )

    def input_map(
        self, picture: Picture, preset: str, settings: InspectionConfig, references: References | None = None
    ) -> FloatMaps:
        """The fused map of `inspect` before it is resized to the picture: (S, S) at the model's input size.

        A browser that enlarges it bilinearly gets the map of `inspect`; raises what `inspect` raises.
        """
        model = self.model(preset)
        settings = _checked(model, settings, references)
        forward, _ = self._maps.forward(picture, model, settings, references)
        size_hw = (model.image_size, model.image_size)
        if references is None:
            return self._maps.anomaly_map(forward, picture, model, reader_of(model, settings), settings, size_hw)
        sight = self._sight(forward, picture, model, settings, size_hw, references)
        return self._combined(sight, picture, model, settings, size_hw, references).anomaly_map

    def _sight(
        self,
        forward: Forward,
        picture: Picture,
        model: LoadedModel,
        settings: InspectionConfig,
        size_hw: tuple[int, int],
        references: References | None,
    ) -> Sight:
        """What one source says: the method, or the references where the preset knows nothing else."""
        reader = reader_of(model, settings)
        anomaly_map = self._maps.anomaly_map(forward, picture, model, reader, settings, size_hw, references)
        if model.preset.needs_references and references is not None:
            thresholds: Thresholds | None = reference_thresholds(references, reader)
        else:
            thresholds = None if model.calibration is None else thresholds_of(model.calibration, reader)
        return Sight(
            maps=forward.maps,
            reader=reader,
            anomaly_map=anomaly_map,
            image_score=reader.score(forward.maps, anomaly_map, tiled=forward.layout is not None),
            thresholds=thresholds,
        )

    def _combined(
        self,
        sight: Sight,
        picture: Picture,
        model: LoadedModel,
        settings: InspectionConfig,
        size_hw: tuple[int, int],
        references: References,
    ) -> Combined:
        """Both sources in units, fused."""
        if model.preset.needs_references:
            return combine(picture, references, sight, None, None)
        beside = self.model(NEAREST_PATCH_PRESET)
        its_settings = reference_settings(settings, model.image_size, beside.image_size)
        forward, _ = self._maps.forward(picture, beside, its_settings, references)
        seen = self._sight(forward, picture, beside, its_settings, size_hw, references)
        on_references = self._on_references(references, model, settings)
        matched = self._matched_maps(picture, references, model, settings, on_references)
        zero_shot = ZeroShot(
            sight=sight,
            matched_map=sight.reader.anomaly_map(matched, size_hw=size_hw),
            on_references=on_references,
            title=model.preset.method,
        )
        return combine(picture, references, seen, zero_shot, settings.reference_weight)

    def _on_references(self, references: References, model: LoadedModel, settings: InspectionConfig) -> OnReferences:
        """What a method says about the references; the backbone runs once for each."""
        key = (references.key, model.preset.name, model.checkpoint_digest, settings.prompts)
        known = self._references_seen.get(key)
        if known is None:
            whole = replace(settings, tile=None)
            maps = [self._maps.forward(picture, model, whole)[0].maps for picture in references.pictures]
            known = look_at_references(references, maps, model, self.references)
            self._references_seen.put(key, known)
        return known

    def _matched_maps(
        self,
        picture: Picture,
        references: References,
        model: LoadedModel,
        settings: InspectionConfig,
        on_references: OnReferences,
    ) -> PictureMaps:
        """What a method says about the reference patches that look like the picture's, remembered."""
        key = (picture.digest, references.key, model.preset.name, model.checkpoint_digest, settings.prompts)
        known = self._matched.get(key)
        if known is None:
            known = self.references.matched_maps(picture, references, on_references.maps)
            self._matched.put(key, known)
        return known

    def _run_loaded(self, preset: str, prompts: PromptSet | None, rgb: NDArray[np.uint8]) -> PictureMaps:
        return self.model(preset).picture_maps(rgb, prompts)

    def _load_preset(self, preset: str) -> LoadedModel:
        from app.config import resolve_device
        from models.loading import load_preset  # pulls torch in, which the page must not wait for

        return load_preset(preset, self.where, device=resolve_device(self.device), report=self._report)

    def _load_describer(self) -> PatchDescriber:
        from app.config import resolve_device

        return load_describer(self.where, resolve_device(self.device), report=self._report)


def _sized(picture: Picture) -> tuple[int, int]:
    return picture.rgb.shape[0], picture.rgb.shape[1]


def _checked(model: LoadedModel, settings: InspectionConfig, references: References | None) -> InspectionConfig:
    """The settings without what such a model cannot do.

    Raises:
        DataError: it needs references and there are none.
    """
    if not model.preset.needs_references:
        return settings
    if references is None:
        raise DataError(NEEDS_REFERENCES.format(method=model.preset.method))
    return replace(settings, tile=None)  # references are compared with the whole picture


def _note(forward: Forward, model: LoadedModel, settings: InspectionConfig, combined: Combined | None) -> str:
    """What must be known to read the numbers of a result."""
    notes = [] if combined is None else [combined.note]
    if forward.layout is not None:
        notes.append(tiles_note(forward.layout))
    if settings.prompts is not None and model.calibration is not None and settings.prompts != own_words(model):
        notes.append("the thresholds were calibrated with the head's own words, not with yours")
    return "; ".join(notes)
