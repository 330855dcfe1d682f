"""Fixed colour scales and the colour maps that colour-blind people can read.

One scale per model and choice of layers, never per picture: a clean picture must look clean.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
_LEAST_PROBABILITY: Final = 1e-6  # log-odds end here; float32 cannot tell 1 from much nearer to it


@dataclass(frozen=True, slots=True)
class ColourScale:
    """Which values the two ends of a colour map stand for, in units of the map."""

    low: float
    high: float
    in_odds: bool = False  # equal steps of colour are equal steps of log-odds: 0.1 % and 1 % of probability differ

    def share(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Where values lie on the scale: 0 = low end or below, 1 = high end or above; same shape."""
        low, high = self.low, self.high
        if self.in_odds:
            values, low, high = log_odds(values), float(log_odds(low)), float(log_odds(high))
        scaled = (values - np.float32(low)) * np.float32(1.0 / (high - low))
        return np.clip(scaled, 0.0, 1.0, out=scaled)

    def share_of(self, value: float) -> float:
        """`share` of one value."""
        return float(self.share(np.array([value], dtype=np.float32))[0])

    def value_at(self, share: float) -> float:
        """The value at a share of the scale."""
        if not self.in_odds:
            return self.low + share * (self.high - self.low)
        low, high = float(log_odds(self.low)), float(log_odds(self.high))
        return _probability(low + share * (high - low))


def log_odds(probability: NDArray[np.float32] | float) -> NDArray[np.float32]:
    """log(p / (1 - p)) of probabilities, kept away from 0 and 1."""
    kept = np.clip(np.asarray(probability, dtype=np.float32), _LEAST_PROBABILITY, 1.0 - _LEAST_PROBABILITY)
    odds: NDArray[np.float32] = np.log(kept / (np.float32(1.0) - kept))
    return odds


def _probability(odds: float) -> float:
    return float(1.0 / (1.0 + np.exp(-odds)))


def fused_scale(inspection: Inspection) -> ColourScale:
    """The scale of the fused map: the median of normal pixels at the low end, the threshold in the middle."""
    thresholds = inspection.thresholds
    if thresholds is None:
        return uncalibrated_scale(get_preset(inspection.preset).reading, len(inspection.layers))
    return around(thresholds.normal_level, thresholds.pixel, in_odds=_in_odds(inspection))


def score_scale(inspection: Inspection) -> ColourScale:
    """The scale of the image score: the fused map's, unless scores have units of their own."""
    thresholds = inspection.thresholds
    if thresholds is None or thresholds.normal_score is None:
        return fused_scale(inspection)
    return around(thresholds.normal_score, thresholds.anomalous, in_odds=_in_odds(inspection))


def _in_odds(inspection: Inspection) -> bool:
    """Whether the result is in probabilities; with references it is in units of their own."""
    return inspection.references is None and get_preset(inspection.preset).reading.gives_probabilities


def uncalibrated_scale(reading: Reading, layer_count: int) -> ColourScale:
    """A fixed scale where no calibration is known: from 0 to 1 a layer where maps are added, else to 1."""
    return ColourScale(0.0, float(layer_count if reading.joining == "sum" else 1))


def around(normal_level: float, anomalous: float, *, in_odds: bool = False) -> ColourScale:
    """A scale that starts at the normal level and has the threshold in its middle.

    Args:
        normal_level: of normal pixels.
        anomalous: the threshold.
        in_odds: both are probabilities, and the middle is that of their log-odds.
    """
    if in_odds:
        low, middle = float(log_odds(normal_level)), float(log_odds(anomalous))
        return ColourScale(_probability(low), _probability(low + 2.0 * max(middle - low, 1e-3)), in_odds=True)
    half = max(anomalous - normal_level, 1e-6)
    return ColourScale(normal_level, normal_level + 2.0 * half)


def common_scale(scales: Iterable[ColourScale]) -> ColourScale:
    """One scale that is wide enough for all; in log-odds only where each is."""
    listed = list(scales)
    return ColourScale(
        min(scale.low for scale in listed),
        max(scale.high for scale in listed),
        in_odds=all(scale.in_odds for scale in listed),
    )


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
