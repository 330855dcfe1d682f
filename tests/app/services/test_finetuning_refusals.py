from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.services import finetuning
from app.store.job_records import TeachRequest
from app.store.version_records import Version
from app.store.workspace import Workspace
from models.errors import DataError, WeightsError
from models.weights import WeightsLocation
from tests.app.services.teaching_fakes import COUNTS, PRESET, SIDE, label, labelled_workspace, ship_tiny_head

QUICK = TeachRequest(preset=PRESET, steps=2, author="ann")


@pytest.fixture
def where(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> WeightsLocation:
    return ship_tiny_head(monkeypatch, tmp_path)


def teach(workspace: Workspace, where: WeightsLocation, request: TeachRequest = QUICK, **more: Any) -> Version | None:
    folder = workspace.jobs.work_folder("job")
    return finetuning.teach(workspace, request, where, "cpu", work_folder=folder, counts=COUNTS, **more)


def test_nothing_to_learn_from_ends_in_a_sentence(tmp_path: Path, where: WeightsLocation) -> None:
    with Workspace.open(tmp_path / "w") as workspace:
        with pytest.raises(DataError, match="Nothing is labelled yet"):
            teach(workspace, where)
        label(workspace, 1, anomalous=True)
        with pytest.raises(DataError, match="Only one picture is labelled .1.png."):
            teach(workspace, where)


@pytest.mark.parametrize("preset", ["winclip", "nearest-patch"])
def test_a_preset_that_trains_nothing_is_refused(preset: str, tmp_path: Path, where: WeightsLocation) -> None:
    with (
        labelled_workspace(tmp_path / "w", 1, 1) as workspace,
        pytest.raises(DataError, match="has nothing that could be trained; teach one of: visualad-dinov2-small"),
    ):
        teach(workspace, where, TeachRequest(preset=preset))


@pytest.mark.parametrize(("normal", "anomalous"), [(3, 0), (0, 3)])
def test_one_kind_of_label_is_taught_with_a_note(
    normal: int, anomalous: int, tmp_path: Path, where: WeightsLocation
) -> None:
    with labelled_workspace(tmp_path / "w", normal, anomalous) as workspace:
        version = teach(workspace, where)

    assert version is not None
    assert any(note.startswith("All labelled pictures are") for note in version.metrics["notes"])
    assert version.metrics["held_out"]["before"]["image_auroc"] is None
    assert ("loss" in version.metrics["sentence"]) == (anomalous == 0)  # without anomalies nothing can be ranked
    assert version.settings["image_px"] == SIDE


def test_missing_weights_end_in_a_sentence(tmp_path: Path, where: WeightsLocation) -> None:
    with (
        labelled_workspace(tmp_path / "w", 1, 1) as workspace,
        pytest.raises(WeightsError, match="This project ships no trained head for it"),
    ):
        teach(workspace, where, TeachRequest(preset="visualad-clip-large"))


def test_full_teaching_needs_marked_pixels(tmp_path: Path, where: WeightsLocation) -> None:
    with Workspace.open(tmp_path / "w") as workspace:
        for number in (1, 2):
            label(workspace, number, anomalous=True, marked=False)
        with pytest.raises(DataError, match="Full teaching needs pictures whose pixels are marked"):
            teach(workspace, where, replace(QUICK, mode="full"))


def test_less_than_one_step_is_refused(tmp_path: Path, where: WeightsLocation) -> None:
    with (
        labelled_workspace(tmp_path / "w", 1, 1) as workspace,
        pytest.raises(DataError, match="Teaching takes 1 step or more, and 0 were asked for"),
    ):
        teach(workspace, where, replace(QUICK, steps=0))
