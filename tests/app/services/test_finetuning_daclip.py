from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from app.services import finetuning
from app.store.job_records import TeachRequest
from models import text_loading
from models.backbones.text import build_tiny_bert_text
from models.backbones.towers import Towers
from models.backbones.vit import build_tiny_backbone
from models.errors import DataError
from models.head_files import read_head, save_head
from models.loading import load_preset
from models.methods.daclip import DAClip, DAClipConfig
from models.methods.prompts import PromptSet
from models.weights import WeightsLocation
from tests.app.services.teaching_fakes import COUNTS, labelled_workspace

PRESET = "daclip-compact"
WORDS = PromptSet(normal=("fine {}",), anomalous=("torn {}",))


@pytest.fixture
def where(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> WeightsLocation:
    def towers() -> Towers:
        torch.manual_seed(0)
        return Towers(build_tiny_backbone(depth=12), build_tiny_bert_text(), None)

    monkeypatch.setattr(text_loading, "load_towers", lambda *_, **__: (towers(), "the test"))
    monkeypatch.setattr("models.weights.HEADS_DIR", tmp_path / "heads")
    config = DAClipConfig(layers=(6, 7, 9, 12), adapter_tokens=3, dar_grid=3, scale_init=1.0)
    head = DAClip(towers(), config).head.state_dict()
    described = {
        "method": "DA-CLIP",
        "backbone": "dinov2-small",
        "text": "minilm",
        "layers": [6, 7, 9, 12],
        "image_size": 56,
        "config": asdict(config),
        "prompts": asdict(WORDS),
    }
    arrays = {name: value.half().numpy() for name, value in head.items()}
    save_head(tmp_path / "heads" / f"{PRESET}.safetensors", arrays, described)
    return WeightsLocation(weights_dir=tmp_path / "weights")


def test_da_clip_is_taught_quick_keeps_its_words_and_gets_thresholds(tmp_path: Path, where: WeightsLocation) -> None:
    with labelled_workspace(tmp_path / "w", 2, 2) as workspace:
        version = finetuning.teach(
            workspace,
            TeachRequest(preset=PRESET, steps=3),
            where,
            "cpu",
            work_folder=tmp_path / "job",
            counts=COUNTS,
        )
        assert version is not None
        path = workspace.versions.path(version.id)
        config = read_head(path).config
        model = load_preset(PRESET, WeightsLocation(weights_dir=where.weights_dir, head_path=path))

    assert config["prompts"]["anomalous"] == ["torn {}"]
    assert model.calibration is not None
    assert model.calibration.normal_maps.shape == (3, 2, 4, 4, 4)
    assert model.calibration.global_scores is not None
    assert version.metrics["held_out"]["before"]["iou"] is not None  # the parent had no thresholds; it gets some


def test_full_teaching_of_da_clip_is_refused(tmp_path: Path, where: WeightsLocation) -> None:
    with (
        labelled_workspace(tmp_path / "w", 1, 1) as workspace,
        pytest.raises(DataError, match="Both towers of DA-CLIP stay frozen, and quick teaching trains all the rest"),
    ):
        finetuning.teach(
            workspace, TeachRequest(preset=PRESET, mode="full"), where, "cpu", work_folder=tmp_path / "job"
        )
