"""Loading with small files that the tests make; the large backbones' code path is the same."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from open_clip.model import CLIP
from safetensors.torch import save_file
from timm.models.vision_transformer import checkpoint_filter_fn

from models import loading
from models.backbones import Backbone
from models.backbones.vit import build_tiny_backbone
from models.errors import UnknownModelError, WeightsError
from models.methods.visualad import VisualAD, VisualADConfig
from models.registry import BACKBONES, PRESETS
from models.training.checkpoint import export_head
from models.weights import WeightsLocation

PRESET = "visualad-dinov2-small"
CONFIG = {"backbone": "dinov2-small", "layers": [2, 4], "image_size": 56, "anchors": 4, "train_positions": False}


@pytest.fixture
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WeightsLocation:
    """A weights folder with a tiny backbone in the small one's place, and a head that fits it."""
    monkeypatch.setattr(loading, "build_backbone", lambda _: build_tiny_backbone(seed=9))
    save_file(build_tiny_backbone(seed=0).vit.state_dict(), tmp_path / "dinov2-small.safetensors")
    export_head(tmp_path / "head.safetensors", tiny_model().head.state_dict(), CONFIG, torch.rand(5, 2, 4, 4))
    return WeightsLocation(weights_dir=tmp_path, head_path=tmp_path / "head.safetensors")


def tiny_model(backbone: Backbone | None = None) -> VisualAD:
    torch.manual_seed(0)
    return VisualAD(backbone or build_tiny_backbone(seed=0), VisualADConfig(layers=(2, 4))).eval()


def test_a_loaded_preset_gives_the_maps_of_the_model_that_was_saved(where: WeightsLocation) -> None:
    model = loading.load_preset(PRESET, where)
    rgb = np.random.default_rng(0).integers(0, 256, (56, 56, 3), dtype=np.uint8)
    original = tiny_model()
    original.head.half().float()  # heads are kept in half precision
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    images = (torch.from_numpy(rgb).permute(2, 0, 1) / 255 - mean) / std
    expected = original.layer_maps(images[None])[0].numpy()

    np.testing.assert_allclose(model.picture_maps(rgb).branch_maps[0], expected, atol=1e-5)
    assert model.layers == (2, 4)
    assert model.image_size == 56
    assert len(model.checkpoint_digest) == 64
    assert model.calibration is not None


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_backbone_of_the_users_is_loaded_by_path(where: WeightsLocation, tmp_path: Path, suffix: str) -> None:
    mine = tmp_path / f"mine{suffix}"
    state = build_tiny_backbone(seed=5).vit.state_dict()
    torch.save(state, mine) if suffix == ".pth" else save_file(state, mine)
    location = WeightsLocation(weights_dir=tmp_path, head_path=where.head_path, backbone_path=mine)
    model = loading.load_preset(PRESET, location)
    assert torch.equal(model.method.backbone.position_table, state["pos_embed"])
    assert model.backbone_source == f"your file {mine.name}"


def test_weights_of_another_backbone_are_refused(where: WeightsLocation, tmp_path: Path) -> None:
    save_file(build_tiny_backbone(width=64).vit.state_dict(), tmp_path / "dinov2-small.safetensors")
    with pytest.raises(WeightsError, match="does not hold the weights of DINOv2 ViT-S/14"):
        loading.load_preset(PRESET, where)


