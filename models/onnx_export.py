"""A loaded preset as one ONNX graph: normalised images in, layer maps and the fused, smoothed map out.

Needs onnxscript to write the graph and onnxruntime to check it (requirements-export.txt), imported when asked for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch
from torch import Tensor, nn

from models.errors import ExpectedError
from models.loading import LoadedModel
from models.methods.visualad import VisualAD
from models.registry import get_backbone_spec
from models.scoring import fuse_layers, smooth, upsample

Precision = Literal["fp32", "fp16"]

PRECISIONS: Final[tuple[Precision, ...]] = ("fp32", "fp16")
INPUT: Final = "images"
OUTPUTS: Final = ("layer_maps", "fused_map")
_OPSET: Final = 20
_CHECKED_IMAGES: Final = 3  # more than the 2 that the graph is traced with, so that a fixed batch would fail
_NEEDED: Final = ("onnxscript", "onnxruntime")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportResult:
    """What was written, and how far its outputs are from torch's."""

    path: Path
    size_bytes: int
    precision: Precision
    layer_maps_error: float  # largest absolute difference on random images
    fused_map_error: float


class _Graph(nn.Module):
    """What becomes the graph; the preset's default layers and smoothing are part of it."""

    def __init__(self, model: LoadedModel) -> None:
        super().__init__()
        assert isinstance(model.method, VisualAD)
        self.method = model.method
        self.layers, self.chosen = model.layers, model.default_layers
        self.image_px, self.blur_sigma = model.image_size, model.preset.blur_sigma

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, S, S) to (B, L, gh, gw) and (B, S, S)."""
        layer_maps: Tensor = self.method(images).layer_maps
        fused = upsample(fuse_layers(layer_maps, self.layers, self.chosen), (self.image_px, self.image_px))
        return layer_maps, smooth(fused, self.blur_sigma)


def export_onnx(model: LoadedModel, path: Path, precision: Precision = "fp32") -> ExportResult:
    """Write a model as ONNX and compare it with torch on random images.

    Args:
        model: on the CPU.
        path: the file; written whole or not at all.
        precision: "fp16" halves the file; inputs and outputs stay float32.
    Returns:
        The errors that were measured on what was written.
    Raises:
        ExpectedError: onnxscript or onnxruntime is missing, or the file cannot be written.
    """
    if not isinstance(model.method, VisualAD):
        raise ExpectedError(f"{model.preset.title} cannot be exported, only presets of VisualAD can; choose one.")
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise ExpectedError(
            f"Exporting needs {' and '.join(missing)}; install them with `pip install -r requirements-export.txt`."
        )
    graph = _Graph(model).eval()
    proto = _traced(graph, model)
    if precision == "fp16":
        proto = _halved(proto)
    entry = proto.metadata_props.add()
    entry.key, entry.value = "oddity", json.dumps(describe(model), sort_keys=True)
    data: bytes = proto.SerializeToString()
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_bytes(data)
        errors = _errors(graph, partial, model.image_size)
        partial.replace(path)
    except OSError as error:
        raise ExpectedError(f"{path} cannot be written ({error.strerror}); choose another file.") from error
    finally:
        partial.unlink(missing_ok=True)
    return ExportResult(
        path=path,
        size_bytes=len(data),
        precision=precision,
        layer_maps_error=errors[0],
        fused_map_error=errors[1],
    )


def describe(model: LoadedModel) -> dict[str, Any]:
    """What a program that runs the graph has to know, as JSON values."""
    spec, preset = get_backbone_spec(model.preset.backbone), model.preset
    calibrated = model.calibration and model.calibration.thresholds(
        model.default_layers, top_k=preset.top_k, blur_sigma=preset.blur_sigma
    )
    return {
        "preset": preset.name,
        "paper": preset.paper,
        "licence": f"backbone: {spec.licence}; head: {preset.licence}",
        "head_sha256": model.checkpoint_digest,
        "preprocessing": {
            "colour": "RGB, values divided by 255",
            "resize": f"bicubic to {model.image_size} x {model.image_size}, antialiased, aspect not kept",
            "mean": list(spec.mean),
            "std": list(spec.std),
            "layout": "batch, channel, row, column; float32",
        },
        "layer_maps": {"layers": list(model.layers), "range": [-2, 2]},
        "fused_map": {"sum_of_layers": list(model.default_layers), "blur_sigma_px": preset.blur_sigma},
        "image_score": f"mean of the highest {preset.top_k:g} of the fused map's pixels, rounded up",
        "threshold": calibrated.anomalous if calibrated else None,
    }


def _traced(graph: _Graph, model: LoadedModel) -> Any:
    images = torch.zeros(2, 3, model.image_size, model.image_size)
    with torch.no_grad():
        program = torch.onnx.export(
            graph,
            (images,),
            dynamo=True,
            verbose=False,
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            dynamic_shapes={INPUT: {0: torch.export.Dim("batch")}},
            opset_version=_OPSET,
        )
    assert program is not None
    return program.model_proto


def _halved(proto: Any) -> Any:
    from onnxruntime.transformers.float16 import convert_float_to_float16

    return convert_float_to_float16(proto, keep_io_types=True)


def _errors(graph: _Graph, path: Path, image_px: int) -> tuple[float, float]:
    import onnxruntime

    images = torch.randn(_CHECKED_IMAGES, 3, image_px, image_px, generator=torch.Generator().manual_seed(0))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = session.run(list(OUTPUTS), {INPUT: images.numpy()})
    with torch.inference_mode():
        expected = graph(images)
    first, second = (float(np.abs(ours.numpy() - theirs).max()) for ours, theirs in zip(expected, found, strict=True))
    return first, second
