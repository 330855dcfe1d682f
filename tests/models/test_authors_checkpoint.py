"""Checkpoints in the authors' layout, made of random numbers, against a reading of that layout in plain loops."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from app.cli import main
from models import authors_checkpoint, loading
from models.authors_checkpoint import FinalNorm, import_checkpoint, read_authors_checkpoint
from models.backbones import Backbone
from models.backbones.vit import build_tiny_backbone
from models.errors import WeightsError
from models.head_files import read_head
from models.registry import BACKBONES, PRESETS
from models.weights import WeightsLocation, preset_status

WIDTH, ANCHORS, LAYERS = 32, 3, (2, 4)


def random_checkpoint(seed: int = 0) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(seed)

    def rand(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator) * 0.3

    square, wide = (WIDTH, WIDTH), (WIDTH,)
    attention: dict[str, Tensor] = {}
    for layer in LAYERS:
        shapes = {
            "anchor_queries": (ANCHORS, WIDTH), "pos_encoding": (1, 1536, WIDTH), "q_proj.weight": square,
            "k_proj.weight": square, "v_proj.weight": square, "q_norm.weight": wide, "q_norm.bias": wide,
            "k_norm.weight": wide, "k_norm.bias": wide, "gate.0.weight": (ANCHORS, WIDTH), "gate.0.bias": (ANCHORS,),
            "out_proj.weight": square, "out_proj.bias": wide, "res_scale": (1,),
        }  # fmt: skip
        attention |= {f"layer_attentions.layer_{layer}.{name}": rand(*shape) for name, shape in shapes.items()}
    mlp = {"mlp.0.weight": square, "mlp.0.bias": wide, "mlp.3.weight": square, "mlp.3.bias": wide}
    return {
        "anomaly_token": rand(*wide), "normal_token": rand(*wide), "ln_post_weight": rand(*wide),
        "ln_post_bias": rand(*wide), "features_list": list(LAYERS), "image_size": 56, "epoch": 2,
        "backbone": "dinov2_vitl14", "transform_type": "mlp",
        "layer_transforms": {f"layer_{layer}": {name: rand(*shape) for name, shape in mlp.items()} for layer in LAYERS},
        "cross_attn": attention,
        "cross_attn_config": {"num_anchors": ANCHORS, "dropout": 0.1, "res_scale_init": 0.01},
    }  # fmt: skip


def plain_layer_map(
    saved: dict[str, Any], backbone: Backbone, images: Tensor, layer: int, norm: tuple[Tensor, Tensor]
) -> Tensor:
    """One layer's map (N,) of one image, from the authors' names and the paper's equations alone."""

    def normed(vectors: Tensor) -> Tensor:
        return F.layer_norm(vectors, (WIDTH,), *norm, eps=backbone.final_norm.eps)

    tokens = torch.stack([saved["anomaly_token"], saved["normal_token"]]) + backbone.position_table[0, 0]
    features = backbone(images, LAYERS, tokens)
    patches = normed(features.patch_tokens[layer])[0]
    sca = {
        name.removeprefix(f"layer_attentions.layer_{layer}."): value
        for name, value in saved["cross_attn"].items()
        if name.startswith(f"layer_attentions.layer_{layer}.")
    }
    keys = (patches + sca["pos_encoding"][0, : len(patches)]) @ sca["k_proj.weight"].T
    keys = F.layer_norm(keys, (WIDTH,), sca["k_norm.weight"], sca["k_norm.bias"])
    queries = sca["anchor_queries"] @ sca["q_proj.weight"].T
    queries = F.layer_norm(queries, (WIDTH,), sca["q_norm.weight"], sca["q_norm.bias"])
    values = (queries @ keys.T / math.sqrt(WIDTH)).softmax(1) @ (patches @ sca["v_proj.weight"].T)
    refined = []
    for token in normed(features.extra_tokens)[0]:
        gate = torch.sigmoid(sca["gate.0.weight"] @ token + sca["gate.0.bias"])
        mix = sum((gate[i] * values[i] for i in range(ANCHORS)), torch.zeros(WIDTH))
        refined.append(token + sca["res_scale"] * (sca["out_proj.weight"] @ mix + sca["out_proj.bias"]))
    saf = saved["layer_transforms"][f"layer_{layer}"]
    hidden = F.gelu(patches @ saf["mlp.0.weight"].T + saf["mlp.0.bias"])
    aligned = hidden @ saf["mlp.3.weight"].T + saf["mlp.3.bias"]
    return F.cosine_similarity(aligned, refined[0][None]) - F.cosine_similarity(aligned, refined[1][None])


