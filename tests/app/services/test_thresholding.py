from __future__ import annotations

from pathlib import Path

import pytest

from app.services.teaching_parent import load_parent
from app.services.thresholding import set_threshold
from models.calibration import ThresholdRule
from models.errors import DataError
from models.head_files import read_head
from models.loading import load_preset
from models.weights import WeightsLocation
from tests.app.services.teaching_fakes import PRESET, label, labelled_workspace, ship_tiny_head


@pytest.fixture
def where(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> WeightsLocation:
    return ship_tiny_head(monkeypatch, tmp_path)


def test_a_threshold_from_labels_is_a_version_with_the_same_weights(tmp_path: Path, where: WeightsLocation) -> None:
    with labelled_workspace(tmp_path / "w", 3, 3) as workspace:
        version = set_threshold(workspace, where, "cpu", PRESET, ThresholdRule("f1"), "ann")
        path = workspace.versions.path(version.id)
        head, before = read_head(path), read_head(tmp_path / "heads" / f"{PRESET}.safetensors")
        active = workspace.versions.active(PRESET)

    assert (version.mode, version.parent, active) == ("threshold", before.digest, None)
    for name in before.tensors.keys() - {"calibration.normal_maps"}:
        assert (head.tensors[name] == before.tensors[name]).all()
    assert head.tensors["calibration.labels"].sum() == 3
    assert head.config["threshold_rule"]["kind"] == "f1"
    model = load_preset(PRESET, WeightsLocation(weights_dir=where.weights_dir, head_path=path))
    assert model.calibration is not None
    thresholds = model.calibration.thresholds(model.default_layers, top_k=0.01, blur_sigma=4.0)
    assert version.metrics["threshold"]["after"] == pytest.approx(thresholds.anomalous, abs=2e-3)
    assert version.metrics["threshold"]["before"] != version.metrics["threshold"]["after"]


def test_its_labels_are_not_taken_for_taught_or_held_out_later(tmp_path: Path, where: WeightsLocation) -> None:
    with labelled_workspace(tmp_path / "w", 3, 3) as workspace:
        version = set_threshold(workspace, where, "cpu", PRESET, {"kind": "false_alarms", "rate": 0.1}, "ann")
        workspace.versions.activate(PRESET, version.id, "ann")
        parent = load_parent(workspace, PRESET, None, where, "cpu")

    assert (parent.name, parent.taught, parent.held_out) == ("version 1", frozenset(), frozenset())


def test_labels_that_do_not_suffice_for_a_rule_are_refused(tmp_path: Path, where: WeightsLocation) -> None:
    with labelled_workspace(tmp_path / "w", 0, 2) as workspace:
        with pytest.raises(DataError, match="The best F1 needs labelled pictures of both kinds"):
            set_threshold(workspace, where, "cpu", PRESET, {"kind": "f1"}, "ann")
        with pytest.raises(DataError, match="A false-alarm rate needs labelled normal pictures"):
            set_threshold(workspace, where, "cpu", PRESET, {"kind": "false_alarms", "rate": 0.1}, "ann")
        label(workspace, 1, anomalous=False)
        with pytest.raises(DataError, match="There is no such rule for thresholds"):
            set_threshold(workspace, where, "cpu", PRESET, {"kind": "luck"}, "ann")
