"""The backbone read out of the package against that package's own graph, run by onnxruntime."""

from importlib import metadata
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from models.backbones import Backbone, build_backbone
from models.onnx_weights import read_dinov2
from models.registry import BACKBONES

SPEC = BACKBONES["dinov2-small"]
GRID = 16  # 224 px, the only size of the package's graph


def packaged_model() -> onnx.ModelProto:
    assert SPEC.embedded is not None
    path = Path(str(metadata.distribution(SPEC.embedded.package).locate_file(SPEC.embedded.file)))
    return onnx.load(path)


def run_graph(model: onnx.ModelProto, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Run the graph and tap it: (final tokens (1, 257, 384), the position table it added (1, 257, 384))."""
    tokens = next(n.output[0] for n in model.graph.node if "backbone.layernorm.bias" in n.input)
    class_position = next(t.name for t in model.graph.initializer if t.name.startswith("onnx::Concat"))
    positions = next(n.output[0] for n in model.graph.node if n.op_type == "Concat" and class_position in n.input)
    for name in (tokens, positions):
        model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    outputs = session.run([tokens, positions], {"input_image": images})
    return outputs[0], outputs[1]


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    built = build_backbone(SPEC)
    state = {name: torch.from_numpy(np.array(array)) for name, array in read_dinov2(packaged_model(), 12).items()}
    built.vit.load_state_dict(state, strict=True)
    return built


def final_tokens(backbone: Backbone, images: torch.Tensor) -> np.ndarray:
    with torch.inference_mode():
        features = backbone(images, (12,))
        sequence = torch.cat([features.class_token[:, None], features.patch_tokens[12]], dim=1)
        tokens: np.ndarray = backbone.final_norm(sequence).numpy()
        return tokens


def test_with_the_graphs_own_position_table_the_final_tokens_agree(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    expected, positions = run_graph(packaged_model(), images.numpy())
    monkeypatch.setattr(backbone, "patch_positions", lambda grid_hw: torch.from_numpy(positions[:, 1:]))
    np.testing.assert_allclose(final_tokens(backbone, images), expected, atol=1e-3)


def test_the_only_difference_at_224_px_is_antialiasing_in_the_resized_position_table(backbone: Backbone) -> None:
    images = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    expected, positions = run_graph(packaged_model(), images.numpy())
    square = backbone.position_table[:, 1:].reshape(1, 37, 37, 384).permute(0, 3, 1, 2)
    plain = torch.nn.functional.interpolate(square, size=(GRID, GRID), mode="bicubic", antialias=False)
    np.testing.assert_allclose(plain[0].permute(1, 2, 0).reshape(1, 256, 384).numpy(), positions[:, 1:], atol=1e-5)
    correlation = np.corrcoef(final_tokens(backbone, images).ravel(), expected.ravel())[0, 1]
    assert correlation > 0.999