@pytest.fixture
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WeightsLocation:
    """A weights folder with a tiny backbone in the place of DINOv2-L."""
    spec = replace(BACKBONES["dinov2-large"], width=WIDTH, depth=4)
    table = MappingProxyType({**BACKBONES, spec.name: spec})
    monkeypatch.setattr(authors_checkpoint, "BACKBONES", table)
    monkeypatch.setattr("models.registry.BACKBONES", table)
    monkeypatch.setattr(loading, "build_backbone", lambda _: build_tiny_backbone(seed=9))
    state = {name: value + 0.1 * torch.randn_like(value) for name, value in tiny_state().items()}
    save_file(state, tmp_path / "dinov2-large.safetensors")
    return WeightsLocation(weights_dir=tmp_path)


def tiny_state() -> dict[str, Tensor]:
    torch.manual_seed(1)
    return dict(build_tiny_backbone(seed=0).vit.state_dict())


def written(tmp_path: Path, checkpoint: dict[str, Any]) -> Path:
    path = tmp_path / "epoch_2.pth"
    torch.save(checkpoint, path)
    return path


@pytest.mark.parametrize("final_norm", ["checkpoint", "pretrained"])
def test_an_imported_checkpoint_gives_the_layer_maps_of_the_plain_reading(
    where: WeightsLocation, tmp_path: Path, final_norm: FinalNorm
) -> None:
    saved = random_checkpoint()
    preset, head = import_checkpoint(written(tmp_path, saved), where, final_norm)
    rgb = np.random.default_rng(0).integers(0, 256, (56, 56, 3), dtype=np.uint8)

    model = loading.load_preset(preset.name, where)

    own = model.method.backbone.final_norm
    norm = (saved["ln_post_weight"], saved["ln_post_bias"]) if final_norm == "checkpoint" else (own.weight, own.bias)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    images = ((torch.from_numpy(rgb) / 255 - mean) / std).permute(2, 0, 1)[None]
    maps = model.layer_maps(rgb)
    for index, layer in enumerate(LAYERS):
        with torch.no_grad():
            expected = plain_layer_map(saved, model.method.backbone, images, layer, norm)
        np.testing.assert_allclose(maps[index].reshape(-1), expected.numpy(), atol=1e-5)
    assert (model.layers, model.image_size, model.calibration) == (LAYERS, 56, None)
    # What is not used is not kept: the file alone tells which LayerNorm its maps are made with.
    assert ("final_norm.weight" in read_head(head).tensors) == (final_norm == "checkpoint")


def test_the_command_makes_the_preset_ready(
    where: WeightsLocation, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, random_checkpoint())

    assert main(["weights", "import", str(file), "--weights-dir", str(where.weights_dir)]) == 0

    status = preset_status(PRESETS["visualad-dinov2-large"], where)
    assert status.ready
    assert status.head_source == "imported, visualad-dinov2-large.safetensors of the weights folder"
    assert "visualad-dinov2-large: ready" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"anomaly_token": None}, r"dinov2_vitl14' with width 0"),
        ({"normal_token": None}, r"missing normal_token"),
        ({"text_features": torch.zeros(3)}, r"unexpected text_features"),
        ({"ln_post_bias": torch.zeros(31)}, r"final_norm.bias is \(31,\) instead of \(32,\)"),
        ({"backbone": "ResNet-50"}, r"was trained on 'ResNet-50' with width 32"),
        ({"features_list": [2, 40]}, r"lists the layers \[2, 40\]; layers of DINOv2 ViT-L/14 are 1 to 4"),
        ({"features_list": None}, r"no VisualAD checkpoint of the authors \(features_list missing\)"),
        ({"cross_attn": {}}, r"missing cross_attention.layer_2.anchor_queries; .* and \d+ more"),
        ({"layer_transforms": {}}, r"missing self_alignment.layer_2.mlp.0.weight"),
    ],
)
def test_every_misfit_is_named(where: WeightsLocation, tmp_path: Path, change: dict[str, Any], sentence: str) -> None:
    changed = random_checkpoint() | change
    file = written(tmp_path, {name: value for name, value in changed.items() if value is not None})

    with pytest.raises(WeightsError, match=sentence):
        import_checkpoint(file, where)

    assert not (where.weights_dir / "heads").exists()


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("code ran",)


@pytest.mark.parametrize("content", [b"", b"no pickle", Evil(), [1, 2]])
def test_a_file_of_another_kind_is_refused_and_none_of_its_code_runs(
    tmp_path: Path, content: object, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "other.pth"
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        torch.save(content, file)

    with pytest.raises(WeightsError, match=r"other\.pth (cannot be read as a checkpoint|holds a list)"):
        read_authors_checkpoint(file)

    assert capsys.readouterr().out == ""


def test_a_file_with_import_only_and_import_with_a_file_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "import"]) == 2
    assert main(["weights", "list", "some.pth"]) == 2

    assert capsys.readouterr().err.count("takes one file") == 2
