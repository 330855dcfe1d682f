"""The papers' qualitative figure: rows input, ground truth and each model's map, columns pictures of one class.

Panels are square, as the models see the pictures.  All maps of all models share one colour scale, fixed by the models'
calibration and never by a picture: a clean picture looks clean.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from app.services.colour_bar import colour_bar
from app.services.colours import DEFAULT_COLOUR_MAP, ColourScale, around, colourise, common_scale, uncalibrated_scale
from app.services.fusing import calibrated
from app.services.inspection import FloatMaps
from app.services.reports import EvaluationRequest, chosen_layers, resized
from app.services.sheet_choice import PANEL_PX, SeenPicture, SheetChoice
from app.services.tiled import map_and_score_of, shrunk
from models.data.datasets import Sample, read_mask
from models.data.pictures import load_picture
from models.errors import DataError

if TYPE_CHECKING:
    from models.loading import LoadedModel

Panel = NDArray[np.uint8]  # (PANEL_PX, PANEL_PX, 3)

GAP_PX: Final = 6
LEFT_PX: Final = 130  # the rows' titles
TOP_PX: Final = 38  # the columns' titles
CAPTION_PX: Final = 18  # a map's score, below it
_BAR_PX: Final = 96
_INK: Final = (40, 44, 52)
_UNMARKED: Final = (200, 200, 200)  # ground truth of an anomalous picture without a mask


@dataclass(frozen=True, slots=True, eq=False)
class ModelRow:
    """What one model says of the pictures."""

    title: str
    maps: Mapping[Path, tuple[FloatMaps, float]]  # a picture to its map at PANEL_PX and its score
    scale: ColourScale  # the model's own


@dataclass(frozen=True, slots=True, eq=False)
class SheetModel:
    """A model of the figure; it is loaded when its row is made."""

    title: str
    preset: str
    load: Callable[[], LoadedModel]


def write_sheets(
    choice: SheetChoice, measured: SheetModel, others: Sequence[SheetModel], request: EvaluationRequest, out: Path
) -> list[Path]:
    """Draw a figure of each class; the other models see only the pictures that are drawn, one model after the other.

    Args:
        choice: what was kept while `measured` was measured.
        measured: whose maps and scores those are.
        others: of which a row each is added.
        request: input size, layers, smoothing and tiles.
        out: a PNG; of several classes each has its name put before the ending.
    Returns:
        The files.
    Raises:
        DataError: the files cannot be written.
        WeightsError: a model's weights are missing.
    """
    chosen = choice.chosen()
    drawn = [seen for pictures in chosen.values() for seen in pictures]
    own = {seen.sample.path: (seen.anomaly_map, seen.score) for seen in drawn}
    rows = [ModelRow(measured.title, own, _own_scale(measured, request))]
    rows += [_other_row(model, drawn, request) for model in others]
    files = []
    for name, pictures in chosen.items():
        path = out if len(chosen) == 1 else out.with_name(f"{out.stem}.{name.replace('/', '-')}{out.suffix}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(draw_sheet(pictures, rows)).save(path)
        except OSError as error:
            raise DataError(f"{path} cannot be written ({error}); choose another file.") from error
        files.append(path)
    return files


def draw_sheet(pictures: Sequence[SeenPicture], rows: Sequence[ModelRow]) -> NDArray[np.uint8]:
    """Draw the figure of one class: (H, W, 3) uint8.

    Panel (row r, column c) begins at x = LEFT_PX + c (PANEL_PX + GAP_PX); y = TOP_PX + r (PANEL_PX + GAP_PX) for input
    and ground truth, and each map's row is CAPTION_PX higher.
    """
    scale = common_scale([row.scale for row in rows])
    step = PANEL_PX + GAP_PX
    width = LEFT_PX + len(pictures) * step
    first_map_px = TOP_PX + 2 * step
    sheet = Image.new("RGB", (width + _BAR_PX, first_map_px + len(rows) * (step + CAPTION_PX)), "white")
    pen = ImageDraw.Draw(sheet)
    for column, seen in enumerate(pictures):
        left = LEFT_PX + column * step
        _write(pen, (left + PANEL_PX // 2, TOP_PX // 2), _column_title(seen.sample), 24)
        sheet.paste(Image.fromarray(_input_panel(seen.sample)), (left, TOP_PX))
        sheet.paste(Image.fromarray(_truth_panel(seen.sample)), (left, TOP_PX + step))
        for place, row in enumerate(rows):
            top = first_map_px + place * (step + CAPTION_PX)
            anomaly_map, score = row.maps[seen.sample.path]
            sheet.paste(Image.fromarray(colourise(scale.share(anomaly_map), DEFAULT_COLOUR_MAP)), (left, top))
            _write(pen, (left + PANEL_PX // 2, top + PANEL_PX + CAPTION_PX // 2), f"score {score:.3f}", 24)
    for place, title in enumerate(("input", "ground truth", *(row.title for row in rows))):
        middle = TOP_PX + place * step + PANEL_PX // 2 + max(0, place - 2) * CAPTION_PX
        _write(pen, (LEFT_PX // 2, middle), title, 16)
    bar = Image.fromarray(colour_bar(DEFAULT_COLOUR_MAP, scale, None, PANEL_PX))
    sheet.paste(bar, (width, first_map_px), bar)
    return np.asarray(sheet)


def _own_scale(model: SheetModel, request: EvaluationRequest) -> ColourScale:
    loaded = model.load()
    return _scale(loaded, chosen_layers(request.settings, loaded.layers, model.preset), request)


def _scale(model: LoadedModel, layers: tuple[int, ...], request: EvaluationRequest) -> ColourScale:
    thresholds = calibrated(model, layers, request.settings)
    if thresholds is None:
        return uncalibrated_scale(model.preset.reading, len(layers))
    in_odds = model.preset.reading.gives_probabilities
    return around(thresholds.normal_level, thresholds.pixel, in_odds=in_odds)


def _other_row(other: SheetModel, drawn: Sequence[SeenPicture], request: EvaluationRequest) -> ModelRow:
    model = resized(other.load(), request.image_size)
    layers = chosen_layers(request.settings, model.layers, other.preset)
    maps = {}
    for seen in drawn:
        anomaly_map, score = map_and_score_of(model, load_picture(seen.sample.path).rgb, layers, request.settings)
        maps[seen.sample.path] = shrunk(anomaly_map, (PANEL_PX, PANEL_PX)), score
    return ModelRow(other.title, maps, _scale(model, layers, request))


def _input_panel(sample: Sample) -> Panel:
    picture = Image.fromarray(load_picture(sample.path).rgb)
    return np.asarray(picture.resize((PANEL_PX, PANEL_PX), Image.Resampling.BICUBIC))


def _truth_panel(sample: Sample) -> Panel:
    panel = np.zeros((PANEL_PX, PANEL_PX, 3), np.uint8)
    if sample.is_anomalous and sample.mask_path is None:
        panel[:] = _UNMARKED
    else:
        panel[read_mask(sample, (PANEL_PX, PANEL_PX))] = 255
    return panel


def _column_title(sample: Sample) -> str:
    kind = (sample.defect or "anomalous") if sample.is_anomalous else "normal"
    return f"{kind[:24]} {sample.path.stem[-24:]}"


def _write(pen: ImageDraw.ImageDraw, middle_xy: tuple[int, int], text: str, letters: int) -> None:
    lines = "\n".join(textwrap.wrap(text, letters))
    pen.text(middle_xy, lines, _INK, ImageFont.load_default(size=12), anchor="mm", align="center")
