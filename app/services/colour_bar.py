"""Colour bars by matplotlib, drawn once for each scale, and put beside a picture.

matplotlib draws without pyplot, so any thread may call.
"""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Final

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import FuncNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, Locator, MaxNLocator
from numpy.typing import NDArray

from app.services.colours import ColourScale, log_odds

INK: Final = "#7d8794"  # readable on the light and on the dark page
_DPI: Final = 100


@lru_cache(maxsize=64)
def colour_bar(colour_map: str, scale: ColourScale, threshold: float | None, height_px: int) -> NDArray[np.uint8]:
    """A colour bar of the given height.

    Args:
        colour_map: a key of `colours.COLOUR_MAPS`.
        scale: what its ends stand for.
        threshold: marked by a line where it lies within the scale; None = no line.
        height_px: its height.
    Returns:
        (height_px, 96, 4) uint8, transparent ground.
    """
    figure = Figure(figsize=(0.96, height_px / _DPI), dpi=_DPI)
    margin = 12 / height_px
    axis = figure.add_axes((0.1, margin, 0.2, 1.0 - 2 * margin))
    bar = figure.colorbar(ScalarMappable(norm_of(scale), colour_map), cax=axis, ticks=_few_ticks(scale))
    if scale.in_odds:
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.2g}"))
        axis.yaxis.set_minor_locator(FixedLocator([]))
    bar.outline.set_visible(False)
    axis.tick_params(colors=INK, labelsize=9)
    if threshold is not None and scale.low < threshold < scale.high:
        axis.axhline(threshold, color="white", linewidth=3)
        axis.axhline(threshold, color="black", linewidth=1.2)
    pixels = _pixels(figure)
    pixels.flags.writeable = False
    return pixels


def norm_of(scale: ColourScale) -> Normalize:
    """Matplotlib's way from values to shares of a scale."""
    if not scale.in_odds:
        return Normalize(scale.low, scale.high)
    return FuncNorm((log_odds, lambda odds: 1.0 / (1.0 + np.exp(-np.asarray(odds)))), scale.low, scale.high)


def _few_ticks(scale: ColourScale) -> Locator:
    """Every number on the bar costs drawing time, at each new scale."""
    if not scale.in_odds:
        return MaxNLocator(4)
    return FixedLocator([scale.value_at(share) for share in (0.0, 0.25, 0.5, 0.75)])


def beside(picture: NDArray[np.uint8], rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Put a bar to the right of a picture, (h, w, 3 or 4), both at the top: (H, W, 4) uint8."""
    height = max(picture.shape[0], rgba.shape[0])
    joined = np.zeros((height, picture.shape[1] + rgba.shape[1], 4), dtype=np.uint8)
    left = joined[: picture.shape[0], : picture.shape[1]]
    left[..., 3] = 255
    left[..., : picture.shape[2]] = picture
    joined[: rgba.shape[0], picture.shape[1] :] = rgba
    return joined


def _pixels(figure: Figure) -> NDArray[np.uint8]:
    """Render a figure on a transparent ground."""
    file = io.BytesIO()
    figure.savefig(file, format="rgba", transparent=True)
    width, height = (int(side) for side in figure.canvas.get_width_height())
    return np.frombuffer(file.getvalue(), dtype=np.uint8).reshape(height, width, 4).copy()
