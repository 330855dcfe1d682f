"""The VisualAD authors' checkpoint file (.pth) as one of our heads.  Reads one file; runs no code from it.

Its layout: `anomaly_token` and `normal_token` [d], `ln_post_weight` and `ln_post_bias` [d], `features_list` (layers,
counted from 1), `image_size`, `backbone`, `transform_type` (which SAF), `layer_transforms` ({"layer_6": its tensors}),
`cross_attn` (SCA's tensors under "layer_attentions.layer_6."), `cross_attn_config`, and in files of the public trainer
`token_insert_layer`, always 0.  Source: the authors' code of arXiv:2603.07952.
"""

from __future__ import annotations

import math
import pickle
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

import torch
from torch import Tensor

from models.errors import WeightsError
from models.head_files import Head, file_digest, save_head
from models.methods.saf import SAF_VARIANTS, SafVariant
from models.methods.sca import MAX_PATCHES
from models.methods.visualad import VisualADConfig, VisualADHead
from models.registry import BACKBONES, PRESETS, BackboneSpec, Preset
from models.weights import HEADS_DIR, WeightsLocation, imported_from, imported_head_path

FinalNorm = Literal["checkpoint", "pretrained"]

_PLAIN_ENTRIES: Final = MappingProxyType(
    {
        "anomaly_token": "anomaly_token",
        "normal_token": "normal_token",
        "ln_post_weight": "final_norm.weight",
        "ln_post_bias": "final_norm.bias",
    }
)
_FACTS: Final = ("features_list", "image_size", "backbone", "transform_type")
_KNOWN: Final = {*_PLAIN_ENTRIES, *_FACTS, "epoch", "layer_transforms", "cross_attn", "cross_attn_config",
                 "token_insert_layer"}  # fmt: skip
_TRANSFORMS: Final[Mapping[str, SafVariant]] = MappingProxyType({saf: saf for saf in SAF_VARIANTS if saf != "none"})
_ANCHORS: Final = 4
_UNREADABLE: Final = (
    *(pickle.UnpicklingError, RuntimeError, OSError, EOFError, LookupError, ValueError, TypeError, AttributeError),
    *(AssertionError, struct.error),
)


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
            backbone's own is used, as where the authors' test script does not read the saved one back.
    Raises:
        WeightsError: the file cannot be read, is of another layout or backbone, or entries are missing, unexpected, of
            the wrong kind or shape, or not finite; the sentence names all of them.
    """
    entries = _load(path)
    missing = [name for name in _FACTS if name not in entries]
    if missing:
        raise WeightsError(
            f"{path.name} is no VisualAD checkpoint of the authors ({', '.join(missing)} missing); give another file."
        )
    spec = _backbone(path, entries)
    layers = _layers(path, entries["features_list"], spec)
    saf = _transform(path, entries["transform_type"])
    image_px = _image_px(path, entries["image_size"], spec)
    found, misfits = _renamed(entries)
    anchors = _anchors(found, layers[0])
    config = VisualADConfig(layers=layers, anchors=anchors, saf=saf)
    with torch.device("meta"):
        wanted = {name: value.shape for name, value in VisualADHead(spec.width, config).state_dict().items()}
    misfits += _odd_facts(entries, anchors) + _misfits(found, wanted)
    if misfits:
        raise WeightsError(
            f"{path.name} does not fit VisualAD: {'; '.join(misfits)}; give a checkpoint of the released code."
        )
    return ConvertedHead(
        tensors={
            name: value.float()
            for name, value in found.items()
            if final_norm == "checkpoint" or not name.startswith("final_norm.")
        },
        config={
            "method": "VisualAD",
            "backbone": spec.name,
            "layers": list(layers),
            "image_size": image_px,
            "anchors": anchors,
            "train_positions": False,
            "sca": True,
            "saf": saf,
            "final_norm": final_norm,
            "imported_from": {"file": path.name, "epoch": entries.get("epoch", 0)},
        },
    )


def read_authors_head(path: Path) -> Head:
    """`read_authors_checkpoint` as if the file were a head of ours, with the LayerNorm that it holds."""
    converted = read_authors_checkpoint(path)
    tensors = {name: value.numpy() for name, value in converted.tensors.items()}
    return Head(tensors=tensors, config=converted.config, digest=file_digest(path))


def import_checkpoint(
    path: Path, where: WeightsLocation, final_norm: FinalNorm = "checkpoint", *, replace: bool = False
) -> tuple[Preset, Path]:
    """Convert a checkpoint and put it where its preset looks for a head.

    Args:
        replace: take the place of an earlier import or of the head that this project ships.
    Returns:
        The preset that has a head now, and the head's file.
    Raises:
        WeightsError: as `read_authors_checkpoint` does, or the preset has a head already and `replace` is off, or the
            weights folder cannot be written to.
    """
    converted = read_authors_checkpoint(path, final_norm)
    backbone = converted.config["backbone"]
    preset = next(known for known in PRESETS.values() if (known.method, known.backbone) == ("VisualAD", backbone))
    target = imported_head_path(preset, where)
    if not replace:
        _refuse_to_replace(preset, target)
    save_head(target, {name: value.numpy() for name, value in converted.tensors.items()}, converted.config)
    return preset, target


def _refuse_to_replace(preset: Preset, target: Path) -> None:
    if target.exists():
        held = f"a head imported from {imported_from(target) or 'an unknown file'} ({target})"
    elif preset.head_file is not None and (HEADS_DIR / preset.head_file).is_file():
        held = f"the head that this project ships ({preset.head_file})"
    else:
        return
    raise WeightsError(f"{preset.name} has {held} already; import with --replace to use this one in its place.")


def _load(path: Path) -> Mapping[Any, Any]:
    if not path.is_file():
        raise WeightsError(f"There is no checkpoint at {path}; check the path.")
    try:
        with path.open("rb") as file:  # given the path, torch would go by its ending
            entries = torch.load(file, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise WeightsError(
            f"{path.name} cannot be read as a checkpoint: it is damaged, or holds more than weights; get it again."
        ) from error
    if not isinstance(entries, dict):
        raise WeightsError(f"{path.name} holds a {type(entries).__name__}, no table of weights; give another file.")
    return entries


def _backbone(path: Path, entries: Mapping[Any, Any]) -> BackboneSpec:
    """The backbone by the name in the file: OpenAI's for CLIP, "dinov2" without registers and the width for DINOv2."""
    name, plain = entries["backbone"], [entries.get(entry) for entry in _PLAIN_ENTRIES]
    width = next((len(value) for value in plain if isinstance(value, Tensor) and value.dim() == 1), 0)
    lower = name.lower() if isinstance(name, str) else ""
    family = "dinov2" if "dinov2" in lower and "reg" not in lower else "clip" if lower == "vit-l/14@336px" else ""
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


