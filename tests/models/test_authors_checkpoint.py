"""Checkpoints of the authors, imported or loaded directly, against a reading of their layout in plain loops."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from app.cli import main
from models import loading
from models.authors_checkpoint import FinalNorm, import_checkpoint
from models.errors import WeightsError
from models.head_files import file_digest, read_head
from models.registry import PRESETS
from models.status import preset_status
from models.weights import HEADS_DIR, WeightsLocation
from tests.models.authors_files import LAYERS, plain_layer_map, random_checkpoint, random_saf, tiny_place, written


@pytest.fixture
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WeightsLocation:
    """A weights folder with a tiny backbone in the place of DINOv2-L."""
    return tiny_place(tmp_path, monkeypatch, "dinov2-large")


IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
OPENAI = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))


def assert_plain_maps(
    model: loading.LoadedModel, saved: dict[str, Any], final_norm: FinalNorm, colours: tuple[Any, Any] = IMAGENET
) -> None:
    """The model's maps are those of the plain reading of what was saved."""
    rgb = np.random.default_rng(0).integers(0, 256, (56, 56, 3), dtype=np.uint8)
    backbone = model.method.backbone
    own = backbone.final_norm
    norm = (saved["ln_post_weight"], saved["ln_post_bias"]) if final_norm == "checkpoint" else (own.weight, own.bias)
    mean, std = torch.tensor(colours[0]), torch.tensor(colours[1])
    images = ((torch.from_numpy(rgb) / 255 - mean) / std).permute(2, 0, 1)[None]
    maps = model.picture_maps(rgb).branch_maps[0]
    for index, layer in enumerate(LAYERS):
        with torch.no_grad():
            expected = plain_layer_map(saved, backbone, images, layer, norm)
        np.testing.assert_allclose(maps[index].reshape(-1), expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("final_norm", ["checkpoint", "pretrained"])
@pytest.mark.parametrize(
    ("backbone", "theirs", "colours"),
    [("dinov2-large", "dinov2_vitl14", IMAGENET), ("clip-large", "ViT-L/14@336px", OPENAI)],
)
def test_an_imported_checkpoint_gives_the_layer_maps_of_the_plain_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backbone: str, theirs: str, colours: Any, final_norm: FinalNorm
) -> None:
    where = tiny_place(tmp_path, monkeypatch, backbone)
    saved = random_checkpoint() | {"backbone": theirs}

    preset, head = import_checkpoint(written(tmp_path, saved), where, final_norm)
    model = loading.load_preset(preset.name, where)

    assert preset.backbone == backbone
    assert_plain_maps(model, saved, final_norm, colours)
    assert (model.layers, model.image_size, model.calibration) == (LAYERS, 56, None)
    # What is not used is not kept: the file alone tells which LayerNorm its maps are made with.
    assert ("final_norm.weight" in read_head(head).tensors) == (final_norm == "checkpoint")


@pytest.mark.parametrize("transform", ["linear", "mlp", "mlp_residual", "adapter", "leaky_relu"])
def test_every_transform_runs_as_what_the_file_says_it_is(
    where: WeightsLocation, tmp_path: Path, transform: str
) -> None:
    saved = random_checkpoint() | {"transform_type": transform, "layer_transforms": random_saf(transform)}

    preset, head = import_checkpoint(written(tmp_path, saved), where)

    assert read_head(head).config["saf"] == transform
    assert_plain_maps(loading.load_preset(preset.name, where), saved, "checkpoint")


@pytest.mark.parametrize("name", ["epoch_2.pth", "epoch_2.pt"])
def test_a_checkpoint_loaded_directly_gives_the_maps_of_the_imported_one(
    where: WeightsLocation, tmp_path: Path, name: str
) -> None:
    file = written(tmp_path, random_checkpoint()).rename(tmp_path / name)
    rgb = np.random.default_rng(0).integers(0, 256, (56, 56, 3), dtype=np.uint8)

    direct = loading.load_preset("visualad-dinov2-large", replace(where, head_path=file))
    import_checkpoint(file, where)
    imported = loading.load_preset("visualad-dinov2-large", where)

    np.testing.assert_array_equal(direct.picture_maps(rgb).branch_maps, imported.picture_maps(rgb).branch_maps)
    assert direct.checkpoint_digest == file_digest(file)


def test_a_checkpoint_of_another_backbone_is_not_loaded_directly(where: WeightsLocation, tmp_path: Path) -> None:
    file = written(tmp_path, random_checkpoint())
    (tmp_path / "clip-large.safetensors").write_bytes((tmp_path / "dinov2-large.safetensors").read_bytes())

    with pytest.raises(WeightsError, match="was trained on 'dinov2-large', not on"):
        loading.load_preset("visualad-clip-large", replace(where, head_path=file))


def test_an_import_does_not_replace_another_unless_told_to(where: WeightsLocation, tmp_path: Path) -> None:
    first = written(tmp_path, random_checkpoint()).rename(tmp_path / "first.pth")
    second = written(tmp_path, random_checkpoint(seed=1)).rename(tmp_path / "second.pth")
    preset, head = import_checkpoint(first, where)
    kept = head.read_bytes()

    with pytest.raises(WeightsError, match=r"a head imported from first\.pth .* already; import with --replace"):
        import_checkpoint(second, where)
    assert head.read_bytes() == kept

    import_checkpoint(second, where, replace=True)
    assert preset_status(preset, where).head_source.startswith("imported from second.pth, ")


def test_a_shipped_head_is_not_replaced_unless_told_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    where = tiny_place(tmp_path, monkeypatch, "dinov2-small")
    file = written(tmp_path, random_checkpoint() | {"backbone": "dinov2_vits14"})
    command = ["weights", "import", str(file), "--weights-dir", str(tmp_path)]

    assert (HEADS_DIR / "visualad-dinov2-small.safetensors").is_file()
    assert main(command) == 2
    assert "the head that this project ships (visualad-dinov2-small.safetensors)" in capsys.readouterr().err
    assert not (tmp_path / "heads").exists()

    assert main([*command, "--replace"]) == 0
    assert preset_status(PRESETS["visualad-dinov2-small"], where).head_source.startswith("imported from epoch_2.pth")


def test_the_command_makes_the_preset_ready(
    where: WeightsLocation, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, random_checkpoint())

    assert main(["weights", "import", str(file), "--weights-dir", str(where.weights_dir)]) == 0

    status = preset_status(PRESETS["visualad-dinov2-large"], where)
    assert status.ready
    assert status.head_source == ("imported from epoch_2.pth, visualad-dinov2-large.safetensors of the weights folder")
    assert "visualad-dinov2-large: ready" in capsys.readouterr().out


def test_a_file_with_import_only_and_import_with_a_file_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "import"]) == 2
    assert main(["weights", "list", "some.pth"]) == 2

    assert capsys.readouterr().err.count("takes one file") == 2
