"""What a rule for the threshold would choose, with numbers worked out by hand."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from app.services.proposing import Proposer
from app.services.threshold_preview import preview_threshold
from app.store.records import NewRevision
from app.store.workspace import Workspace
from models.calibration import Calibration
from models.errors import DataError
from models.methods.prompts import PromptSet
from models.reading import PictureMaps
from models.registry import DEFAULT_PRESET, PRESETS, Preset
from tests.app.fakes import fake_inspector

LAYERS = (6, 7, 9)


@dataclass(slots=True, eq=False)
class FlatModel:
    """Every map of a picture is its grey value over 255, in each of three layers: its score is three times that."""

    preset: Preset = PRESETS[DEFAULT_PRESET]
    layers: tuple[int, ...] = LAYERS
    default_layers: tuple[int, ...] = LAYERS
    branches: tuple[str, ...] = ("map",)
    image_size: int = 56
    checkpoint_digest: str = "f" * 64
    backbone_source: str = "a fake"
    device: str = "cpu"
    trained_on: str | None = None
    calibration: Calibration | None = field(
        default_factory=lambda: Calibration(
            torch.linspace(0.0, 0.1, 11).reshape(11, 1, 1, 1).expand(11, 3, 4, 4), LAYERS, 56
        )
    )

    def picture_maps(self, rgb: NDArray[np.uint8], prompts: PromptSet | None = None) -> PictureMaps:
        return PictureMaps(np.full((1, 3, 4, 4), rgb[0, 0, 0] / 255, dtype=np.float32))


@pytest.fixture
def proposer(tmp_path: Path) -> Iterator[Proposer]:
    with Workspace.open(tmp_path / "w") as workspace:
        yield Proposer(workspace, fake_inspector(FlatModel()))  # type: ignore[arg-type]


def labelled(proposer: Proposer, greys: dict[int, str]) -> None:
    for grey, label in greys.items():
        file = io.BytesIO()
        Image.new("RGB", (16, 16), (grey, grey, grey)).save(file, format="PNG")
        digest = proposer.workspace.add_image(file.getvalue(), f"{grey}.png", author="").image.digest
        mask = np.zeros((16, 16), dtype=np.bool_) if label == "normal" else None
        proposer.workspace.save(digest, NewRevision(label=label, mask=mask, author=""))  # type: ignore[arg-type]


def test_the_best_f1_lies_half_way_between_the_two_scores_that_it_parts(proposer: Proposer) -> None:
    labelled(proposer, {0: "normal", 51: "normal", 102: "anomalous", 204: "anomalous", 255: "unsure"})
    seen = preview_threshold(proposer, DEFAULT_PRESET, {"kind": "f1"})
    assert sorted(seen.scores) == pytest.approx([0.0, 0.6, 1.2, 2.4], abs=2e-3)  # 3 x grey / 255, half precision
    assert seen.threshold == pytest.approx((0.6 + 1.2) / 2, abs=2e-3)
    assert (seen.errors.false_alarms, seen.errors.normals, seen.errors.misses, seen.errors.anomalies) == (0, 2, 0, 2)


def test_a_rate_of_false_alarms_is_a_quantile_of_the_labelled_normals(proposer: Proposer) -> None:
    labelled(proposer, {0: "normal", 51: "normal", 102: "normal"})
    seen = preview_threshold(proposer, DEFAULT_PRESET, {"kind": "false_alarms", "rate": 0.5})
    assert seen.threshold == pytest.approx(0.6, abs=2e-3)  # the median of 0, 0.6 and 1.2
    assert seen.errors.false_alarms == 2


def test_the_calibrated_threshold_is_the_one_in_use_and_its_normals_are_shown(proposer: Proposer) -> None:
    labelled(proposer, {0: "normal", 255: "anomalous"})
    seen = preview_threshold(proposer, DEFAULT_PRESET, {"kind": "normals"})
    # Scores 0, 0.03, ... 0.3 of eleven held-out pictures: the quantile 0.98 lies at 9.8 of 10 steps.
    assert seen.threshold == seen.in_use == pytest.approx(0.294, abs=1e-3)
    assert seen.others.tolist() == pytest.approx([0.03 * step for step in range(11)], abs=1e-3)
    assert not seen.in_odds


@pytest.mark.parametrize(
    ("greys", "rule", "sentence"),
    [
        ({}, {"kind": "f1"}, "Nothing is labelled yet"),
        ({9: "unsure"}, {"kind": "f1"}, "Nothing is labelled yet"),
        ({9: "normal"}, {"kind": "f1"}, "needs labelled pictures of both kinds"),
        ({9: "anomalous"}, {"kind": "false_alarms"}, "needs labelled normal pictures"),
        ({9: "normal"}, {"kind": "median"}, "There is no such rule for thresholds"),
        ({9: "normal"}, {"kind": "false_alarms", "rate": 2.0}, "There is no such rule for thresholds"),
    ],
)
def test_labels_that_do_not_suffice_are_one_sentence(
    proposer: Proposer, greys: dict[int, str], rule: dict[str, object], sentence: str
) -> None:
    labelled(proposer, greys)
    with pytest.raises(DataError, match=sentence):
        preview_threshold(proposer, DEFAULT_PRESET, rule)


def test_nothing_is_changed(proposer: Proposer) -> None:
    labelled(proposer, {0: "normal", 255: "anomalous"})
    before = proposer.workspace.version()
    preview_threshold(proposer, DEFAULT_PRESET, {"kind": "f1"})
    assert proposer.workspace.version() == before
    assert proposer.workspace.versions.list() == ()
