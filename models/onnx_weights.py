"""Read a DINOv2 backbone out of an ONNX graph's initializers, under timm's names.  The graph is never run.

The exporter kept the transformers library's names but for two kinds.  The linear weights of attention and MLP are
anonymous, transposed `onnx::MatMul_*` tensors; each is found through the Add node that holds its named bias.  The
position table is split in two anonymous tensors, the class token's and the patches': the only ones of three axes.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import onnx
from google.protobuf.message import DecodeError
from onnx import ModelProto, numpy_helper

from models.errors import WeightsError

Array = npt.NDArray[np.float32]

_PREFIX: Final = "backbone."
_LINEARS: Final = ("attention.attention.query", "attention.attention.key", "attention.attention.value")
_BLOCK_NAMES: Final = {
    "norm1.weight": "norm1.weight",
    "norm1.bias": "norm1.bias",
    "attention.output.dense.weight": "attn.proj.weight",
    "attention.output.dense.bias": "attn.proj.bias",
    "layer_scale1.lambda1": "ls1.gamma",
    "norm2.weight": "norm2.weight",
    "norm2.bias": "norm2.bias",
    "mlp.fc1.weight": "mlp.fc1.weight",
    "mlp.fc1.bias": "mlp.fc1.bias",
    "mlp.fc2.weight": "mlp.fc2.weight",
    "mlp.fc2.bias": "mlp.fc2.bias",
    "layer_scale2.lambda1": "ls2.gamma",
}
_STEM_NAMES: Final = {
    "embeddings.cls_token": "cls_token",
    "embeddings.patch_embeddings.projection.weight": "patch_embed.proj.weight",
    "embeddings.patch_embeddings.projection.bias": "patch_embed.proj.bias",
    "layernorm.weight": "norm.weight",
    "layernorm.bias": "norm.bias",
}


def parse(data: bytes) -> ModelProto:
    """Read an ONNX file's bytes.

    Raises:
        WeightsError: they are no ONNX file.
    """
    try:
        return onnx.load_model_from_string(data)
    except DecodeError as error:
        raise WeightsError("The file is damaged or no ONNX file; give the file that the package carries.") from error


def read_dinov2(model: ModelProto, depth: int) -> dict[str, Array]:
    """Collect a DINOv2 backbone's weights from an ONNX model.

    Args:
        model: the loaded ONNX file.
        depth: how many blocks to read.
    Returns:
        timm's state dict of `vit_*_patch14_dinov2` (no head): name -> float32 array.
    Raises:
        WeightsError: a weight that the backbone needs is not in the file.
    """
    named = _named_tensors(model)
    state = {ours: _take(named, theirs) for theirs, ours in _STEM_NAMES.items()}
    state["pos_embed"] = _position_table(model)
    for block in range(depth):
        prefix = f"encoder.layer.{block}."
        for theirs, ours in _BLOCK_NAMES.items():
            state[f"blocks.{block}.{ours}"] = _take(named, prefix + theirs)
        for kind in ("weight", "bias"):
            parts = [_take(named, f"{prefix}{linear}.{kind}") for linear in _LINEARS]
            state[f"blocks.{block}.attn.qkv.{kind}"] = np.concatenate(parts)
    return {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in sorted(state.items())}


def _position_table(model: ModelProto) -> Array:
    tables = [
        numpy_helper.to_array(t) for t in model.graph.initializer if t.name.startswith("onnx::") and len(t.dims) == 3
    ]
    if sorted(table.shape[1] == 1 for table in tables) != [False, True]:
        raise WeightsError("The ONNX file has no position table; give the file that the package carries, unchanged.")
    return np.concatenate(sorted(tables, key=lambda table: table.shape[1]), axis=1)


def _named_tensors(model: ModelProto) -> dict[str, Array]:
    """Name every initializer, the anonymous linear weights included: without the common prefix, weights [out, in]."""
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    product_of = {node.output[0]: node for node in model.graph.node if node.op_type == "MatMul"}
    named = {name.removeprefix(_PREFIX): array for name, array in tensors.items() if name.startswith(_PREFIX)}
    for node in model.graph.node:
        if node.op_type == "Add":
            _name_linear(node, product_of, tensors, named)
    return named


def _name_linear(
    add: onnx.NodeProto, product_of: dict[str, onnx.NodeProto], tensors: dict[str, Array], named: dict[str, Array]
) -> None:
    biases = [name for name in add.input if name.startswith(_PREFIX) and name.endswith(".bias")]
    products = [product_of[name] for name in add.input if name in product_of]
    if len(biases) == 1 and len(products) == 1:
        weights = [tensors[name] for name in products[0].input if name in tensors]
        if len(weights) == 1:
            linear = biases[0].removeprefix(_PREFIX).removesuffix(".bias")
            named[f"{linear}.weight"] = weights[0].T


def _take(named: dict[str, Array], name: str) -> Array:
    if name not in named:
        raise WeightsError(f"The ONNX file has no weight {name!r}; give the file that the package carries, unchanged.")
    return named[name]
