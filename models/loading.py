"""From a preset's name to a model that is ready to look at pictures."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from timm.models.vision_transformer import checkpoint_filter_fn
from torch import Tensor

from models.backbones import Backbone, build_backbone
from models.calibration import Calibration
from models.errors import WeightsError
from models.head_files import Head, read_head
from models.methods.visualad import VisualAD, VisualADConfig
from models.preprocessing import to_input
from models.registry import BackboneSpec, Preset, default_layers, get_backbone_spec, get_preset
from models.weights import Report, WeightsLocation, fetch_backbone, find_backbone, head_path

CALIBRATION_KEY: Final = "calibration.normal_maps"
_UNREADABLE: Final = (
    *(RuntimeError, KeyError, ValueError, TypeError, AttributeError, OSError, EOFError),
    *(pickle.UnpicklingError, SafetensorError, zipfile.BadZipFile),
)


@dataclass(frozen=True, slots=True, eq=False)
class LoadedModel:
    """A model with its weights; immutable, so it can be shared."""

    preset: Preset
    layers: tuple[int, ...]  # counted from 1
    image_size: int  # side of the square input, pixels
    checkpoint_digest: str  # SHA-256 of the head's file, hex
    backbone_source: str  # where the backbone's weights are from, in words
    device: str
    calibration: Calibration | None  # None: the head carries none, so there is no threshold
    method: VisualAD
    trained_on: str | None = None  # name of the data; None: the head does not say

    @property
    def default_layers(self) -> tuple[int, ...]:
        """The layers whose maps are added unless the user chooses others."""
        return default_layers(self.preset, self.layers)

    def layer_maps(self, rgb: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Run the backbone and the head on one picture: (H, W, 3) uint8 to (L, gh, gw) float32 in [-2, 2]."""
        spec = get_backbone_spec(self.preset.backbone)
        images = to_input(rgb, (self.image_size, self.image_size), spec).unsqueeze(0).to(self.device)
        maps: npt.NDArray[np.float32] = self.method.layer_maps(images)[0].cpu().numpy()
        return maps


def load_preset(
    name: str, where: WeightsLocation, *, device: str = "cpu", report: Report = lambda _: None
) -> LoadedModel:
    """Load a preset's backbone and head; the backbone is fetched first where `where` allows it.

    Args:
        name: key of PRESETS.
        where: where weights may come from.
        device: torch's name of the device.
        report: told what is being done; for progress.
    Returns:
        The model, in evaluation mode.
    Raises:
        UnknownModelError: there is no such preset.
        WeightsError: weights are missing, damaged or of another model.
    """
    preset = get_preset(name)
    path = head_path(preset, where)
    if path is None:
        raise WeightsError(f"{preset.title} cannot be used: {preset.note}")
    head = read_head(path)
    report(f"Loading {preset.title}.")
    backbone, source = load_backbone(preset, where, report=report)
    method, calibration = attach_head(backbone, preset, head, path)
    return LoadedModel(
        preset=preset,
        layers=method.layers,
        image_size=int(head.config["image_size"]),
        checkpoint_digest=head.digest,
        backbone_source=source,
        device=device,
        calibration=calibration,
        method=method.to(device).eval(),
        trained_on=_trained_on(head.config),
    )


def _trained_on(config: Mapping[str, Any]) -> str | None:
    """The training data's name; heads of the synthetic world from before it was noted describe their run alone."""
    training = config.get("training")
    return str(training.get("data", "synthetic")) if isinstance(training, Mapping) else None


def load_backbone(preset: Preset, where: WeightsLocation, *, report: Report = lambda _: None) -> tuple[Backbone, str]:
    """Build a preset's backbone with its pretrained weights: (backbone, where they are from).

    Raises:
        WeightsError: the weights are missing, damaged or of another model.
    """
    spec = get_backbone_spec(preset.backbone)
    path = fetch_backbone(preset, where, report)
    backbone = build_backbone(spec)
    try:
        state = checkpoint_filter_fn(_read_state(path, spec), backbone.vit)
        wanted = backbone.vit.state_dict().keys()
        state = {name: value for name, value in state.items() if name in wanted or not name.startswith("head.")}
        backbone.vit.load_state_dict(state, strict=True)
    except (*_UNREADABLE, WeightsError) as error:
        raise WeightsError(f"{path} does not hold the weights of {spec.title}; give that backbone's file.") from error
    found = find_backbone(spec, where)
    return backbone, found[1] if found else path.name


def attach_head(backbone: Backbone, preset: Preset, head: Head, path: Path) -> tuple[VisualAD, Calibration | None]:
    """Put a head on a backbone.

    Raises:
        WeightsError: the head belongs to another backbone or its tensors do not fit.
    """
    if head.config.get("backbone") != preset.backbone:
        raise WeightsError(
            f"{path} was trained on {head.config.get('backbone')!r}, not on {preset.backbone!r}; choose another preset."
        )
    layers = tuple(int(layer) for layer in head.config["layers"])
    config = VisualADConfig(layers=layers, **method_settings(head.config))
    method = VisualAD(backbone, config)
    tensors = {name: torch.from_numpy(np.array(array)).float() for name, array in head.tensors.items()}
    normal_maps = tensors.pop(CALIBRATION_KEY, None)
    if head.config.get("final_norm") == "pretrained":
        tensors |= {f"final_norm.{name}": value for name, value in backbone.final_norm.state_dict().items()}
    try:
        method.head.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        raise WeightsError(f"{path} does not fit {preset.title}; it is damaged or of another version.") from error
    image_px = int(head.config["image_size"])
    return method, None if normal_maps is None else Calibration(normal_maps, layers, image_px)


def method_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of VisualADConfig that a head's description names, its layers apart."""
    return {key: config[key] for key in ("anchors", "train_positions", "sca", "saf") if key in config}


def _read_state(path: Path, spec: BackboneSpec) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    if path.suffix == ".onnx":
        from models.onnx_weights import parse, read_dinov2

        arrays = read_dinov2(parse(path.read_bytes()), spec.depth)
        return {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
    if _is_torchscript(path):  # as OpenAI publishes CLIP
        scripted: dict[str, Tensor] = torch.jit.load(path, map_location="cpu").state_dict()
        return {name: value.float() for name, value in scripted.items()}
    state = torch.load(path, map_location="cpu", weights_only=True)
    return dict(state.get("state_dict", state) if isinstance(state, dict) else state.state_dict())


def _is_torchscript(path: Path) -> bool:
    """Whether a file is a TorchScript archive; its weights are read, none of its functions is called."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())
