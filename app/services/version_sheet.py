"""What versions of one preset see, side by side: each one's overlay and map of a picture, or of held-out pictures.

Versions are calibrated each for itself, so their maps have no scale in common.  Every map is drawn in units of its own
version, in which 0 is the level of normal pixels and 1 the threshold: then one fixed colour scale is fair to all.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from app.services.colour_bar import INK, beside, colour_bar
from app.services.colours import DEFAULT_COLOUR_MAP, ColourScale, colourise, fused_scale
from app.services.proposing import settings_of
from app.services.rendering import overlay_image
from app.store.records import Label, Mask
from models.errors import DataError

if TYPE_CHECKING:
    from app.services.inspection import Inspection
    from app.services.inspector import Inspector
    from models.data.pictures import Picture

Panel = NDArray[np.uint8]  # (h, w, 3), no side longer than PANEL_PX

PANEL_PX: Final = 240
GAP_PX: Final = 12
TITLE_PX: Final = 36
CAPTION_PX: Final = 36
UNITS: Final = ColourScale(0.0, 2.0)
NOTE: Final = (
    "Maps are in units of each version's own calibration: 0 is the level of normal pixels, 1 its threshold. One colour "
    "scale for all of them; scores and thresholds below them are in the units of that version's map."
)
_LETTERS: Final = 38  # of a line under a panel
_UNMARKED: Final = (150, 150, 150)


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """A panel with the words over and under it."""

    panel: Panel | None  # None: nothing stands here
    caption: str = ""
    title: str = ""


def version_sheet(
    inspector: Inspector, picture: Picture, preset: str, heads: Sequence[tuple[str, Path | None]]
) -> Image.Image:
    """Draw one picture as several versions see it: overlays above, maps below.

    Args:
        inspector: loads the versions.
        picture: of any size.
        preset: whose versions they are; its own settings are used.
        heads: a title and the head's file each; None = the shipped head.
    Returns:
        RGBA on a transparent ground, readable on the light and on the dark page.
    Raises:
        DataError: there is no version to draw, or the preset needs references.
        WeightsError: a head is missing or damaged.
    """
    seen = [(title, _inspect(inspector, picture, preset, head)) for title, head in _required(heads)]
    upper = [Tile(_shrunk(picture.rgb), picture.name, "picture")]
    upper += [Tile(_overlay(inspection), _verdict(inspection), title) for title, inspection in seen]
    lower = [Tile(None), *(Tile(map_panel(inspection), _map_caption(inspection)) for _, inspection in seen)]
    return draw_tiles([upper, lower], bar_row=1)


def held_out_sheet(
    inspector: Inspector,
    pictures: Sequence[tuple[Picture, Mask | None, Label]],
    preset: str,
    heads: Sequence[tuple[str, Path | None]],
) -> Image.Image:
    """Draw pictures that were not taught, a row each: the picture, its labelled mask, and each version's map.

    Args:
        inspector: loads the versions, one after the other.
        pictures: with (H, W) mask, None where nobody marked the pixels, and label.
        preset: whose versions they are.
        heads: as in `version_sheet`; "before" and "after", say.
    Raises:
        DataError: there is no picture or no version to draw, or the preset needs references.
        WeightsError: a head is missing or damaged.
    """
    if not pictures:
        raise DataError("No picture was held out, so there is nothing to compare; label more pictures.")
    columns = []
    for title, head in _required(heads):  # a version at a time: only a few models are kept in memory
        seen = [_inspect(inspector, picture, preset, head) for picture, _, _ in pictures]
        columns.append([Tile(map_panel(one), f"{_verdict(one)}{_own_scale(one)}", title) for one in seen])
    inputs = [Tile(_shrunk(picture.rgb), picture.name, "picture") for picture, _, _ in pictures]
    masks = [Tile(_mask_panel(*labelled), _mask_words(*labelled), "label") for labelled in pictures]
    return draw_tiles(list(zip(inputs, masks, *columns, strict=True)))


def map_panel(inspection: Inspection) -> Panel:
    """The fused map in colours, on the scale from the normal level (0) to twice as far as the threshold (2)."""
    return colourise(in_units(inspection, _size_hw(inspection.anomaly_map.shape)) / np.float32(2.0), DEFAULT_COLOUR_MAP)


def in_units(inspection: Inspection, size_hw: tuple[int, int]) -> NDArray[np.float32]:
    """The fused map between 0, the normal level, and 2; 1 is the threshold.  (h, w) by averaging."""
    height, width = size_hw
    small = Image.fromarray(inspection.anomaly_map).resize((width, height), Image.Resampling.BOX)
    return fused_scale(inspection).share(np.asarray(small, dtype=np.float32)) * np.float32(2.0)


def draw_tiles(rows: Sequence[Sequence[Tile]], *, bar_row: int = 0) -> Image.Image:
    """Put tiles into a grid, a colour bar in units to the right and the note on units below.

    Args:
        rows: all of the same length; titles of the first row stand over the columns.
        bar_row: beside which row the bar begins.
    """
    step_x, step_y = PANEL_PX + GAP_PX, PANEL_PX + CAPTION_PX
    width = len(rows[0]) * step_x
    note = "\n".join(textwrap.wrap(NOTE, max(40, width // 7)))
    height = TITLE_PX + len(rows) * step_y
    sheet = Image.new("RGBA", (width, height + 20 * (note.count("\n") + 1)))
    pen = ImageDraw.Draw(sheet)
    for column, tile in enumerate(rows[0]):
        _write(pen, (column * step_x + PANEL_PX // 2, TITLE_PX // 2), tile.title, 15)
    for place, row in enumerate(rows):
        top = TITLE_PX + place * step_y
        for column, tile in enumerate(row):
            _put(sheet, pen, tile, (column * step_x, top))
    pen.multiline_text((0, height), note, INK, ImageFont.load_default(size=13))
    bar = colour_bar(DEFAULT_COLOUR_MAP, UNITS, 1.0, PANEL_PX)
    above_px = TITLE_PX + bar_row * step_y
    return Image.fromarray(beside(np.asarray(sheet), np.pad(bar, ((above_px, 0), (0, 0), (0, 0)))))


def _put(sheet: Image.Image, pen: ImageDraw.ImageDraw, tile: Tile, corner_xy: tuple[int, int]) -> None:
    left, top = corner_xy
    if tile.panel is None:
        return
    panel = Image.fromarray(tile.panel)
    sheet.paste(panel, (left + (PANEL_PX - panel.width) // 2, top + (PANEL_PX - panel.height) // 2))
    _write(pen, (left + PANEL_PX // 2, top + PANEL_PX + CAPTION_PX // 2), tile.caption, 12)


def _write(pen: ImageDraw.ImageDraw, middle_xy: tuple[int, int], words: str, size_px: int) -> None:
    lines = textwrap.wrap(words, _LETTERS, max_lines=2, placeholder=" …")
    pen.text(middle_xy, "\n".join(lines), INK, ImageFont.load_default(size=size_px), anchor="mm", align="center")


def _inspect(inspector: Inspector, picture: Picture, preset: str, head: Path | None) -> Inspection:
    return inspector.inspect(picture, preset, settings_of(preset), head="shipped" if head is None else head)


def _required(heads: Sequence[tuple[str, Path | None]]) -> Sequence[tuple[str, Path | None]]:
    if not heads:
        raise DataError("There is no version to draw; name one or more.")
    return heads


def _verdict(inspection: Inspection) -> str:
    line = inspection.score_threshold
    threshold = "no threshold" if line is None else f"threshold {line:.3f}"
    return f"score {inspection.image_score:.3f}, {threshold}: {inspection.verdict}"


def _map_caption(inspection: Inspection) -> str:
    peak = float(inspection.anomaly_map.max())
    line = inspection.threshold
    mask = "" if line is None else f", mask from {line:.3f}"
    return f"highest pixel {peak:.3f}{mask}{_own_scale(inspection)}"


def _own_scale(inspection: Inspection) -> str:
    return "" if inspection.thresholds is not None else " (not calibrated: colours of its own)"


def _overlay(inspection: Inspection) -> Panel:
    return overlay_image(inspection, background=_shrunk(inspection.picture.rgb))


def _mask_panel(picture: Picture, mask: Mask | None, label: Label) -> Panel:
    height, width = _size_hw(picture.rgb.shape)
    panel = np.zeros((height, width, 3), np.uint8)
    if mask is not None:
        small = Image.fromarray(mask.astype(np.uint8) * np.uint8(255)).resize((width, height), Image.Resampling.BOX)
        panel[np.asarray(small) > 0] = 255  # a scratch of one pixel must not vanish
    elif label != "normal":
        panel[:] = _UNMARKED
    return panel


def _mask_words(picture: Picture, mask: Mask | None, label: Label) -> str:
    return f"{label}, pixels not marked" if mask is None and label != "normal" else label


def _shrunk(rgb: NDArray[np.uint8]) -> Panel:
    height, width = _size_hw(rgb.shape)
    return np.asarray(Image.fromarray(rgb).resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2.0))


def _size_hw(shape: tuple[int, ...]) -> tuple[int, int]:
    """The size at which a picture of this shape fits a panel, its shape kept."""
    share = PANEL_PX / max(shape[:2])
    return max(1, round(shape[0] * share)), max(1, round(shape[1] * share))
