"""Fixed colour scales and the colour maps that colour-blind people can read.

One scale per model and choice of layers, never per picture: a clean picture must look clean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from models.registry import get_preset

if TYPE_CHECKING:
    from app.services.inspection import Inspection
    from models.reading import Reading

COLOUR_MAPS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "inferno": "black, red, yellow",
        "magma": "black, purple, cream",
        "viridis": "blue, green, yellow",
        "cividis": "blue, grey, yellow",
        "plasma": "blue, pink, yellow",
    }
)
DEFAULT_COLOUR_MAP: Final = "inferno"


@dataclass(frozen=True, slots=True)
class ColourScale:
    """Which values the two ends of a colour map stand for, in units of the map."""

    low: float
    high: float

    def share(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Where values lie on the scale: 0 = low end or below, 1 = high end or above; same shape."""
        scaled = (values - np.float32(self.low)) * np.float32(1.0 / (self.high - self.low))
        return np.clip(scaled, 0.0, 1.0, out=scaled)


def fused_scale(inspection: Inspection) -> ColourScale:
    """The scale of the fused map: the median of normal pixels at the low end, the threshold in the middle."""
    thresholds = inspection.thresholds
    if thresholds is None:
        return uncalibrated_scale(get_preset(inspection.preset).reading, len(inspection.layers))
    return around(thresholds.normal_level, thresholds.pixel)


def score_scale(inspection: Inspection) -> ColourScale:
    """The scale of the image score: the fused map's, unless scores have units of their own."""
    thresholds = inspection.thresholds
    if thresholds is None or thresholds.normal_score is None:
        return fused_scale(inspection)
    return around(thresholds.normal_score, thresholds.anomalous)


def uncalibrated_scale(reading: Reading, layer_count: int) -> ColourScale:
    """A fixed scale where no calibration is known: from 0 to 1 a layer where maps are added, else to 1."""
    return ColourScale(0.0, float(layer_count if reading.joining == "sum" else 1))


def around(normal_level: float, anomalous: float) -> ColourScale:
    """A scale that starts at the normal level and has the threshold in its middle."""
    half = max(anomalous - normal_level, 1e-6)
    return ColourScale(normal_level, normal_level + 2.0 * half)


@lru_cache(maxsize=len(COLOUR_MAPS))
def colour_table(name: str) -> NDArray[np.uint8]:
    """256 colours of a colour map.

    Args:
        name: a key of COLOUR_MAPS.
    Returns:
        (256, 3), red, green and blue.
    Raises:
        ValueError: there is no such colour map here.
    """
    if name not in COLOUR_MAPS:
        raise ValueError(f"colour map must be one of {', '.join(COLOUR_MAPS)}, got {name!r}")
    colours = mpl.colormaps[name](np.linspace(0.0, 1.0, 256))[:, :3]
    table: NDArray[np.uint8] = np.round(colours * 255.0).astype(np.uint8)
    table.flags.writeable = False
    return table


def colourise(share: NDArray[np.float32], name: str) -> NDArray[np.uint8]:
    """Colour a map: shares of the scale in [0, 1], any shape, to one more axis of red, green, blue as uint8."""
    return np.take(colour_table(name), (share * 255.0 + 0.5).astype(np.uint8), axis=0)
