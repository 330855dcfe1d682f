"""The maps of a method with two branches: static, refined and blended, for each layer and joined.  (h, w, 4) uint8."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.services.colours import DEFAULT_COLOUR_MAP
from app.services.inspection import Inspection
from app.services.layer_sheet import Column, draw_sheet, layer_columns, panel_wh

_PANEL_PX: Final = 176


def branch_sheet(inspection: Inspection, colour_map: str = DEFAULT_COLOUR_MAP) -> NDArray[np.uint8]:
    """Draw a row for each branch and one for their blend; the last column is the mean of the chosen layers.

    Args:
        inspection: of a method with more than one branch.
        colour_map: a key of `colours.COLOUR_MAPS`.
    Returns:
        (h, w, 4) uint8, transparent ground; all maps on the one scale of single layers.
    Raises:
        ValueError: the method has but one branch.
    """
    if len(inspection.branches) < 2:
        raise ValueError(f"a branch sheet needs two branches or more, got {inspection.branches}")
    rows = np.concatenate([inspection.maps.branch_maps, inspection.layer_maps[None]])  # (R + 1, L, gh, gw)
    maps = rows.swapaxes(0, 1)
    chosen = [inspection.available_layers.index(layer) for layer in inspection.layers]
    joined = Column("Mean of those used", maps[chosen].mean(axis=0))
    titles = (*(branch.capitalize() for branch in inspection.branches), _blend_title(inspection.alpha))
    columns = [*layer_columns(inspection, maps), joined]
    return draw_sheet(columns, titles, inspection.layer_scale, colour_map, panel_wh(inspection, _PANEL_PX))


def _blend_title(alpha: float | None) -> str:
    return "Fused" if alpha is None else f"Fused (alpha {alpha:.2g})"
