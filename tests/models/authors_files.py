"""Checkpoints in the layout of VisualAD's authors, made of random numbers, and a place to import them to."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from models import authors_checkpoint, loading
from models.backbones import Backbone
from models.backbones.vit import build_tiny_backbone
from models.registry import BACKBONES
from models.weights import WeightsLocation

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
        "cross_attn_config": {"num_anchors": ANCHORS, "dropout": 0.1, "res_scale_init": 0.01}, "token_insert_layer": 0,
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
    hidden = patches @ saf["mlp.0.weight"].T + saf["mlp.0.bias"]
    if saved["transform_type"] == "linear":
        aligned = hidden
    else:
        bent = hidden.where(hidden > 0, 0.01 * hidden) if saved["transform_type"] == "leaky_relu" else F.gelu(hidden)
        aligned = bent @ saf["mlp.3.weight"].T + saf["mlp.3.bias"]
    if saved["transform_type"] == "mlp_residual":
        aligned = aligned + patches
    return F.cosine_similarity(aligned, refined[0][None]) - F.cosine_similarity(aligned, refined[1][None])


def random_saf(transform: str, seed: int = 1) -> dict[str, Any]:
    """The tensors of one of the five transforms, in the mlp's layout."""
    generator = torch.Generator().manual_seed(seed)
    hidden = WIDTH // 4 if transform == "adapter" else WIDTH
    shapes: dict[str, tuple[int, ...]] = {"mlp.0.weight": (hidden, WIDTH), "mlp.0.bias": (hidden,)}
    if transform != "linear":
        shapes |= {"mlp.3.weight": (WIDTH, hidden), "mlp.3.bias": (WIDTH,)}
    return {
        f"layer_{layer}": {name: torch.randn(*shape, generator=generator) * 0.3 for name, shape in shapes.items()}
        for layer in LAYERS
    }


def tiny_place(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> WeightsLocation:
    """A weights folder with a tiny backbone in the place of a large one."""
    like: Literal["clip", "dinov2"] = "clip" if name == "clip-large" else "dinov2"
    spec = replace(BACKBONES[name], width=WIDTH, depth=4)
    table = MappingProxyType({**BACKBONES, spec.name: spec})
    monkeypatch.setattr(authors_checkpoint, "BACKBONES", table)
    monkeypatch.setattr("models.registry.BACKBONES", table)
    monkeypatch.setattr(loading, "build_backbone", lambda _: build_tiny_backbone(seed=9, like=like))
    torch.manual_seed(1)
    state = build_tiny_backbone(seed=0, like=like).vit.state_dict()
    save_file(
        {key: value + 0.1 * torch.randn_like(value) for key, value in state.items()}, folder / f"{name}.safetensors"
    )
    return WeightsLocation(weights_dir=folder)


def written(tmp_path: Path, checkpoint: dict[str, Any]) -> Path:
    path = tmp_path / "epoch_2.pth"
    torch.save(checkpoint, path)
    return path
