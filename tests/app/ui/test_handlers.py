"""The Inspect tab's handlers, called without a browser."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from app.ui.controls import HEATMAP, OUTLINE, Controls
from app.ui.downloads import make_file
from app.ui.engine import Engine
from app.ui.handlers import Desk, Shown
from app.ui.scratch import Scratch
from app.ui.session import PictureShelf, Session
from models.errors import DataError, PictureError, UnknownModelError, WeightsError
from models.registry import DEFAULT_PRESET
from models.status import PresetStatus
from tests.app.fakes import FakeModel, loader, nowhere

VALUES: tuple[Any, ...] = ([3, 6, 9, 12], 1.0, 4.0, HEATMAP, 65, "inferno", 0.7, 80, False, False)


def desk_with(model: FakeModel) -> Desk:
    scratch = Scratch()
    return Desk(Engine(nowhere(), load=loader(model)), PictureShelf(scratch), scratch)


@pytest.fixture
def spot(tmp_path: Path) -> str:
    rgb = np.full((518, 518, 3), 255, dtype=np.uint8)
    rgb[200:320, 200:320] = 0
    path = tmp_path / "spot.png"
    Image.fromarray(rgb).save(path)
    return str(path)


def shown(result: tuple[Any, ...]) -> Shown:
    return Shown(*result)


def test_a_picture_is_inspected_as_soon_as_it_is_there(spot: str) -> None:
    desk = desk_with(FakeModel())
    result = shown(desk.open_picture(spot, Session(), *VALUES))
    assert result.verdict["verdict"] == "Anomalous"
    assert result.verdict["score"] == "2.50"
    assert result.session.picture is not None
    assert result.session.picture.name == "spot.png"
    assert [Path(path).exists() for path in result.compare] == [True, True]
    assert len(result.regions) == 1


def test_moving_sliders_never_runs_the_model_again(spot: str) -> None:
    model = FakeModel()
    desk = desk_with(model)
    session = shown(desk.open_picture(spot, Session(), *VALUES)).session

    desk.redraw(session, [3], 5.0, 0.0, OUTLINE, 20, "viridis", 0.7, 80, False, False)
    desk.set_threshold(0.7, session, *VALUES)

    assert model.calls == 1


def test_a_redraw_of_the_last_picture_does_not_push_out_the_new_one(spot: str, tmp_path: Path) -> None:
    desk = desk_with(FakeModel())
    first = shown(desk.open_picture(spot, Session(), *VALUES)).session
    other = tmp_path / "white.png"
    Image.new("RGB", (64, 64), "white").save(other)
    second = shown(desk.open_picture(str(other), first, *VALUES)).session

    late = desk.redraw(first, *VALUES)

    assert late == (gr.skip(),) * len(Shown._fields)
    assert Path(shown(desk.redraw(second, *VALUES)).compare[1]).exists()


def test_after_a_picture_only_a_control_that_was_moved_meanwhile_redraws(spot: str) -> None:
    desk = desk_with(FakeModel())
    opened = shown(desk.open_picture(spot, Session(), *VALUES)).session
    moved = ([3, 6, 9, 12], 5.0, *VALUES[2:])
    assert desk.catch_up(opened, *VALUES) == (gr.skip(),) * len(Shown._fields)
    assert "highest 5 %" in shown(desk.catch_up(opened, *moved)).verdict["how"]


CHANGES: dict[str, list[tuple[Any, ...]]] = {
    "top-k": [
        ([3, 6, 9, 12], top_k, 4.0, HEATMAP, 65, "inferno", 0.7, 80, False, False)
        for top_k in (2.0, 3.0, 4.0, 5.0, 6.0)
    ],
    "layers": [
        (layers, 1.0, 4.0, HEATMAP, 65, "inferno", 0.7, 80, False, False) for layers in ([3], [6], [9], [12], [3, 6])
    ],
    "smoothing": [
        ([3, 6, 9, 12], 1.0, sigma, HEATMAP, 65, "inferno", 0.7, 80, False, False)
        for sigma in (1.0, 2.0, 3.0, 5.0, 6.0)
    ],
    "opacity": [
        ([3, 6, 9, 12], 1.0, 4.0, HEATMAP, opacity, "inferno", 0.7, 80, False, False)
        for opacity in (20, 30, 40, 50, 60)
    ],
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_settings_redraws_the_page_within_100_ms_of_server_time(spot: str, change: str) -> None:
    desk = desk_with(FakeModel())
    session = shown(desk.open_picture(spot, Session(), *VALUES)).session
    seconds = []
    for values in CHANGES[change]:
        start_s = time.perf_counter()
        desk.redraw(session, *values)
        seconds.append(time.perf_counter() - start_s)
    assert sorted(seconds)[2] < 0.1


def test_the_layer_sheet_is_drawn_again_only_when_it_changes(spot: str) -> None:
    desk = desk_with(FakeModel())
    first = shown(desk.open_picture(spot, Session(), *VALUES))
    same = shown(desk.redraw(first.session, [3, 6, 9, 12], 5.0, 4.0, HEATMAP, 65, "inferno", 0.7, 80, False, False))
    other = shown(desk.redraw(same.session, [3, 6], 5.0, 4.0, HEATMAP, 65, "inferno", 0.7, 80, False, False))
    assert same.sheet == gr.skip()
    assert Path(other.sheet["value"]).exists()


def test_a_threshold_by_hand_stays_until_the_calibrated_one_is_asked_for(spot: str) -> None:
    desk = desk_with(FakeModel())
    session = shown(desk.open_picture(spot, Session(), *VALUES)).session
    by_hand = shown(desk.set_threshold(0.5, session, *VALUES))
    back = shown(desk.use_calibrated(by_hand.session, *VALUES))
    assert by_hand.session.threshold == 0.5
    assert "set by hand (calibrated: 1.60)" in by_hand.verdict["how"]
    assert back.session.threshold is None


def test_no_layer_is_an_error_that_a_person_can_act_on(spot: str) -> None:
    desk = desk_with(FakeModel())
    session = shown(desk.open_picture(spot, Session(), *VALUES)).session
    with pytest.raises(DataError, match="Choose at least one layer"):
        desk.redraw(session, [], *VALUES[1:])


def test_a_picture_whose_file_is_gone_is_still_shown_from_memory(spot: str) -> None:
    desk = desk_with(FakeModel())
    session = shown(desk.open_picture(spot, Session(), *VALUES)).session
    Path(spot).unlink()
    assert shown(desk.redraw(session, *VALUES)).verdict["verdict"] == "Anomalous"


def test_a_picture_that_was_dropped_and_whose_file_is_gone_is_asked_for_again(spot: str) -> None:
    session = shown(desk_with(FakeModel()).open_picture(spot, Session(), *VALUES)).session
    Path(spot).unlink()
    with pytest.raises(PictureError, match="spot.png is no longer kept on the server; choose the picture again."):
        desk_with(FakeModel()).redraw(session, *VALUES)


def test_the_picture_stays_on_the_page_however_often_a_slider_moves(spot: str) -> None:
    desk = desk_with(FakeModel())
    session = shown(desk.open_picture(spot, Session(), *VALUES)).session
    for _ in range(30):  # two new files each: more than are kept
        assert Path(shown(desk.redraw(session, *VALUES)).compare[0]).exists()


def test_one_picture_under_two_names_keeps_each_visitors_own(spot: str, tmp_path: Path) -> None:
    same = tmp_path / "other.png"
    same.write_bytes(Path(spot).read_bytes())
    desk = desk_with(FakeModel())
    first = shown(desk.open_picture(spot, Session(), *VALUES)).session
    second = shown(desk.open_picture(str(same), Session(), *VALUES)).session
    names = [desk.inspection(session, VALUES)[0].picture.name for session in (first, second)]
    assert names == ["spot.png", "other.png"]


def test_clearing_the_input_empties_the_page(spot: str) -> None:
    desk = desk_with(FakeModel())
    session = shown(desk.open_picture(spot, Session(), *VALUES)).session
    empty = shown(desk.open_picture(None, session, *VALUES))
    assert empty.verdict["tone"] == "empty"
    assert (empty.compare, empty.session.picture) == (None, None)


def test_a_preset_without_weights_cannot_be_chosen_from_outside_either() -> None:
    desk = desk_with(FakeModel())
    with pytest.raises(WeightsError, match="has no weights here: .+"):
        desk.choose_preset("visualad-clip-large", Session())
    with pytest.raises(UnknownModelError, match="There is no model 'nonsense'"):
        desk.choose_preset("nonsense", Session())


def test_choosing_the_first_preset_again_offers_the_layers_of_the_head_that_was_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ready = PresetStatus(
        preset=DEFAULT_PRESET, ready=True, backbone_source="", head_source="", size_bytes=0, licence="", how_to_get=""
    )
    desk = desk_with(FakeModel(layers=(2, 5)))
    monkeypatch.setattr(desk.engine.inspector, "statuses", lambda: (ready,))
    desk.engine.warm_up().join(timeout=10)
    layers = desk.choose_preset(DEFAULT_PRESET, Session()).layers
    assert (layers["choices"], layers["value"]) == ([("2", 2), ("5", 5)], [2, 5])


def test_a_download_before_any_result_says_what_to_do() -> None:
    with pytest.raises(PictureError, match="There is no result yet; choose a picture first."):
        make_file(desk_with(FakeModel()), "mask", Session(), *VALUES)


@pytest.mark.parametrize(
    ("kind", "name"),
    [("map-npy", "spot.map.npy"), ("map-tiff", "spot.map.tiff"), ("mask", "spot.mask.png"), ("json", "spot.json")],
)
def test_downloads_are_named_as_the_picture(kind: str, name: str, spot: str) -> None:
    desk = desk_with(FakeModel())
    session = shown(desk.open_picture(spot, Session(), *VALUES)).session
    assert Path(make_file(desk, kind, session, *VALUES)).name == name


def test_values_outside_their_range_are_brought_back_into_it() -> None:
    controls = Controls.read(([12, 3], 400.0, -1.0, HEATMAP, 130, "jet", 0.7, 80, False, False))
    settings = controls.settings(Session())
    assert settings.layers == (3, 12)
    assert (settings.top_k, settings.blur_sigma) == (1.0, 0.0)
    assert (controls.look().opacity, controls.look().colour_map) == (1.0, "inferno")
