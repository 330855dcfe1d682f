"""Inspect one picture with one preset: the only place where pictures meet models.

Thread-safe.  A model is loaded when it is first needed; the backbone runs once per picture and model, and every
later change of settings works on the remembered layer maps.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from app.services.caches import BoundedCache
from app.services.concluding import Cost, conclude
from app.services.fitting import checked, note_of
from app.services.fusing import reader_of, thresholds_of
from app.services.gpu import lent_gpu
from app.services.heads import HeadChoice, loader, resolve, statuses
from app.services.inspection import FloatMaps, Inspection
from app.services.map_keeper import Forward, MapKeeper
from app.services.model_shelf import LoadHead, LoadModel, ModelShelf
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
from models.config import InspectionConfig
from models.presets import NEAREST_PATCH_PRESET
from models.registry import PRESETS

if TYPE_CHECKING:
    from models.calibration import Thresholds
    from models.data.pictures import Picture
    from models.loading import LoadedModel
    from models.methods.prompts import PromptSet
    from models.reading import PictureMaps
    from models.status import PresetStatus
    from models.weights import WeightsLocation

__all__ = ["HeadChoice", "Inspection", "Inspector", "LoadHead", "LoadModel"]

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
        load_version: LoadHead | None = None,
        active: Callable[[str], Path | None] = lambda _: None,
        describe: Callable[[], PatchDescriber] | None = None,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Prepare without loading anything.

        Args:
            where: where weights may come from.
            device: "cpu", "cuda", "mps", or "auto" for the fastest that torch finds when it is loaded.
            load: how a preset's name becomes a model; the default is `models.loading.load_preset`.
            load_version: likewise with a head file in the place of the shipped one.
            active: the head file that a preset uses now; None: the shipped one.  Asked once for each inspection.
            describe: gives the backbone that references are compared with; the default is that of `nearest-patch`.
            report: told in a sentence what loading does at the moment; for progress.
        """
        self.where = where
        self.device = device
        self.active = active
        self.references = ReferenceBuilder(describe or self._load_describer)
        self._report = report
        self._models = ModelShelf(loader(where, device, report, load, load_version), _MODELS_KEPT)
        self._run_lent = lent_gpu(self._run_loaded)
        self._maps = MapKeeper(self._run, self.references.maps)
        self._references_seen: BoundedCache[tuple[object, ...], OnReferences] = BoundedCache(_SEEN_KEPT, lambda _: 1)
        self._matched: BoundedCache[tuple[object, ...], PictureMaps] = BoundedCache(_MATCHED_BYTES, lambda m: m.nbytes)

    def statuses(self) -> tuple[PresetStatus, ...]:
        """Every preset: whether its weights are here, from where, or how to get them."""
        return statuses(self.where, self.active)

    def head(self, preset: str, head: HeadChoice = None) -> Path | None:
        """The head file in the place of the shipped one; None: none, or the one that `where` names.

        Raises:
            StoreError: the active version is missing or damaged.
        """
        return resolve(preset, head, self.where, self.active)

    def model(self, preset: str, head: HeadChoice = None) -> LoadedModel:
        """The preset's model, loaded now if it is not in memory.

        Args:
            preset: its name.
            head: a version's file, "shipped", or None for the active one.
        Raises:
            WeightsError: its weights are missing or damaged.
            StoreError: the active version is missing or damaged.
            UnknownModelError: there is no such preset.
        """
        with self._held(preset, self.head(preset, head)) as model:
            return model

    def inspect(
        self,
        picture: Picture,
        preset: str,
        settings: InspectionConfig,
        references: References | None = None,
        *,
        head: HeadChoice = None,
    ) -> Inspection:
        """Find what is anomalous in a picture.

        Args:
            picture: (H, W, 3) uint8 of any size.
            preset: name of a preset.
            settings: what is done with the layer maps.  With tiles the map is the mean of the whole picture's and of
                the tiles'; thresholds stay those of whole pictures, as the result's note says.
            references: of `self.references.build`; map, score and thresholds are then in units in which 0 is the
                normal level and 1 the threshold.
            head: a version's file, "shipped", or None for the active one.  What is activated meanwhile has no part.
        Returns:
            Maps, score and regions at the picture's size; single layers are the whole picture's.
        Raises:
            WeightsError: the preset's weights are missing or damaged.
            StoreError: the active version is missing or damaged.
            UnknownModelError: there is no such preset.
            DataError: the settings name a layer that the preset does not have, or tiles too small for the picture; or
                the preset needs references and there are none.
        """
        start_s = time.perf_counter()
        path = self.head(preset, head)
        with self._held(preset, path) as model:
            settings = checked(model, settings, references)
            size_hw = (picture.rgb.shape[0], picture.rgb.shape[1])
            forward, from_cache = self._maps.forward(picture, model, settings, references)
            sight = self._sight(forward, picture, model, settings, size_hw, references)
            combined = (
                None if references is None else self._combined(sight, picture, model, settings, size_hw, references)
            )
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
                head=path,
                note=note_of(forward, model, settings, combined),
                cost=Cost(forward.seconds, start_s, from_cache=from_cache),
            )

    def input_map(
        self,
        picture: Picture,
        preset: str,
        settings: InspectionConfig,
        references: References | None = None,
        *,
        head: HeadChoice = None,
    ) -> FloatMaps:
        """The fused map of `inspect` before it is resized to the picture: (S, S) at the model's input size.

        A browser that enlarges it bilinearly gets the map of `inspect`; raises what `inspect` raises.
        """
        with self._held(preset, self.head(preset, head)) as model:
            settings = checked(model, settings, references)
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

    @contextmanager
    def _held(self, preset: str, head: Path | None) -> Iterator[LoadedModel]:
        """The model, which stays the same and at hand until the end of the block."""
        if preset in PRESETS and PRESETS[preset].needs_references:
            yield reference_model(preset, self.references.describer())  # costs nothing; the backbone is kept there
        else:
            with self._models.held(preset, head) as model:
                yield model

    def _run(self, model: LoadedModel, prompts: PromptSet | None, rgb: NDArray[np.uint8]) -> PictureMaps:
        return self._run_lent(*self._models.key_of(model), prompts, rgb)

    def _run_loaded(
        self, preset: str, head: Path | None, prompts: PromptSet | None, rgb: NDArray[np.uint8]
    ) -> PictureMaps:
        return self._models.get(preset, head).picture_maps(rgb, prompts)

    def _load_describer(self) -> PatchDescriber:
        from app.config import resolve_device

        return load_describer(self.where, resolve_device(self.device), report=self._report)
