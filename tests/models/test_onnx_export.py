"""The ONNX graph against torch, with a tiny random model and with the shipped head."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from app.config import AppConfig
from models.backbones.vit import build_tiny_backbone
from models.errors import ExpectedError
from models.loading import LoadedModel, load_preset
from models.methods.visualad import VisualAD, VisualADConfig
from models.onnx_export import describe, export_onnx
from models.registry import DEFAULT_PRESET, PRESETS
from models.scoring import anomaly_map

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")


@pytest.fixture
def tiny() -> LoadedModel:
    torch.manual_seed(0)
    return LoadedModel(
        preset=PRESETS[DEFAULT_PRESET],
        layers=(2, 3, 4),
        image_size=56,
        checkpoint_digest="ab" * 32,
        backbone_source="random",
        device="cpu",
        calibration=None,
        method=VisualAD(build_tiny_backbone(), VisualADConfig(layers=(2, 3, 4))).eval(),
    )


def test_the_graph_gives_torchs_maps_for_any_batch(tiny: LoadedModel, tmp_path: Path) -> None:
    result = export_onnx(tiny, tmp_path / "tiny.onnx")

    assert result.layer_maps_error < 1e-4
    assert result.fused_map_error < 1e-4
    session = onnxruntime.InferenceSession(str(tmp_path / "tiny.onnx"), providers=["CPUExecutionProvider"])
    for batch in (1, 5):
        images = torch.randn(batch, 3, 56, 56)
        layer_maps, fused = session.run(["layer_maps", "fused_map"], {"images": images.numpy()})
        expected = tiny.method.maps(images).branch_maps[:, 0]
        fused_by_torch = anomaly_map(
            expected, (2, 3, 4), (2, 3, 4), input_size_hw=(56, 56), blur_sigma=4.0, output_size_hw=(56, 56)
        )
        np.testing.assert_allclose(layer_maps, expected.numpy(), atol=1e-4)
        np.testing.assert_allclose(fused, fused_by_torch.numpy(), atol=1e-4)


def test_half_precision_halves_the_file_and_stays_close(tiny: LoadedModel, tmp_path: Path) -> None:
    whole = export_onnx(tiny, tmp_path / "whole.onnx")
    half = export_onnx(tiny, tmp_path / "half.onnx", "fp16")

    assert isinstance(tiny.method, VisualAD)
    weights = sum(parameter.numel() for parameter in tiny.method.parameters())
    assert whole.size_bytes - half.size_bytes == pytest.approx(2 * weights, rel=0.1)  # two bytes less for each
    assert 0 < half.fused_map_error < 0.05


def test_the_file_says_how_to_prepare_images_and_read_the_maps(tiny: LoadedModel, tmp_path: Path) -> None:
    export_onnx(tiny, tmp_path / "tiny.onnx")

    (entry,) = onnx.load(str(tmp_path / "tiny.onnx")).metadata_props

    told = json.loads(entry.value)
    assert told == json.loads(json.dumps(describe(tiny)))
    assert told["preprocessing"]["mean"] == [0.485, 0.456, 0.406]
    assert told["preprocessing"]["resize"] == "bicubic to 56 x 56, antialiased, aspect not kept"
    assert told["fused_map"]["sum_of_layers"] == [2, 3, 4]
    assert told["threshold"] is None


def test_a_missing_package_is_named(tiny: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.onnx_export.find_spec", lambda name: None if name == "onnxscript" else find_spec(name))

    with pytest.raises(ExpectedError, match=r"needs onnxscript; install them with `pip install -r requirements-export"):
        export_onnx(tiny, tmp_path / "tiny.onnx")


def test_a_folder_that_is_not_there_leaves_nothing(tiny: LoadedModel, tmp_path: Path) -> None:
    with pytest.raises(ExpectedError, match="cannot be written"):
        export_onnx(tiny, tmp_path / "nowhere" / "tiny.onnx")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_shipped_head_exports_within_a_ten_thousandth(tmp_path: Path) -> None:
    model = load_preset(DEFAULT_PRESET, AppConfig.from_environment().location())

    result = export_onnx(model, tmp_path / "shipped.onnx")

    assert result.fused_map_error <= 1e-4
    assert describe(model)["threshold"] is not None