def test_a_pickle_that_would_run_code_is_refused(where: WeightsLocation, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return print, ("code ran",)

    mine = tmp_path / "evil.pth"
    torch.save({"pos_embed": Evil()}, mine)
    location = WeightsLocation(weights_dir=tmp_path, head_path=where.head_path, backbone_path=mine)
    with pytest.raises(WeightsError, match="does not hold the weights"):
        loading.load_preset(PRESET, location)


@pytest.mark.parametrize("name", ["bad.safetensors", "bad.pth", "bad.onnx"])
@pytest.mark.parametrize("content", [b"", b"no weights at all"])
def test_a_damaged_backbone_file_is_refused(where: WeightsLocation, tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    location = WeightsLocation(weights_dir=tmp_path, head_path=where.head_path, backbone_path=tmp_path / name)
    with pytest.raises(WeightsError, match="does not hold the weights"):
        loading.load_preset(PRESET, location)


def test_a_head_of_another_backbone_is_refused(where: WeightsLocation, tmp_path: Path) -> None:
    head = tmp_path / "other.safetensors"
    export_head(head, tiny_model().head.state_dict(), {**CONFIG, "backbone": "clip-large"}, None)
    with pytest.raises(WeightsError, match="was trained on 'clip-large', not on 'dinov2-small'"):
        loading.load_preset(PRESET, WeightsLocation(weights_dir=tmp_path, head_path=head))


def test_a_head_whose_tensors_do_not_fit_is_refused(where: WeightsLocation, tmp_path: Path) -> None:
    head = tmp_path / "short.safetensors"
    state = {name: value for name, value in tiny_model().head.state_dict().items() if name != "anomaly_token"}
    export_head(head, state, CONFIG, None)
    with pytest.raises(WeightsError, match=r"does not fit VisualAD · DINOv2 ViT-S/14"):
        loading.load_preset(PRESET, WeightsLocation(weights_dir=tmp_path, head_path=head))


def test_a_preset_without_a_head_says_so_before_anything_is_fetched(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="ships no trained head"):
        loading.load_preset("visualad-clip-large", WeightsLocation(weights_dir=tmp_path))


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UnknownModelError, match="visualad-dinov2-small"):
        loading.load_preset("resnet", WeightsLocation(weights_dir=tmp_path))


@pytest.fixture(scope="module")
def tiny_clip() -> CLIP:
    """A small random CLIP of open_clip's, with OpenAI's activation."""
    torch.manual_seed(0)
    vision: Any = {"layers": 4, "width": 32, "head_width": 8, "patch_size": 14, "image_size": 56}
    text: Any = {"context_length": 8, "vocab_size": 20, "width": 16, "heads": 2, "layers": 1}
    return CLIP(embed_dim=16, vision_cfg=vision, text_cfg=text, quick_gelu=True).eval()


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning", "ignore::torch.jit.TracerWarning")
@pytest.mark.filterwarnings("ignore:.*is deprecated. Please switch to:Warning")
@pytest.mark.parametrize("form", ["OpenAI's archive", "open_clip's state", "open_clip's safetensors", "timm's state"])
def test_a_clip_file_is_known_by_its_keys_and_computes_what_open_clip_computes(
    tiny_clip: CLIP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    images = torch.randn(2, 3, 56, 56)
    mine = tmp_path / ("mine.safetensors" if "safetensors" in form else "mine.pt")
    state = tiny_clip.state_dict()
    if form == "OpenAI's archive":
        example = (images, torch.zeros(2, 8, dtype=torch.long))
        torch.jit.save(torch.jit.trace(tiny_clip, example, check_trace=False), mine)
    elif form == "open_clip's safetensors":
        save_file({name: value.contiguous() for name, value in state.items()}, mine)
    elif form == "timm's state":
        torch.save(checkpoint_filter_fn(state, build_tiny_backbone(like="clip").vit), mine)
    else:
        torch.save(state, mine)
    monkeypatch.setattr(loading, "build_backbone", lambda _: build_tiny_backbone(like="clip", seed=9))

    where = WeightsLocation(weights_dir=tmp_path, backbone_path=mine)
    backbone, source = loading.load_backbone(PRESETS["visualad-clip-large"], where)

    with torch.no_grad():
        embedded = backbone.final_norm(backbone(images, (4,)).class_token) @ tiny_clip.visual.proj
        assert torch.allclose(embedded, tiny_clip.encode_image(images), atol=1e-5)
    assert source == f"your file {mine.name}"


@pytest.mark.parametrize("name", ["dinov2-small.safetensors", "dinov2-small.pt", "dinov2-small.pth"])
@pytest.mark.parametrize("form", ["safetensors", "zip", "legacy pickle"])
def test_the_kind_of_a_file_is_told_by_its_content_whatever_its_name(
    where: WeightsLocation, tmp_path: Path, name: str, form: str
) -> None:
    (tmp_path / "dinov2-small.safetensors").unlink()
    state = build_tiny_backbone(seed=5).vit.state_dict()
    if form == "safetensors":
        save_file(state, tmp_path / name)
    else:
        torch.save(state, tmp_path / name, _use_new_zipfile_serialization=form == "zip")

    model = loading.load_preset(PRESET, where)

    assert torch.equal(model.method.backbone.position_table, state["pos_embed"])
    assert model.backbone_source == f"{name} of the weights folder (origin unknown)"


def test_an_onnx_file_is_known_by_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = tmp_path / "mine.bin"
    mine.write_bytes(b"\x08\x07 the rest of a graph")
    monkeypatch.setattr("models.onnx_weights.parse", lambda data: data)
    monkeypatch.setattr("models.onnx_weights.read_dinov2", lambda _, depth: {"depth": np.array(depth)})

    state = loading._read_state(mine, BACKBONES["dinov2-small"])

    assert state["depth"].item() == 12


def test_a_head_whose_layers_make_no_sense_is_refused(where: WeightsLocation, tmp_path: Path) -> None:
    head = tmp_path / "odd.safetensors"
    export_head(head, tiny_model().head.state_dict(), {**CONFIG, "layers": [4, 2]}, None)

    with pytest.raises(WeightsError, match=r"does not fit VisualAD · DINOv2 ViT-S/14"):
        loading.load_preset(PRESET, WeightsLocation(weights_dir=tmp_path, head_path=head))
