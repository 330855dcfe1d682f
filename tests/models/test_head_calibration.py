"""Labelled maps and the rule go into a head file and come out of it, for both methods."""

from pathlib import Path
from typing import Any

import pytest
import torch

from models import text_loading
from models.backbones.towers import build_tiny_towers
from models.backbones.vit import build_tiny_backbone
from models.errors import WeightsError
from models.head_files import read_head
from models.loading import attach_head
from models.methods.daclip import DAClip, DAClipConfig
from models.methods.visualad import VisualAD, VisualADConfig
from models.presets import PRESETS
from models.threshold_rules import LabelledMaps, ThresholdRule
from models.training.checkpoint import export_head

VISUALAD: dict[str, Any] = {"backbone": "dinov2-small", "layers": [2, 4], "image_size": 56, "anchors": 4}
DACLIP_SETTINGS: dict[str, Any] = {"layers": [2, 4], "dar_grid": 2}
DACLIP: dict[str, Any] = {
    "method": "DA-CLIP",
    "backbone": "dinov2-small",
    "text": "minilm",
    "layers": [2, 4],
    "image_size": 56,
    "config": DACLIP_SETTINGS,
}
LABELS = torch.tensor([0, 1, 0])


def rand(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(len(shape)))


def write_visualad(path: Path) -> Path:
    head = VisualAD(build_tiny_backbone(), VisualADConfig(layers=(2, 4))).head.state_dict()
    labelled = LabelledMaps(rand(3, 2, 4, 4), LABELS)
    rule = ThresholdRule("false_alarms", 0.1)
    export_head(path, head, VISUALAD, rand(5, 2, 4, 4), labelled=labelled, rule=rule)
    return path


def test_a_head_of_visualad_keeps_labelled_maps_and_rule(tmp_path: Path) -> None:
    path = write_visualad(tmp_path / "head.safetensors")
    head = read_head(path)

    _, found = attach_head(build_tiny_backbone(), PRESETS["visualad-dinov2-small"], head, path)

    assert head.config["threshold_rule"] == {"kind": "false_alarms", "rate": 0.1}
    assert found is not None
    assert found.rule == ThresholdRule("false_alarms", 0.1)
    assert found.labelled is not None
    assert torch.equal(found.labelled.maps[:, 0], rand(3, 2, 4, 4).half().float())
    assert torch.equal(found.labelled.labels, LABELS)
    assert found.labelled.global_scores is None


def test_a_head_of_daclip_keeps_them_with_the_global_scores(tmp_path: Path) -> None:
    path, towers = tmp_path / "head.safetensors", build_tiny_towers(like="compact")
    model = DAClip(towers, DAClipConfig(layers=(2, 4), dar_grid=2))
    labelled = LabelledMaps(rand(3, 2, 2, 4, 4), LABELS, rand(3))
    export_head(
        path,
        model.head.state_dict(),
        DACLIP,
        rand(5, 2, 2, 4, 4),
        global_scores=rand(5),
        labelled=labelled,
        rule=ThresholdRule("f1"),
    )

    _, found = text_loading.attach_daclip_head(towers, PRESETS["daclip-compact"], read_head(path), path)

    assert found is not None
    assert found.global_scores is not None
    assert torch.equal(found.global_scores, rand(5))
    assert found.rule == ThresholdRule("f1")
    assert found.labelled is not None
    assert found.labelled.global_scores is not None
    assert torch.equal(found.labelled.global_scores, rand(3))
    assert torch.equal(found.labelled.labels, LABELS)


def test_a_head_without_them_goes_by_its_normal_pictures(tmp_path: Path) -> None:
    path = tmp_path / "head.safetensors"
    head = VisualAD(build_tiny_backbone(), VisualADConfig(layers=(2, 4))).head.state_dict()
    export_head(path, head, VISUALAD, rand(5, 2, 4, 4))

    read = read_head(path)
    _, found = attach_head(build_tiny_backbone(), PRESETS["visualad-dinov2-small"], read, path)

    assert "threshold_rule" not in read.config
    assert found is not None
    assert (found.rule, found.labelled) == (ThresholdRule("normals"), None)


@pytest.mark.parametrize(
    "rule",
    [{"kind": "later", "rate": 0.1}, {"kind": "f1"}, {"kind": "false_alarms", "rate": "much"}, "f1"],
    ids=["unknown", "incomplete", "no number", "no record"],
)
def test_a_rule_that_cannot_be_read_is_a_head_of_another_version(rule: object, tmp_path: Path) -> None:
    path = tmp_path / "head.safetensors"
    head = VisualAD(build_tiny_backbone(), VisualADConfig(layers=(2, 4))).head.state_dict()
    export_head(path, head, {**VISUALAD, "threshold_rule": rule}, rand(5, 2, 4, 4))

    with pytest.raises(WeightsError, match="damaged or of another version"):
        attach_head(build_tiny_backbone(), PRESETS["visualad-dinov2-small"], read_head(path), path)
