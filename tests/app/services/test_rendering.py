"""What the pictures show, checked pixel by pixel where it matters."""

from __future__ import annotations

import numpy as np
import pytest

from app.services.colour_bar import norm_of
from app.services.colours import COLOUR_MAPS, ColourScale, around, colour_table, colourise, common_scale, fused_scale
from app.services.inspection import Inspection
from app.services.layer_sheet import layer_sheet
from app.services.rendering import Look, fit, map_image, overlay_image, shrink
from models.config import InspectionConfig
from models.data.pictures import Picture
from models.registry import DEFAULT_PRESET
from tests.app.fakes import FakeModel, fake_inspector, spotted_picture, white_picture


def inspected(picture: Picture, settings: InspectionConfig | None = None, model: FakeModel | None = None) -> Inspection:
    return fake_inspector(model or FakeModel()).inspect(
        picture, DEFAULT_PRESET, settings or InspectionConfig(blur_sigma=0.0)
    )


def test_a_clean_picture_looks_clean() -> None:
    picture = white_picture()
    assert np.array_equal(overlay_image(inspected(picture)), picture.rgb)


def test_the_overlay_colours_the_spot_and_leaves_the_rest_as_it_is() -> None:
    picture = spotted_picture()
    overlay = overlay_image(inspected(picture), Look(opacity=1.0))
    assert overlay.shape == picture.rgb.shape
    assert np.array_equal(overlay[5:40, 40:260], picture.rgb[5:40, 40:260])
    # The fused map is 2.5 there, at (2.5 - 0.2) / (3.0 - 0.2) of the scale.
    assert overlay[100, 150].tolist() == colour_table("inferno")[round(2.3 / 2.8 * 255)].tolist()


def test_outline_mode_draws_only_the_outline() -> None:
    picture = spotted_picture()
    overlay = overlay_image(inspected(picture), Look(outline_only=True))
    assert overlay[100, 150].tolist() == [0, 0, 0]
    assert (overlay != picture.rgb).any()


def test_the_picture_itself_is_never_drawn_on() -> None:
    picture = spotted_picture()
    before = picture.rgb.copy()
    overlay_image(inspected(picture))
    assert np.array_equal(picture.rgb, before)


def test_a_preview_gives_an_overlay_of_its_size() -> None:
    picture = spotted_picture((400, 600))
    overlay = overlay_image(inspected(picture), background=shrink(picture.rgb, 150))
    assert overlay.shape == (100, 150, 3)


def test_the_scale_depends_on_the_model_and_not_on_the_picture() -> None:
    assert fused_scale(inspected(white_picture())) == fused_scale(inspected(spotted_picture()))


def test_the_threshold_lies_in_the_middle_of_the_scale() -> None:
    assert around(0.25, 1.0) == ColourScale(0.25, 1.75)
    assert ColourScale(0.25, 1.75).share(np.array([0.0, 1.0, 9.0], dtype=np.float32)).tolist() == [0.0, 0.5, 1.0]


@pytest.mark.parametrize("name", COLOUR_MAPS)
def test_every_colour_map_gets_lighter_from_low_to_high(name: str) -> None:
    lightness = colour_table(name).astype(np.float64) @ (0.2126, 0.7152, 0.0722)
    assert lightness[-1] > lightness[128] > lightness[0]


def test_an_unknown_colour_map_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="must be one of inferno, .* got 'jet'"):
        colourise(np.zeros((2, 2), dtype=np.float32), "jet")


def test_the_fused_map_keeps_the_pictures_shape_beside_its_colour_bar() -> None:
    image = map_image(inspected(spotted_picture((400, 800))), max_side_px=400)
    assert image.shape == (240, 400 + 96, 4)  # the bar needs 240 pixels to be readable
    assert image[:200, :400, 3].min() == 255
    assert image[200:, :400, 3].max() == 0


def test_the_layer_sheet_shows_all_layers_and_fades_those_that_are_not_used() -> None:
    every = layer_sheet(inspected(spotted_picture()))
    one = layer_sheet(inspected(spotted_picture(), InspectionConfig(layers=(12,))))
    assert every.shape == one.shape
    assert every.shape[2] == 4
    panels = [slice(index * 252, index * 252 + 240) for index in range(4)]  # 240 px and a gap of 12
    assert all((every[26:186, panel, 3] == 255).all() for panel in panels)
    assert all((one[26:186, panel, 3] == 90).all() for panel in panels[:3])
    assert np.array_equal(one[26:186, panels[3]], every[26:186, panels[3]])


def test_a_model_without_calibration_is_drawn_on_a_stated_scale_too() -> None:
    inspection = inspected(spotted_picture(), model=FakeModel(calibration=None))
    assert fused_scale(inspection) == ColourScale(0.0, 4.0)
    assert overlay_image(inspection).shape == (200, 300, 3)


@pytest.mark.parametrize(
    ("size_hw", "expected_hw"), [((50, 100), (400, 800)), ((900, 700), (900, 700)), ((3000, 1500), (1200, 600))]
)
def test_previews_are_neither_tiny_nor_huge(size_hw: tuple[int, int], expected_hw: tuple[int, int]) -> None:
    assert fit(np.zeros((*size_hw, 3), dtype=np.uint8), 800, 1200).shape[:2] == expected_hw


def test_a_scale_of_probabilities_goes_by_log_odds() -> None:
    scale = around(0.1, 0.5, in_odds=True)
    # Log-odds of 0.1 are -2.197, of 0.5 they are 0, so the high end is at 2.197, which is 0.9; 0.25 has -1.0986, half
    # of -2.197, so it lies a quarter up the scale.
    assert scale.low == pytest.approx(0.1)
    assert scale.high == pytest.approx(0.9)
    shares = scale.share(np.array([0.0, 0.1, 0.25, 0.5, 0.9, 1.0], dtype=np.float32))
    assert shares.tolist() == pytest.approx([0.0, 0.0, 0.25, 0.5, 1.0, 1.0], abs=1e-5)
    assert scale.value_at(0.25) == pytest.approx(0.25, abs=1e-6)
    assert scale.share_of(0.5) == pytest.approx(0.5)


def test_a_common_scale_goes_by_log_odds_only_where_all_do() -> None:
    linear, odds = ColourScale(0.2, 1.0), ColourScale(0.1, 0.9, in_odds=True)
    assert common_scale([odds, ColourScale(0.05, 0.5, in_odds=True)]) == ColourScale(0.05, 0.9, in_odds=True)
    assert common_scale([linear, odds]) == ColourScale(0.1, 1.0)


def test_the_bar_of_probabilities_has_its_threshold_in_the_middle() -> None:
    norm = norm_of(around(0.1, 0.5, in_odds=True))
    assert np.asarray(norm([0.1, 0.25, 0.5, 0.9])).tolist() == pytest.approx([0.0, 0.25, 0.5, 1.0], abs=1e-5)
