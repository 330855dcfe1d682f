"""Forward passes and fused maps, remembered: the backbone runs once per picture and model.  Thread-safe."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from app.services.caches import BoundedCache
from app.services.fusing import MapReader
from app.services.inspection import FloatMaps
from app.services.tiled import fuse_with_tiles, layout_for, tile_maps

if TYPE_CHECKING:
    from app.services.references import References
    from models.config import InspectionConfig
    from models.data.pictures import Picture
    from models.loading import LoadedModel
    from models.methods.prompts import PromptSet
    from models.reading import PictureMaps
    from models.tiling import TileLayout

RunModel = Callable[["LoadedModel", "PromptSet | None", NDArray[np.uint8]], "PictureMaps"]
RunReferences = Callable[["Picture", "References"], "PictureMaps"]

_FORWARD_BYTES: Final = 64 * 2**20
_ANOMALY_MAP_BYTES: Final = 256 * 2**20


@dataclass(frozen=True, slots=True, eq=False)
class Forward:
    """Maps of one picture and what they cost."""

    maps: PictureMaps  # of the whole picture
    seconds: float
    tiles: tuple[PictureMaps, ...] = ()  # where the picture was seen in tiles as well
    layout: TileLayout | None = None  # where the tiles lie

    @property
    def nbytes(self) -> int:
        """What the maps hold."""
        return self.maps.nbytes + sum(tile.nbytes for tile in self.tiles)


class MapKeeper:
    """Runs models on pictures, one picture at a time, and keeps what they give."""

    def __init__(self, run_model: RunModel, run_references: RunReferences) -> None:
        """Start empty.

        Args:
            run_model: a model's maps of a picture.
            run_references: the distances of a picture to references, for presets that know nothing else.
        """
        self._run_model = run_model
        self._run_references = run_references
        self._run_lock = threading.Lock()  # apart from loading: sliders must not wait for another picture
        self._forwards: BoundedCache[tuple[object, ...], Forward] = BoundedCache(
            _FORWARD_BYTES, lambda forward: forward.nbytes
        )
        self._anomaly_maps: BoundedCache[tuple[object, ...], FloatMaps] = BoundedCache(
            _ANOMALY_MAP_BYTES, lambda anomaly_map: anomaly_map.nbytes
        )

    def forward(
        self, picture: Picture, model: LoadedModel, settings: InspectionConfig, references: References | None = None
    ) -> tuple[Forward, bool]:
        """Maps of the picture and its tiles, from memory if they are there; True says that they were.

        Args:
            picture: of any size.
            model: what looks; where it needs references, their distances are meant and tiles are not used.
            settings: prompts and tiles.
            references: what such a model compares with; others take no notice.
        """
        layout = layout_for((picture.rgb.shape[0], picture.rgb.shape[1]), settings, model.image_size)
        key = (*_source_key(picture, model, references), settings.prompts, layout)
        remembered = self._forwards.get(key)
        if remembered is not None:
            return remembered, True
        whole = None if layout is None else self.forward(picture, model, replace(settings, tile=None))[0]
        with self._run_lock:
            remembered = self._forwards.get(key)  # another thread may have waited for the same picture
            if remembered is not None:
                return remembered, True
            if references is not None and model.preset.needs_references:
                forward = self._compare(picture, references)
            else:
                forward = self._run(picture, model, settings.prompts, whole, layout)
        self._forwards.put(key, forward)
        return forward, False

    def anomaly_map(
        self,
        forward: Forward,
        picture: Picture,
        model: LoadedModel,
        reader: MapReader,
        settings: InspectionConfig,
        size_hw: tuple[int, int],
        references: References | None = None,
    ) -> FloatMaps:
        """The fused map at some size, remembered per reader, whatever the score averages."""
        of_map = replace(reader, top_k=1.0, top_patches=1)
        key = (*_source_key(picture, model, references), settings.prompts, forward.layout, of_map, size_hw)
        remembered = self._anomaly_maps.get(key)
        if remembered is not None:
            return remembered
        if forward.layout is None:
            fused = reader.anomaly_map(forward.maps, size_hw=size_hw)
        else:
            fused = fuse_with_tiles(forward.maps, forward.tiles, forward.layout, reader.anomaly_map, size_hw)
        fused.flags.writeable = False
        self._anomaly_maps.put(key, fused)
        return fused

    def _run(
        self,
        picture: Picture,
        model: LoadedModel,
        prompts: PromptSet | None,
        whole: Forward | None,
        layout: TileLayout | None,
    ) -> Forward:
        start_s = time.perf_counter()
        run = partial(self._run_model, model, prompts)
        if whole is None or layout is None:
            maps = run(picture.rgb)
            maps.branch_maps.flags.writeable = False
            return Forward(maps, time.perf_counter() - start_s)
        tiles = tile_maps(run, picture.rgb, layout)
        return Forward(whole.maps, whole.seconds + time.perf_counter() - start_s, tiles, layout)

    def _compare(self, picture: Picture, references: References) -> Forward:
        start_s = time.perf_counter()
        maps = self._run_references(picture, references)
        maps.branch_maps.flags.writeable = False
        return Forward(maps, time.perf_counter() - start_s)


def _source_key(picture: Picture, model: LoadedModel, references: References | None) -> tuple[object, ...]:
    """What decides the maps of a picture apart from the settings."""
    own = references.key if references is not None and model.preset.needs_references else None
    return picture.digest, picture.rgb.shape, model.preset.name, model.checkpoint_digest, own
