"""Pictures seen in overlapping tiles as well as whole; plain functions around `models.tiling`.

The whole picture gives context, the tiles give detail, and the anomaly map is the mean of both.  Thresholds are those
of whole pictures: nothing was calibrated on tiles, and `tiles_note` says so beside every result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from app.services.fusing import reader_for
from app.services.inspection import FloatMaps
from models.tiling import TileLayout, blend, cut, tile_layout

if TYPE_CHECKING:
    from models.config import InspectionConfig
    from models.loading import LoadedModel
    from models.reading import PictureMaps

TILED_THRESHOLDS: Final = "the thresholds were calibrated on whole pictures, not on tiles"
TILED_EVALUATION: Final = (
    "Every picture was seen whole and in overlapping tiles, and both maps averaged; the published numbers are of whole "
    "pictures alone."
)


class Fuse(Protocol):
    """Makes an anomaly map of a picture's maps."""

    def __call__(self, maps: PictureMaps, /, *, size_hw: tuple[int, int]) -> FloatMaps:
        """(R, L, gh, gw) to (H, W)."""


def layout_for(size_hw: tuple[int, int], settings: InspectionConfig, image_size: int) -> TileLayout | None:
    """Where the tiles of a picture lie; None where none are asked for, or where one would be the whole picture.

    Args:
        size_hw: of the picture.
        settings: how large the tiles are.
        image_size: side of the model's input: the size of the tiles unless the settings name another.
    Raises:
        DataError: there would be too many.
    """
    if settings.tile is None:
        return None
    layout = tile_layout(size_hw, settings.tile or image_size)
    return layout if len(layout) > 1 else None


def tile_maps(
    run: Callable[[NDArray[np.uint8]], PictureMaps], rgb: NDArray[np.uint8], layout: TileLayout
) -> tuple[PictureMaps, ...]:
    """Run a model on every tile, one after another."""
    return tuple(run(tile) for tile in cut(rgb, layout))


def fuse_with_tiles(
    whole: PictureMaps, tiles: Sequence[PictureMaps], layout: TileLayout, fuse: Fuse, size_hw: tuple[int, int]
) -> FloatMaps:
    """The mean of the whole picture's map and the blended maps of its tiles.

    Args:
        whole: of the whole picture.
        tiles: of each tile.
        layout: where the tiles lie.
        fuse: what makes an anomaly map of maps; smoothing is in pixels of the model's input, so finer in tiles.
        size_hw: wanted, the picture's or another.
    Returns:
        (H, W) at `size_hw`, in the units and range of a single map.
    """
    side_hw = (layout.side_px, layout.side_px)
    fused = shrunk(blend((fuse(maps, size_hw=side_hw) for maps in tiles), layout), size_hw)
    fused += fuse(whole, size_hw=size_hw)
    fused *= np.float32(0.5)
    return fused


def map_and_score_of(
    model: LoadedModel, rgb: NDArray[np.uint8], layers: tuple[int, ...], settings: InspectionConfig
) -> tuple[FloatMaps, float]:
    """Run a model on one picture, in tiles where the settings ask for them, as evaluations do.

    Args:
        model: what looks.
        rgb: (H, W, 3).
        layers: those that are joined.
        settings: smoothing, top-k and tiles.
    Returns:
        The map at the model's input size, whatever the picture's, so that numbers with and without tiles are of the
        same pixels; and its score.
    """
    reader = reader_for(model.preset, model.layers, layers, model.image_size, settings)
    size_hw = (model.image_size, model.image_size)
    layout = layout_for((rgb.shape[0], rgb.shape[1]), settings, model.image_size)
    whole = model.picture_maps(rgb)
    if layout is None:
        fused = reader.anomaly_map(whole, size_hw=size_hw)
    else:
        tiles = tile_maps(model.picture_maps, rgb, layout)
        fused = fuse_with_tiles(whole, tiles, layout, reader.anomaly_map, size_hw)
    return fused, reader.score(whole, fused, tiled=layout is not None)


def shrunk(anomaly_map: FloatMaps, size_hw: tuple[int, int]) -> FloatMaps:
    """A map at another size; where that is smaller, the mean of the pixels that become one."""
    if anomaly_map.shape == size_hw:
        return anomaly_map
    import torch
    import torch.nn.functional as F

    whole = torch.from_numpy(anomaly_map)[None, None]
    resized: FloatMaps = F.interpolate(whole, size=size_hw, mode="bilinear", antialias=True)[0, 0].numpy()
    return resized


def tiles_note(layout: TileLayout) -> str:
    """What a reader of a result from tiles must know."""
    return f"{len(layout)} tiles of {layout.side_px} px and the whole picture, averaged; {TILED_THRESHOLDS}"
