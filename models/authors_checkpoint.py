"""The VisualAD authors' checkpoint file (.pth) as one of our heads.  Reads one file; runs no code from it.

Its layout: `anomaly_token` and `normal_token` [d], `ln_post_weight` and `ln_post_bias` [d], `features_list` (layers,
counted from 1), `image_size`, `backbone`, `layer_transforms` ({"layer_6": SAF's tensors}), `cross_attn` (SCA's tensors
under "layer_attentions.layer_6.") and `cross_attn_config`.  Source: the authors' code of arXiv:2603.07952.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

import torch
from torch import Tensor

from models.errors import WeightsError
from models.head_files import save_head
from models.methods.visualad import VisualADConfig, VisualADHead
from models.registry import BACKBONES, PRESETS, BackboneSpec, Preset
from models.weights import WeightsLocation, imported_head_path

FinalNorm = Literal["checkpoint", "pretrained"]

_PLAIN_ENTRIES: Final = MappingProxyType(
    {
        "anomaly_token": "anomaly_token",
        "normal_token": "normal_token",
        "ln_post_weight": "final_norm.weight",
        "ln_post_bias": "final_norm.bias",
    }
)
_FACTS: Final = ("features_list", "image_size", "backbone")
_KNOWN: Final = {*_PLAIN_ENTRIES, *_FACTS, "epoch", "transform_type", "layer_transforms", "cross_attn",
                 "cross_attn_config"}  # fmt: skip
_NAMED_IN_A_SENTENCE: Final = 6


@dataclass(frozen=True, slots=True, eq=False)
class ConvertedHead:
    """A head in our names."""

    tensors: dict[str, Tensor]
    config: dict[str, Any]  # what `head_files.save_head` keeps beside the tensors


def read_authors_checkpoint(path: Path, final_norm: FinalNorm = "checkpoint") -> ConvertedHead:
    """Read a checkpoint in the authors' layout and check every entry of it.

    Args:
        path: the .pth file.
        final_norm: "checkpoint" takes the LayerNorm that was trained and saved; "pretrained" leaves it out, so that the
            backbone's own is used, as the authors' test script does: it never reads the saved one back.
    Raises:
        WeightsError: the file cannot be read, is of another layout or backbone, or entries are missing, unexpected or
            of the wrong shape; the sentence names them.
    """
    entries = _load(path)
    missing = [name for name in _FACTS if name not in entries]
    if missing:
        raise WeightsError(
            f"{path.name} is no VisualAD checkpoint of the authors ({', '.join(missing)} missing); give another file."
        )
    spec = _backbone(path, entries)
    layers = _layers(path, entries["features_list"], spec)
    tensors, unexpected = _renamed(entries)
    anchors = tensors.get(f"cross_attention.layer_{layers[0]}.anchor_queries")
    config = VisualADConfig(layers=layers, anchors=4 if anchors is None else len(anchors))
    with torch.device("meta"):
        wanted = {name: value.shape for name, value in VisualADHead(spec.width, config).state_dict().items()}
    _refuse_misfits(path, tensors, wanted, unexpected)
    if final_norm == "pretrained":
        tensors = {name: value for name, value in tensors.items() if not name.startswith("final_norm.")}
    return ConvertedHead(
        tensors=tensors,
        config={
            "method": "VisualAD",
            "backbone": spec.name,
            "layers": list(layers),
            "image_size": int(entries["image_size"]),
            "anchors": config.anchors,
            "train_positions": False,
            "sca": True,
            "saf": "mlp",
            "final_norm": final_norm,
            "imported_from": {"file": path.name, "epoch": int(entries.get("epoch", 0))},
        },
    )


def import_checkpoint(path: Path, where: WeightsLocation, final_norm: FinalNorm = "checkpoint") -> tuple[Preset, Path]:
    """Convert a checkpoint and put it where its preset looks for a head; an earlier import is replaced.

    Returns:
        The preset that has a head now, and the head's file.
    Raises:
        WeightsError: as `read_authors_checkpoint` does, or the weights folder cannot be written to.
    """
    converted = read_authors_checkpoint(path, final_norm)
    preset = next(preset for preset in PRESETS.values() if preset.backbone == converted.config["backbone"])
    target = imported_head_path(preset, where)
    save_head(target, {name: value.numpy() for name, value in converted.tensors.items()}, converted.config)
    return preset, target


def _load(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        raise WeightsError(f"There is no checkpoint at {path}; check the path.")
    try:
        entries = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, OSError, EOFError, KeyError, ValueError) as error:
        raise WeightsError(
            f"{path.name} cannot be read as a checkpoint: it is damaged, or holds more than weights; get it again."
        ) from error
    if not isinstance(entries, dict):
        raise WeightsError(f"{path.name} holds a {type(entries).__name__}, no table of weights; give another file.")
    return entries


def _backbone(path: Path, entries: Mapping[str, Any]) -> BackboneSpec:
    """The backbone by the name in the file: OpenAI's for CLIP, anything with "dinov2" and the width for DINOv2."""
    name = str(entries["backbone"])
    width = len(entries["anomaly_token"]) if isinstance(entries.get("anomaly_token"), Tensor) else 0
    family = "dinov2" if "dinov2" in name.lower() else "clip" if name == "ViT-L/14@336px" else ""
    for spec in BACKBONES.values():
        if family and spec.name.startswith(family) and spec.width == width:
            return spec
    known = ", ".join(f"{spec.title} (width {spec.width})" for spec in BACKBONES.values())
    raise WeightsError(f"{path.name} was trained on {name!r} with width {width}; what can be used is: {known}.")


