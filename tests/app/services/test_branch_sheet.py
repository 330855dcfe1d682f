"""The sheet of branches, checked pixel by pixel where it matters."""

from __future__ import annotations

import numpy as np
import pytest

from app.services.branch_sheet import branch_sheet
from app.services.colours import colour_table
from app.services.inspection import Inspection
from models.config import InspectionConfig
from models.data.pictures import Picture
from models.errors import DataError
from models.registry import DEFAULT_PRESET
from tests.app.fakes import FakeModel, fake_inspector, white_picture
from tests.app.text_fakes import TEXT_PRESET, FakeTextModel, text_inspector

PANEL, GAP, TITLE, BAR = 176, 12, 26, 96


def black(settings: InspectionConfig | None = None) -> Inspection:
    picture = Picture(rgb=np.zeros((40, 40, 3), dtype=np.uint8), name="black.png", digest="c" * 64, note="")
    return text_inspector(FakeTextModel()).inspect(picture, TEXT_PRESET, settings or InspectionConfig())


def middle(sheet: np.ndarray, row: int, column_from_right: int) -> list[int]:
    """The colour in the middle of a panel."""
    x = sheet.shape[1] - BAR - column_from_right * (PANEL + GAP) + PANEL // 2
    pixel: list[int] = sheet[TITLE + row * (PANEL + GAP) + PANEL // 2, x].tolist()
    return pixel


def inferno(value: float) -> list[int]:
    colour: list[int] = colour_table("inferno")[round(value * 255)].tolist()
    return colour


def test_rows_are_the_branches_and_their_blend_and_the_last_column_is_the_mean_of_those_used() -> None:
    sheet = branch_sheet(black())
    # The fake gives 10/16 of 1/4, 2/4, 3/4 for layers 6, 7 and 9, refined is half of it, and alpha is 0.7.
    for row, factor in enumerate((1.0, 0.5, 0.7 * 0.5 + 0.3)):
        assert middle(sheet, row, 5)[:3] == inferno(0.625 * 0.25 * factor)
        assert middle(sheet, row, 3)[:3] == inferno(0.625 * 0.75 * factor)
        assert middle(sheet, row, 1)[:3] == inferno(0.625 * 0.5 * factor)


def test_alpha_moves_the_blend_alone() -> None:
    refined_only = branch_sheet(black(InspectionConfig(alpha=1.0)))
    assert [middle(refined_only, row, 1)[:3] for row in (0, 2)] == [inferno(0.3125), inferno(0.15625)]


def test_a_layer_that_is_not_used_is_faded_in_every_row() -> None:
    sheet = branch_sheet(black())
    assert [[middle(sheet, row, column)[3] for column in (2, 1)] for row in range(3)] == [[90, 255]] * 3


def test_an_alpha_for_a_head_without_refined_maps_is_refused() -> None:
    inspector = text_inspector(FakeTextModel(branches=("static",)))
    assert inspector.inspect(white_picture(), TEXT_PRESET, InspectionConfig()).alpha is None
    with pytest.raises(DataError, match=f"The head of {TEXT_PRESET} has no refined maps, so alpha means nothing"):
        inspector.inspect(white_picture(), TEXT_PRESET, InspectionConfig(alpha=0.7))


def test_a_method_with_one_branch_has_no_such_sheet() -> None:
    inspection = fake_inspector(FakeModel()).inspect(white_picture(), DEFAULT_PRESET, InspectionConfig())
    with pytest.raises(ValueError, match=r"two branches or more, got \('map',\)"):
        branch_sheet(inspection)
