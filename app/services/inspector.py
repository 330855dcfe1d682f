"""Inspect one picture with one preset: the only place where pictures meet models.

Thread-safe.  A model is loaded when it is first needed; the backbone runs once per picture and model, and every
later change of settings works on the remembered layer maps.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from app.services.caches import BoundedCache
from app.services.fusing import calibrated, chosen_layers, fuse_at_size, layer_scale, mask_at
from app.services.gpu import lent_gpu
from app.services.inspection import FloatMaps, Inspection, judge
from app.services.regions import find_regions
from app.services.scores import top_fraction_mean
from app.services.tiled import Fuse, fuse_with_tiles, layout_for, tile_layer_maps, tiles_note
from models.config import InspectionConfig
from models.registry import PRESETS
from models.weights import preset_status

if TYPE_CHECKING:
    from models.data.pictures import Picture
    from models.loading import LoadedModel
    from models.tiling import TileLayout
    from models.weights import PresetStatus, WeightsLocation

__all__ = ["Inspection", "Inspector", "LoadModel"]

LoadModel = Callable[[str], "LoadedModel"]

_MODELS_KEPT = 2
_LAYER_MAP_BYTES = 64 * 2**20
_ANOMALY_MAP_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True, eq=False)
class _Forward:
    """Layer maps of one picture and what they cost."""

    layer_maps: FloatMaps  # (L, gh, gw), of the whole picture
    seconds: float
    tiles: FloatMaps | None = None  # (T, L, gh, gw), where the picture was seen in tiles as well
    layout: TileLayout | None = None  # where the tiles lie

    @property
    def nbytes(self) -> int:
        """What the maps hold."""
        return self.layer_maps.nbytes + (0 if self.tiles is None else self.tiles.nbytes)


class Inspector:
    """Keeps models and their results; one instance serves every page, the API and the command line."""

    def __init__(
        self,
        where: WeightsLocation,
        device: str = "cpu",
        *,
        load: LoadModel | None = None,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Prepare without loading anything.

        Args:
            where: where weights may come from.
            device: "cpu", "cuda", "mps", or "auto" for the fastest that torch finds when it is loaded.
            load: how a preset's name becomes a model; the default is `models.loading.load_preset`.
            report: told in a sentence what loading does at the moment; for progress.
        """
        self.where = where
        self.device = device
        self._report = report
        self._load = load or self._load_preset
        self._models: OrderedDict[str, LoadedModel] = OrderedDict()
        self._load_lock = threading.Lock()
        self._run_lock = threading.Lock()  # apart from loading: sliders must not wait for another picture
        self._layer_maps: BoundedCache[tuple[object, ...], _Forward] = BoundedCache(
            _LAYER_MAP_BYTES, lambda forward: forward.nbytes
        )
        self._anomaly_maps: BoundedCache[tuple[object, ...], FloatMaps] = BoundedCache(
            _ANOMALY_MAP_BYTES, lambda anomaly_map: anomaly_map.nbytes
        )
        self._run_model = lent_gpu(self._run_loaded)

    def statuses(self) -> tuple[PresetStatus, ...]:
        """Every preset: whether its weights are here, from where, or how to get them."""
        return tuple(preset_status(preset, self.where) for preset in PRESETS.values())

    def model(self, preset: str) -> LoadedModel:
        """The preset's model, loaded now if it is not in memory.

        Raises:
            WeightsError: its weights are missing or damaged.
            UnknownModelError: there is no such preset.
        """
        with self._load_lock:
            if preset not in self._models:
                self._models[preset] = self._load(preset)
            self._models.move_to_end(preset)
            while len(self._models) > _MODELS_KEPT:
                self._models.popitem(last=False)
            return self._models[preset]

    def inspect(self, picture: Picture, preset: str, settings: InspectionConfig) -> Inspection:
        """Find what is anomalous in a picture.

        Args:
            picture: (H, W, 3) uint8 of any size.
            preset: name of a preset.
            settings: what is done with the layer maps.  With tiles the map is the mean of the whole picture's and of
                the tiles'; thresholds stay those of whole pictures, as the result's note says.
        Returns:
            Maps, score and regions at the picture's size; single layers are the whole picture's.
        Raises:
            WeightsError: the preset's weights are missing or damaged.
            UnknownModelError: there is no such preset.
            DataError: the settings name a layer that the preset does not have, or tiles too small for the picture.
        """
        start_s = time.perf_counter()
        model = self.model(preset)
        layers = chosen_layers(settings.layers, model)
        size_hw = (picture.rgb.shape[0], picture.rgb.shape[1])
        layout = layout_for(size_hw, settings, model.image_size)
        forward, from_cache = self._forward(picture, preset, model, layout)
        anomaly_map = self._anomaly_map(forward, picture, preset, model, layers, settings.blur_sigma, size_hw)
        image_score = top_fraction_mean(anomaly_map, settings.top_k)
        thresholds = calibrated(model, layers, settings)
        threshold = settings.threshold
        if threshold is None and thresholds is not None:
            threshold = thresholds.anomalous
        pred_mask = mask_at(anomaly_map, threshold)
        regions, region_count = find_regions(anomaly_map, pred_mask)
        return Inspection(
            picture=picture,
            preset=preset,
            checkpoint=model.checkpoint_digest,
            backbone=model.backbone_source,
            layers=layers,
            available_layers=model.layers,
            layer_maps=forward.layer_maps,
            anomaly_map=anomaly_map,
            image_score=image_score,
            threshold=threshold,
            thresholds=thresholds,
            verdict=judge(image_score, threshold, thresholds),
            layer_scale=layer_scale(model),
            pred_mask=pred_mask,
            regions=regions,
            region_count=region_count,
            forward_s=forward.seconds,
            total_s=time.perf_counter() - start_s,
            from_cache=from_cache,
            settings=settings,
            note="" if layout is None else tiles_note(layout),
        )

    def input_map(self, picture: Picture, preset: str, settings: InspectionConfig) -> FloatMaps:
        """The fused map of `inspect` before it is resized to the picture: (S, S) at the model's input size.

        A browser that enlarges it bilinearly gets the map of `inspect`; raises what `inspect` raises.
        """
        model = self.model(preset)
        layers = chosen_layers(settings.layers, model)
        layout = layout_for((picture.rgb.shape[0], picture.rgb.shape[1]), settings, model.image_size)
        forward, _ = self._forward(picture, preset, model, layout)
        size_hw = (model.image_size, model.image_size)
        return self._anomaly_map(forward, picture, preset, model, layers, settings.blur_sigma, size_hw)

    def _forward(
        self, picture: Picture, preset: str, model: LoadedModel, layout: TileLayout | None = None
    ) -> tuple[_Forward, bool]:
        """Layer maps of the picture and its tiles, from memory if they are there; True says that they were."""
        key = (picture.digest, preset, model.checkpoint_digest, layout)
        remembered = self._layer_maps.get(key)
        if remembered is not None:
            return remembered, True
        whole = None if layout is None else self._forward(picture, preset, model)[0]
        with self._run_lock:
            remembered = self._layer_maps.get(key)  # another thread may have waited for the same picture
            if remembered is not None:
                return remembered, True
            forward = self._run(picture, preset, whole, layout)
        self._layer_maps.put(key, forward)
        return forward, False

    def _anomaly_map(
        self,
        forward: _Forward,
        picture: Picture,
        preset: str,
        model: LoadedModel,
        layers: tuple[int, ...],
        blur_sigma: float,
        size_hw: tuple[int, int],
    ) -> FloatMaps:
        """The fused map at some size, remembered per choice of layers and smoothing."""
        key = (picture.digest, preset, model.checkpoint_digest, forward.layout, layers, blur_sigma, size_hw)
        remembered = self._anomaly_maps.get(key)
        if remembered is not None:
            return remembered
        fuse: Fuse = partial(
            fuse_at_size, available=model.layers, chosen=layers, input_px=model.image_size, blur_sigma=blur_sigma
        )
        if forward.tiles is None or forward.layout is None:
            fused = fuse(forward.layer_maps, size_hw=size_hw)
        else:
            fused = fuse_with_tiles(forward.layer_maps, forward.tiles, forward.layout, fuse, size_hw)
        fused.flags.writeable = False
        self._anomaly_maps.put(key, fused)
        return fused

    def _run(self, picture: Picture, preset: str, whole: _Forward | None, layout: TileLayout | None) -> _Forward:
        start_s = time.perf_counter()
        if whole is None or layout is None:
            layer_maps = self._run_model(preset, picture.rgb)
            layer_maps.flags.writeable = False
            return _Forward(layer_maps, time.perf_counter() - start_s)
        tiles = tile_layer_maps(partial(self._run_model, preset), picture.rgb, layout)
        return _Forward(whole.layer_maps, whole.seconds + time.perf_counter() - start_s, tiles, layout)

    def _run_loaded(self, preset: str, rgb: NDArray[np.uint8]) -> FloatMaps:
        return self.model(preset).layer_maps(rgb)

    def _load_preset(self, preset: str) -> LoadedModel:
        from app.config import resolve_device
        from models.loading import load_preset  # pulls torch in, which the page must not wait for

        return load_preset(preset, self.where, device=resolve_device(self.device), report=self._report)
