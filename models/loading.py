"""From a preset's name to a model that is ready to look at pictures."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from timm.models.vision_transformer import checkpoint_filter_fn
from torch import Tensor

from models.backbones import Backbone, build_backbone
from models.calibration import Calibration
from models.errors import DataError, WeightsError
from models.head_calibration import take_calibration
from models.head_files import AUTHORS_SUFFIXES, Head, read_head
from models.methods.base import AnomalyMethod, TextMethod
from models.methods.prompts import PromptSet
from models.methods.visualad import VisualAD, VisualADConfig
from models.preprocessing import to_input
from models.presets import NEEDS_REFERENCES
from models.reading import PictureMaps
from models.registry import BackboneSpec, Preset, default_layers, get_backbone_spec, get_preset
from models.weights import Report, WeightsLocation, fetch_backbone, find_backbone, head_path

_ONNX_START: Final = b"\x08"  # the tag of its first field, the version; a pickle begins with 0x80
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
    method: AnomalyMethod
    trained_on: str | None = None  # name of the data; None: the head does not say
    worded: dict[PromptSet, AnomalyMethod] = field(default_factory=dict, repr=False)  # with words of the user's

    @property
    def default_layers(self) -> tuple[int, ...]:
        """The layers whose maps are added unless the user chooses others."""
        return default_layers(self.preset, self.layers)

    @property
    def branches(self) -> tuple[str, ...]:
        """The names of the kinds of map that each layer has."""
        return self.method.branches

    def picture_maps(self, rgb: npt.NDArray[Any], prompts: PromptSet | None = None) -> PictureMaps:
        """Run the model on one picture.

        Args:
            rgb: (H, W, 3) uint8.
            prompts: words for a method that compares with text, others take no notice; None = the method's own.
        Raises:
            DataError: a text does not fit into the text tower.
        """
        spec = get_backbone_spec(self.preset.backbone)
        images = to_input(rgb, (self.image_size, self.image_size), spec).unsqueeze(0).to(self.device)
        maps = self._worded(prompts).maps(images)
        whole = None if maps.global_scores is None else float(maps.global_scores[0])
        return PictureMaps(maps.branch_maps[0].cpu().numpy(), whole)

    def _worded(self, prompts: PromptSet | None) -> AnomalyMethod:
        """The method with these words; the last ones are remembered, with their text features."""
        if prompts is None or not isinstance(self.method, TextMethod):
            return self.method
        worded = self.worded.get(prompts)
        if worded is None:
            worded = self.method.with_prompts(prompts)
            self.worded.clear()
            self.worded[prompts] = worded
        return worded


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
    if preset.text is not None:
        from models.text_loading import load_text_preset

        return load_text_preset(preset, where, device=device, report=report)
    path = required_head_path(preset, where)
    head = _read_head(path)
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
        trained_on=trained_on(head.config),
    )


def _read_head(path: Path) -> Head:
    """A head of ours, or a checkpoint of VisualAD's authors, which needs no import."""
    if path.suffix.lower() not in AUTHORS_SUFFIXES:
        return read_head(path)
    from models.authors_checkpoint import read_authors_head

    return read_authors_head(path)


def required_head_path(preset: Preset, where: WeightsLocation) -> Path:
    """Where a preset's head should lie.

    Raises:
        WeightsError: there is no such head at all.
        DataError: there is none because the preset knows nothing but what references show it.
    """
    path = head_path(preset, where)
    if path is None:
        if preset.needs_references:
            raise DataError(NEEDS_REFERENCES.format(method=preset.method))
        raise WeightsError(f"{preset.title} cannot be used: {preset.note}")
    return path


def trained_on(config: Mapping[str, Any]) -> str | None:
    """The training data's name; heads of the synthetic world from before it was noted describe their run alone."""
    training = config.get("training")
    return str(training.get("data", "synthetic")) if isinstance(training, Mapping) else None


def load_backbone(preset: Preset, where: WeightsLocation, *, report: Report = lambda _: None) -> tuple[Backbone, str]:
    """Build a preset's backbone with its pretrained weights: (backbone, where they are from).

    Raises:
        WeightsError: the weights are missing, damaged or of another model.
    """
    backbone, _, source = load_backbone_and_file(preset, where, report=report)
    return backbone, source


