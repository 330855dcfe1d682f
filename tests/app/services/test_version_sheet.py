"""Versions side by side: one scale that is fair to each, and every number under its map."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.services import version_sheet as sheets
from app.services.colours import DEFAULT_COLOUR_MAP, colour_table
from app.services.inspector import Inspector, LoadModel
from app.services.proposing import settings_of
from app.services.version_sheet import (
    CAPTION_PX,
    GAP_PX,
    NOTE,
    PANEL_PX,
    TITLE_PX,
    Tile,
    held_out_sheet,
    in_units,
    version_sheet,
)
from models.calibration import Thresholds
from models.data.pictures import Picture
from models.errors import DataError
from models.registry import DEFAULT_PRESET
from tests.app.fakes import FakeCalibration, FakeModel, nowhere, spotted_picture, white_picture

STEP_X, STEP_Y = PANEL_PX + GAP_PX, PANEL_PX + CAPTION_PX
SHIPPED, TAUGHT = ("before", None), ("after", Path("taught.safetensors"))


@dataclass(slots=True, eq=False)
class TwiceAsHigh(FakeCalibration):
    """The calibration of a version whose threshold is twice that of the shipped one."""

    def thresholds(
        self, layers: tuple[int, ...], *, top_k: float, blur_sigma: float, alpha: float = 0.0, top_patches: int = 1
    ) -> Thresholds:
        """0.6 suspicious, 0.8 anomalous, 0.1 normal, per layer."""
        count = len(layers)
        return Thresholds(0.6 * count, 0.8 * count, 0.1 * count, 0.98)


def inspector() -> Inspector:
    def load_version(_: str, head: Path) -> FakeModel:
        return FakeModel(checkpoint_digest="beef" * 16, calibration=TwiceAsHigh())

    return Inspector(
        nowhere(),
        load=cast(LoadModel, lambda _: FakeModel()),
        load_version=load_version,  # type: ignore[arg-type]
    )


def tile_at(sheet: Image.Image, column: int, row: int) -> NDArray[np.uint8]:
    left, top = column * STEP_X, TITLE_PX + row * STEP_Y
    return np.asarray(sheet)[top : top + PANEL_PX, left : left + PANEL_PX]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[list[Tile]]:
    """The tiles of the last sheet."""
    rows: list[list[Tile]] = []
    draw = sheets.draw_tiles

    def keep(tiles: list[list[Tile]], *, bar_row: int = 0) -> Image.Image:
        rows[:] = [list(row) for row in tiles]
        return draw(tiles, bar_row=bar_row)

    monkeypatch.setattr(sheets, "draw_tiles", keep)
    return rows


def test_every_version_says_its_score_its_threshold_and_its_verdict(drawn: list[list[Tile]]) -> None:
    version_sheet(inspector(), spotted_picture(), DEFAULT_PRESET, [SHIPPED, TAUGHT])

    assert [[tile.title for tile in row] for row in drawn] == [["picture", "before", "after"], ["", "", ""]]
    # The fake's map is 2.5 in the middle of the square; thresholds are 1.6 and 3.2.
    assert drawn[0][1].caption == "score 2.500, threshold 1.600: anomalous"
    assert drawn[0][2].caption == "score 2.500, threshold 3.200: suspicious"
    assert drawn[1][2].caption == "highest pixel 2.500, mask from 3.200"


def test_each_map_is_in_units_of_its_own_version() -> None:
    look = inspector()
    for head, normal, threshold in (("shipped", 0.2, 1.6), (Path("taught.safetensors"), 0.4, 3.2)):
        inspection = look.inspect(spotted_picture(), DEFAULT_PRESET, settings_of(DEFAULT_PRESET), head=head)  # type: ignore[arg-type]

        units = in_units(inspection, (20, 30))

        assert units[10, 15] == pytest.approx(min(2.0, (2.5 - normal) / (threshold - normal)), abs=1e-3)
        assert units[0, 0] == 0.0


def test_the_colours_follow_the_units() -> None:
    sheet = version_sheet(inspector(), spotted_picture((240, 240)), DEFAULT_PRESET, [SHIPPED, TAUGHT])

    table = colour_table(DEFAULT_COLOUR_MAP)
    for column, normal, threshold in ((1, 0.2, 1.6), (2, 0.4, 3.2)):
        share = min(1.0, (2.5 - normal) / (threshold - normal) / 2)
        assert tile_at(sheet, column, 1)[120, 120, :3].tolist() == table[int(share * 255 + 0.5)].tolist()
        assert tile_at(sheet, column, 1)[0, 0, :3].tolist() == table[0].tolist()
    assert tile_at(sheet, 0, 0)[120, 120].tolist() == [0, 0, 0, 255]
    assert (tile_at(sheet, 0, 1)[..., 3] == 0).all()


def test_held_out_pictures_have_a_row_each_with_their_label(drawn: list[list[Tile]]) -> None:
    spot = spotted_picture((240, 240))
    mask = np.zeros((240, 240), np.bool_)
    mask[100, 100] = True

    sheet = held_out_sheet(
        inspector(),
        [(spot, mask, "anomalous"), (spot, None, "anomalous"), (white_picture((240, 240)), None, "normal")],
        DEFAULT_PRESET,
        [SHIPPED, TAUGHT],
    )

    assert [tile.title for tile in drawn[0]] == ["picture", "label", "before", "after"]
    assert [row[1].caption for row in drawn] == ["anomalous", "anomalous, pixels not marked", "normal"]
    assert drawn[2][3].caption == "score 0.000, threshold 3.200: normal"
    assert tile_at(sheet, 1, 0)[100, 100].tolist() == [255, 255, 255, 255]
    assert int((tile_at(sheet, 1, 0)[..., 0] == 255).sum()) == 1
    assert set(np.unique(tile_at(sheet, 1, 1)[..., :3])) == {150}
    assert set(np.unique(tile_at(sheet, 1, 2)[..., :3])) == {0}


def test_a_scratch_of_one_pixel_does_not_vanish_where_the_picture_is_shrunk(drawn: list[list[Tile]]) -> None:
    mask = np.zeros((1200, 2400), np.bool_)
    mask[:, 1201] = True

    held_out_sheet(inspector(), [(spotted_picture((1200, 2400)), mask, "anomalous")], DEFAULT_PRESET, [SHIPPED])

    panel = drawn[0][1].panel
    assert panel is not None
    assert panel.shape == (120, 240, 3)
    assert (panel[:, 120] == 255).all()


def test_a_version_without_a_calibration_says_that_its_colours_are_its_own(drawn: list[list[Tile]]) -> None:
    look = Inspector(nowhere(), load=cast(LoadModel, lambda _: FakeModel(calibration=None)))

    held_out_sheet(look, [(spotted_picture(), None, "anomalous")], DEFAULT_PRESET, [SHIPPED])

    assert drawn[0][2].caption == "score 2.500, no threshold: uncalibrated (not calibrated: colours of its own)"


def test_the_note_says_what_the_units_are() -> None:
    assert "0 is the level of normal pixels, 1 its threshold" in NOTE


def test_long_and_thin_pictures_keep_their_shape(drawn: list[list[Tile]]) -> None:
    picture = Picture(np.zeros((3, 3000, 3), np.uint8), "a long name of a file " * 9, "c" * 64, "")

    sheet = version_sheet(inspector(), picture, DEFAULT_PRESET, [SHIPPED])

    panel = drawn[0][0].panel
    assert panel is not None
    assert panel.shape == (1, 240, 3)
    assert sheet.mode == "RGBA"


def test_nothing_to_draw_is_one_sentence() -> None:
    with pytest.raises(DataError, match="There is no version to draw; name one or more"):
        version_sheet(inspector(), spotted_picture(), DEFAULT_PRESET, [])
    with pytest.raises(DataError, match="No picture was held out, so there is nothing to compare"):
        held_out_sheet(inspector(), [], DEFAULT_PRESET, [SHIPPED])
