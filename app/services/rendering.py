"""Pictures of an inspection: the overlay, and the fused map with its colour bar.

Pure functions from arrays to arrays, (H, W, 3 or 4) uint8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from app.services.colour_bar import beside, colour_bar
from app.services.colours import DEFAULT_COLOUR_MAP, ColourScale, colourise, fused_scale
from app.services.inspection import FloatMaps, Inspection
from app.services.regions import Region

_CLEAR_BELOW: Final = 0.4  # share of the scale; only what comes near the threshold is coloured
_OPAQUE_FROM: Final = 0.5  # the threshold
_NUMBERED_REGIONS: Final = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How maps are drawn over a picture; changes no number."""

    colour_map: str = DEFAULT_COLOUR_MAP
    opacity: float = 0.65  # of the heatmap where it is strongest, in [0, 1]
    outline_only: bool = False  # True: no heatmap, only the regions' outlines


DEFAULT_LOOK: Final = Look()


def fit(rgb: NDArray[np.uint8], least_px: int, most_px: int) -> NDArray[np.uint8]:
    """A picture whose longer side lies between two limits; one that does already comes back as it is.

    Args:
        rgb: (H, W, 3).
        least_px: smaller pictures are enlarged to this.
        most_px: larger ones are shrunk to this.
    """
    height, width = rgb.shape[:2]
    longer = max(height, width)
    wanted = min(most_px, max(least_px, longer))
    if wanted == longer:
        return rgb
    size_wh = max(1, round(width * wanted / longer)), max(1, round(height * wanted / longer))
    return np.asarray(Image.fromarray(rgb).resize(size_wh, Image.Resampling.BICUBIC, reducing_gap=2.0))


def shrink(rgb: NDArray[np.uint8], max_side_px: int) -> NDArray[np.uint8]:
    """A picture whose longer side is at most `max_side_px`; smaller ones come back as they are."""
    return fit(rgb, 1, max_side_px)


def overlay_image(
    inspection: Inspection, look: Look = DEFAULT_LOOK, background: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """The picture with the heatmap and the regions' outlines on it.

    Args:
        inspection: what was found.
        look: colours and opacity.
        background: (h, w, 3), the same picture at the size wanted; the default is the picture itself.
    Returns:
        (h, w, 3) uint8; where the map is at the level of normal pixels the picture shows unchanged.
    """
    base = inspection.picture.rgb if background is None else background
    blended = base.copy() if look.outline_only else _blend(inspection, look, base)
    return _draw_outlines(blended, inspection.regions, base.shape[1] / inspection.anomaly_map.shape[1])


def map_image(
    inspection: Inspection, colour_map: str = DEFAULT_COLOUR_MAP, max_side_px: int = 900
) -> NDArray[np.uint8]:
    """The fused map in colours, with a colour bar that marks the threshold.

    Args:
        inspection: what was found.
        colour_map: a key of `colours.COLOUR_MAPS`.
        max_side_px: larger maps are drawn smaller.
    Returns:
        (h, w + bar, 4) uint8, transparent around the bar.
    """
    return drawn_map(
        inspection.anomaly_map, fused_scale(inspection), inspection.threshold, colour_map, max_side_px=max_side_px
    )


def drawn_map(
    anomaly_map: FloatMaps,
    scale_of_map: ColourScale,
    threshold: float | None,
    colour_map: str = DEFAULT_COLOUR_MAP,
    *,
    max_side_px: int = 900,
) -> NDArray[np.uint8]:
    """`map_image` of any map (H, W) on any scale; None = no threshold is marked."""
    height, width = anomaly_map.shape
    # A bar beside a picture of a few pixels would have no room for its numbers.
    scale = max(320, min(max_side_px, max(height, width))) / max(height, width)
    size_hw = max(1, round(height * scale)), max(1, round(width * scale))
    colours = colourise(scale_of_map.share(_sample(anomaly_map, size_hw)), colour_map)
    return beside(colours, colour_bar(colour_map, scale_of_map, threshold, max(240, size_hw[0])))


def _blend(inspection: Inspection, look: Look, base: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Heatmap over picture; transparent at normal levels, strongest from the threshold on."""
    share = fused_scale(inspection).share(_sample(inspection.anomaly_map, base.shape[:2]))
    ramp = np.clip((share - _CLEAR_BELOW) / (_OPAQUE_FROM - _CLEAR_BELOW), 0.0, 1.0)
    blended = base.copy()
    seen = ramp > 0.0  # mostly a small part of the picture
    alpha = (ramp[seen] * look.opacity)[:, None]
    below = base[seen].astype(np.float32)
    blended[seen] = below + (colourise(share[seen], look.colour_map) - below) * alpha + 0.5
    return blended


def _sample(values: NDArray[np.float32], size_hw: tuple[int, ...]) -> NDArray[np.float32]:
    """Nearest values at another size; the maps are smooth, and no value is invented."""
    height, width = values.shape
    if (height, width) == tuple(size_hw):
        return values
    rows = ((np.arange(size_hw[0]) + 0.5) * height / size_hw[0]).astype(np.intp)
    columns = ((np.arange(size_hw[1]) + 0.5) * width / size_hw[1]).astype(np.intp)
    sampled: NDArray[np.float32] = values[rows[:, None], columns[None, :]]
    return sampled


def _draw_outlines(rgb: NDArray[np.uint8], regions: tuple[Region, ...], scale: float) -> NDArray[np.uint8]:
    """Outline every region in white on a dark edge, and number the largest."""
    if not regions:
        return rgb
    picture = Image.fromarray(rgb)
    pen = ImageDraw.Draw(picture)
    stroke_px = max(1, round(max(rgb.shape[:2]) / 400))
    for region in regions:
        points = [(x, y) for x, y in ((region.contour + 0.5) * scale).tolist()]
        pen.line(points, fill=(15, 18, 25), width=stroke_px + 2, joint="curve")
        pen.line(points, fill=(255, 255, 255), width=stroke_px, joint="curve")
    _draw_numbers(pen, regions[:_NUMBERED_REGIONS], scale, rgb.shape[:2])
    return np.asarray(picture)


def _draw_numbers(
    pen: ImageDraw.ImageDraw, regions: tuple[Region, ...], scale: float, size_hw: tuple[int, ...]
) -> None:
    """Put each region's number, as in the table, above the highest point of its outline."""
    size_px = min(26, max(size_hw) // 28)
    if size_px < 9:
        return
    font = ImageFont.load_default(size=size_px)
    for number, region in enumerate(regions, start=1):
        x, y = region.contour[region.contour[:, 1].argmin()] * scale
        corner = min(max(2.0, x - size_px * 0.3), size_hw[1] - size_px * 0.8), max(1.0, y - size_px * 1.4)
        pen.text(corner, str(number), font=font, fill="white", stroke_width=2, stroke_fill=(15, 18, 25))