def load_backbone_and_file(
    preset: Preset, where: WeightsLocation, *, report: Report = lambda _: None
) -> tuple[Backbone, dict[str, Tensor], str]:
    """`load_backbone` with everything that the file holds: a whole CLIP's has a text half too."""
    spec = get_backbone_spec(preset.backbone)
    path = fetch_backbone(preset, where, report)
    backbone = build_backbone(spec)
    try:
        content = _read_state(path, spec)
        state = checkpoint_filter_fn(dict(content), backbone.vit)
        wanted = backbone.vit.state_dict().keys()
        state = {name: value for name, value in state.items() if name in wanted or not name.startswith("head.")}
        backbone.vit.load_state_dict(state, strict=True)
    except (*_UNREADABLE, WeightsError) as error:
        raise WeightsError(f"{path} does not hold the weights of {spec.title}; give that backbone's file.") from error
    found = find_backbone(spec, where)
    return backbone, content, found[1] if found else path.name


def attach_head(backbone: Backbone, preset: Preset, head: Head, path: Path) -> tuple[VisualAD, Calibration | None]:
    """Put a head on a backbone.

    Raises:
        WeightsError: the head belongs to another backbone or its tensors do not fit.
    """
    check_head_is_of(preset, head, path)
    tensors = {name: torch.from_numpy(np.array(array)).float() for name, array in head.tensors.items()}
    if head.config.get("final_norm") == "pretrained":
        tensors |= {f"final_norm.{name}": value for name, value in backbone.final_norm.state_dict().items()}
    try:
        layers = tuple(int(layer) for layer in head.config["layers"])
        calibration = take_calibration(tensors, head.config, layers, preset.reading)
        method = VisualAD(backbone, VisualADConfig(layers=layers, **method_settings(head.config)))
        method.head.load_state_dict(tensors, strict=True)
    except (RuntimeError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path} does not fit {preset.title}; it is damaged or of another version.") from error
    return method, calibration


def check_head_is_of(preset: Preset, head: Head, path: Path) -> None:
    """Refuse a head of another method or backbone.

    Raises:
        WeightsError: it is.
    """
    method = head.config.get("method", "VisualAD")
    if method != preset.method:
        raise WeightsError(f"{path} is a head of {method}, not of {preset.method}; choose another preset.")
    if head.config.get("backbone") != preset.backbone:
        raise WeightsError(
            f"{path} was trained on {head.config.get('backbone')!r}, not on {preset.backbone!r}; choose another preset."
        )


def method_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of VisualADConfig that a head's description names, its layers apart."""
    return {key: config[key] for key in ("anchors", "train_positions", "sca", "saf") if key in config}


def _read_state(path: Path, spec: BackboneSpec) -> dict[str, Tensor]:
    """The tensors of a file, whose kind its first bytes tell and not its name."""
    kind = _kind_of(path)
    if kind == "safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    if kind == "onnx":
        from models.onnx_weights import parse, read_dinov2

        arrays = read_dinov2(parse(path.read_bytes()), spec.depth)
        return {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
    if kind == "zip" and _is_torchscript(path):  # as OpenAI publishes CLIP
        scripted: dict[str, Tensor] = torch.jit.load(path, map_location="cpu").state_dict()
        return {name: value.float() for name, value in scripted.items()}
    with path.open("rb") as file:  # given the path, torch would go by its ending
        state = torch.load(file, map_location="cpu", weights_only=True)
    return dict(state.get("state_dict", state) if isinstance(state, dict) else state.state_dict())


def _kind_of(path: Path) -> Literal["safetensors", "zip", "onnx", "pickle"]:
    with path.open("rb") as file:
        start = file.read(9)
    # A safetensors file begins with its header's length, eight bytes, and the header, which is JSON.
    if start[8:] == b"{" and int.from_bytes(start[:8], "little") <= path.stat().st_size - 8:
        return "safetensors"
    if start.startswith(b"PK\x03\x04"):
        return "zip"
    return "onnx" if start.startswith(_ONNX_START) else "pickle"


def _is_torchscript(path: Path) -> bool:
    """Whether a zip file is a TorchScript archive; its weights are read, none of its functions is called."""
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())
