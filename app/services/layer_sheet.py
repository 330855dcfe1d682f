"""Every layer's own map side by side, on one shared scale with a colour bar.  (h, w, 4) uint8."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from app.services.colour_bar import INK, beside, colour_bar
from app.services.colours import DEFAULT_COLOUR_MAP, colourise
from app.services.inspection import Inspection

_PANEL_PX: Final = 240  # width of one layer's map
_LONGEST: Final = 3.0  # panels are never drawn longer or flatter than this to one
_TITLE_PX: Final = 26
_GAP_PX: Final = 12
_FADED: Final = 90  # opacity, of 255, of a layer that is not used


def layer_sheet(inspection: Inspection, colour_map: str = DEFAULT_COLOUR_MAP) -> NDArray[np.uint8]:
    """Draw every layer's map at patch resolution; those that are not used are faded.

    Args:
        inspection: what was found.
        colour_map: a key of `colours.COLOUR_MAPS`.
    Returns:
        (h, w, 4) uint8, transparent ground.
    """
    height, width = inspection.anomaly_map.shape
    panel_wh = _PANEL_PX, round(_PANEL_PX * min(_LONGEST, max(1 / _LONGEST, height / width)))
    count = len(inspection.available_layers)
    sheet = Image.new("RGBA", (count * (_PANEL_PX + _GAP_PX), _TITLE_PX + panel_wh[1]))
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=15)
    shares = inspection.layer_scale.share(inspection.layer_maps)
    for index, layer in enumerate(inspection.available_layers):
        used = layer in inspection.layers
        panel = Image.fromarray(colourise(shares[index], colour_map)).resize(panel_wh, Image.Resampling.NEAREST)
        panel.putalpha(255 if used else _FADED)
        left = index * (_PANEL_PX + _GAP_PX)
        sheet.paste(panel, (left, _TITLE_PX))
        title = f"Layer {layer}" + ("" if used else " (not used)")
        pen.text((left + _PANEL_PX // 2, _TITLE_PX // 2), title, INK, font, anchor="mm")
    bar = colour_bar(colour_map, inspection.layer_scale, None, max(160, panel_wh[1]))
    lowered = np.pad(bar, ((_TITLE_PX, 0), (0, 0), (0, 0)))
    return beside(np.asarray(sheet), lowered)