def _layers(path: Path, layers: Any, spec: BackboneSpec) -> tuple[int, ...]:
    if isinstance(layers, list | tuple) and layers and all(type(layer) is int for layer in layers):
        found = tuple(sorted(set(layers)))
        if found[0] >= 1 and found[-1] <= spec.depth:
            return found
    raise WeightsError(f"{path.name} lists the layers {layers!r}; layers of {spec.title} are 1 to {spec.depth}.")


def _renamed(entries: Mapping[str, Any]) -> tuple[dict[str, Tensor], list[str]]:
    """Every tensor under our name for it, and the names of what has no place."""
    found: dict[str, Any] = {ours: entries[theirs] for theirs, ours in _PLAIN_ENTRIES.items() if theirs in entries}
    for layer, transform in dict(entries.get("layer_transforms", {})).items():
        found |= {f"self_alignment.{layer}.{name}": value for name, value in dict(transform).items()}
    for name, value in dict(entries.get("cross_attn", {})).items():
        found[name.replace("layer_attentions.", "cross_attention.", 1)] = value
    tensors = {name: value.float() for name, value in found.items() if isinstance(value, Tensor)}
    return tensors, sorted({*entries} - _KNOWN) + sorted({*found} - {*tensors})


def _refuse_misfits(
    path: Path, tensors: Mapping[str, Tensor], wanted: Mapping[str, torch.Size], unexpected: list[str]
) -> None:
    misfits = [f"missing {name}" for name in wanted if name not in tensors]
    misfits += [f"unexpected {name}" for name in [*unexpected, *(name for name in tensors if name not in wanted)]]
    misfits += [
        f"{name} is {tuple(tensors[name].shape)} instead of {tuple(shape)}"
        for name, shape in wanted.items()
        if name in tensors and tensors[name].shape != shape
    ]
    if misfits:
        named = "; ".join(misfits[:_NAMED_IN_A_SENTENCE])
        more = len(misfits) - _NAMED_IN_A_SENTENCE
        raise WeightsError(
            f"{path.name} does not fit VisualAD: {named}{f'; and {more} more' if more > 0 else ''}; "
            "give a checkpoint of the released code."
        )
