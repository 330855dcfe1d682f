"""Maps at patch resolution side by side, on one shared scale with a colour bar.  (h, w, 4) uint8."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from app.services.colour_bar import INK, beside, colour_bar
from app.services.colours import DEFAULT_COLOUR_MAP, ColourScale, colourise
from app.services.inspection import FloatMaps, Inspection

_PANEL_PX: Final = 240  # width of one layer's map
_LONGEST: Final = 3.0  # panels are never drawn longer or flatter than this to one
_TITLE_PX: Final = 26
_GAP_PX: Final = 12
_FADED: Final = 90  # opacity, of 255, of a layer that is not used


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One column of a sheet."""

    title: str
    maps: FloatMaps  # (rows, gh, gw)
    used: bool = True  # False: faded


def layer_sheet(inspection: Inspection, colour_map: str = DEFAULT_COLOUR_MAP) -> NDArray[np.uint8]:
    """Draw every layer's map at patch resolution; those that are not used are faded.

    Args:
        inspection: what was found.
        colour_map: a key of `colours.COLOUR_MAPS`.
    Returns:
        (h, w, 4) uint8, transparent ground.
    """
    columns = layer_columns(inspection, inspection.layer_maps[:, None])
    return draw_sheet(columns, (), inspection.layer_scale, colour_map, panel_wh(inspection, _PANEL_PX))


def layer_columns(inspection: Inspection, maps: FloatMaps) -> list[Column]:
    """A column for each layer.

    Args:
        inspection: whose layers.
        maps: (L available, rows, gh, gw).
    """
    columns = []
    for layer, of_layer in zip(inspection.available_layers, maps, strict=True):
        used = layer in inspection.layers
        columns.append(Column(f"Layer {layer}" + ("" if used else " (not used)"), of_layer, used))
    return columns


def panel_wh(inspection: Inspection, width_px: int) -> tuple[int, int]:
    """Width and height of one map in pixels: the picture's shape, within bounds."""
    height, width = inspection.anomaly_map.shape
    return width_px, round(width_px * min(_LONGEST, max(1 / _LONGEST, height / width)))


def draw_sheet(
    columns: Sequence[Column], row_titles: Sequence[str], scale: ColourScale, colour_map: str, size_wh: tuple[int, int]
) -> NDArray[np.uint8]:
    """Draw columns of maps with the scale's colour bar on their right.

    Args:
        columns: all with the same number of rows.
        row_titles: one a row, to the left of it; empty = none.
        scale: of all maps.
        colour_map: a key of `colours.COLOUR_MAPS`.
        size_wh: of one map in pixels.
    Returns:
        (h, w, 4) uint8, transparent ground.
    """
    rows = columns[0].maps.shape[0]
    font = ImageFont.load_default(size=15)
    margin_px = round(max(font.getlength(title) for title in row_titles)) + 2 * _GAP_PX if row_titles else 0
    step_px = size_wh[1] + _GAP_PX
    height_px = _TITLE_PX + rows * step_px - _GAP_PX
    sheet = Image.new("RGBA", (margin_px + len(columns) * (size_wh[0] + _GAP_PX), height_px))
    pen = ImageDraw.Draw(sheet)
    for row, title in enumerate(row_titles):
        pen.text((_GAP_PX, _TITLE_PX + row * step_px + size_wh[1] // 2), title, INK, font, anchor="lm")
    for index, column in enumerate(columns):
        left = margin_px + index * (size_wh[0] + _GAP_PX)
        pen.text((left + size_wh[0] // 2, _TITLE_PX // 2), column.title, INK, font, anchor="mm")
        for row, share in enumerate(scale.share(column.maps)):
            panel = Image.fromarray(colourise(share, colour_map)).resize(size_wh, Image.Resampling.NEAREST)
            panel.putalpha(255 if column.used else _FADED)
            sheet.paste(panel, (left, _TITLE_PX + row * step_px))
    bar = colour_bar(colour_map, scale, None, max(160, height_px - _TITLE_PX))
    return beside(np.asarray(sheet), np.pad(bar, ((_TITLE_PX, 0), (0, 0), (0, 0))))