def _transform(path: Path, name: Any) -> SafVariant:
    """The SAF by the name in the file; three of the five have the same tensors, so the name alone tells them apart."""
    if isinstance(name, str) and name in _TRANSFORMS:
        return _TRANSFORMS[name]
    raise WeightsError(f"{path.name} has the transform_type {name!r}; what can be used is: {', '.join(_TRANSFORMS)}.")


def _image_px(path: Path, size: Any, spec: BackboneSpec) -> int:
    largest = math.isqrt(MAX_PATCHES) * spec.patch_px
    if type(size) is int and 0 < size <= largest and size % spec.patch_px == 0:
        return size
    raise WeightsError(
        f"{path.name} has the image_size {size!r}; it must be a multiple of {spec.patch_px} up to {largest}."
    )


def _renamed(entries: Mapping[Any, Any]) -> tuple[dict[str, Tensor], list[str]]:
    """Every tensor under our name for it, and what is wrong with the entries that are none or have no place."""
    found = {ours: entries[theirs] for theirs, ours in _PLAIN_ENTRIES.items() if theirs in entries}
    misfits = [f"unexpected {name}" for name in sorted(str(name) for name in entries if name not in _KNOWN)]
    for layer, transform in _table(entries, "layer_transforms", misfits).items():
        inside = _table({f"layer_transforms.{layer}": transform}, f"layer_transforms.{layer}", misfits)
        found |= {f"self_alignment.{layer}.{name}": value for name, value in inside.items()}
    for name, value in _table(entries, "cross_attn", misfits).items():
        if str(name).startswith("layer_attentions."):
            found[str(name).replace("layer_attentions.", "cross_attention.", 1)] = value
        else:
            misfits.append(f"unexpected cross_attn.{name}")
    tensors = {name: value for name, value in found.items() if _is_plain(value)}
    return tensors, misfits + [f"{name} is no tensor of real numbers" for name in found if name not in tensors]


def _table(entries: Mapping[Any, Any], name: str, misfits: list[str]) -> Mapping[Any, Any]:
    value = entries.get(name, {})
    if isinstance(value, dict):
        return value
    misfits.append(f"{name} is of type {type(value).__name__} instead of a table")
    return {}


def _is_plain(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point() and value.layout == torch.strided


def _anchors(found: Mapping[str, Tensor], layer: int) -> int:
    queries = found.get(f"cross_attention.layer_{layer}.anchor_queries")
    # What cannot be read is named later; until then the default gives the shapes of the other entries.
    return len(queries) if queries is not None and queries.dim() == 2 and len(queries) else _ANCHORS


def _odd_facts(entries: Mapping[Any, Any], anchors: int) -> list[str]:
    """What is wrong with the entries that are no tensors."""
    odd: list[str] = []
    epoch, inserted = entries.get("epoch", 0), entries.get("token_insert_layer", 0)
    if type(epoch) is not int:
        odd.append(f"epoch is {epoch!r} instead of a whole number")
    if type(inserted) is not int or inserted != 0:
        odd.append(f"token_insert_layer is {inserted!r} instead of 0, before the first block")
    settings = _table(entries, "cross_attn_config", odd)
    named = settings.get("num_anchors", anchors)
    if type(named) is not int or named != anchors:
        odd.append(f"cross_attn_config has num_anchors {named!r} where the tensors have {anchors}")
    return odd


def _misfits(found: Mapping[str, Tensor], wanted: Mapping[str, torch.Size]) -> list[str]:
    odd = [f"missing {name}" for name in wanted if name not in found]
    odd += [f"unexpected {name}" for name in found if name not in wanted]
    fitting = {name: value for name, value in found.items() if name in wanted}
    odd += [
        f"{name} is {tuple(value.shape)} instead of {tuple(wanted[name])}"
        for name, value in fitting.items()
        if value.shape != wanted[name]
    ]
    return odd + [f"{name} holds NaN or infinity" for name, value in fitting.items() if not value.isfinite().all()]
