"""The shipped heads as users get them: their size, what they say of themselves, and that they tell pictures apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.config import AppConfig
from app.services.inspector import Inspector
from models.config import InspectionConfig
from models.data.pictures import load_picture
from models.evaluation.elpv import find_elpv, limited, read_cells
from models.head_files import read_head
from models.registry import DEFAULT_PRESET, PRESETS, Preset
from models.weights import HEADS_DIR

SHIPPED = [preset for preset in PRESETS.values() if preset.head_file is not None]
CELLS_PER_LABEL = 8

every_head = pytest.mark.parametrize("preset", SHIPPED, ids=lambda preset: preset.name)


def head_file(preset: Preset) -> Path:
    assert preset.head_file is not None
    return HEADS_DIR / preset.head_file


@pytest.fixture(scope="module")
def inspector() -> Inspector:
    return Inspector(AppConfig.from_environment().location(), "cpu")


def test_two_heads_are_shipped() -> None:
    assert [preset.name for preset in SHIPPED] == [DEFAULT_PRESET, "daclip-compact"]


@every_head
def test_a_head_is_small_and_its_weights_are_in_half_precision(preset: Preset) -> None:
    head = read_head(head_file(preset))
    assert head_file(preset).stat().st_size < 16_000_000
    assert {array.dtype for array in head.tensors.values() if array.ndim > 1} == {np.dtype(np.float16)}


@every_head
def test_a_head_agrees_with_its_preset_and_has_a_model_card(preset: Preset) -> None:
    head = read_head(head_file(preset))
    assert (head.config["method"], head.config["backbone"]) == (preset.method, preset.backbone)
    assert head.config.get("text") == preset.text
    assert tuple(head.config["layers"]) == preset.layers
    assert head.config["image_size"] == preset.image_size
    card = head_file(preset).with_suffix(".md").read_text()
    assert head.digest in card
    assert "elpv" in card.lower()


def test_cracked_solar_cells_score_above_intact_ones_far_more_often_than_by_chance(inspector: Inspector) -> None:
    cells = limited(read_cells(find_elpv(), ("mono",)), CELLS_PER_LABEL)
    scores: dict[bool, list[float]] = {False: [], True: []}
    for cell in cells:
        inspection = inspector.inspect(load_picture(cell.path), DEFAULT_PRESET, InspectionConfig())
        scores[cell.anomalous].append(inspection.image_score)
    ordered = [intact < cracked for intact in scores[False] for cracked in scores[True]]
    assert len(ordered) == CELLS_PER_LABEL**2
    assert np.mean(ordered) > 0.65


def test_the_same_picture_gives_the_same_map_at_another_time(inspector: Inspector) -> None:
    picture = load_picture(next(Path("assets/examples").glob("*.jpg")))
    first = inspector.inspect(picture, DEFAULT_PRESET, InspectionConfig())
    again = Inspector(inspector.where, "cpu").inspect(picture, DEFAULT_PRESET, InspectionConfig())
    assert np.array_equal(first.anomaly_map, again.anomaly_map)
    assert first.anomaly_map.shape == picture.rgb.shape[:2]
