"""The shipped head as users get it: its size, what it says of itself, and that it tells real pictures apart."""

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
from models.registry import DEFAULT_PRESET, PRESETS
from models.weights import HEADS_DIR

PRESET = PRESETS[DEFAULT_PRESET]
CELLS_PER_LABEL = 8


def head_file() -> Path:
    assert PRESET.head_file is not None
    return HEADS_DIR / PRESET.head_file


@pytest.fixture(scope="module")
def inspector() -> Inspector:
    return Inspector(AppConfig.from_environment().location(), "cpu")


def test_the_head_is_small_and_kept_in_half_precision() -> None:
    head = read_head(head_file())
    assert head_file().stat().st_size < 16_000_000
    assert {array.dtype for array in head.tensors.values()} == {np.dtype(np.float16)}


def test_the_head_agrees_with_its_preset_and_has_a_model_card() -> None:
    head = read_head(head_file())
    assert head.config["backbone"] == PRESET.backbone
    assert tuple(head.config["layers"]) == PRESET.layers
    assert head.config["image_size"] == PRESET.image_size
    card = head_file().with_suffix(".md").read_text()
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
