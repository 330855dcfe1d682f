"""What is said of a CLIP file without its text half, and that following it helps."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from models.registry import PRESETS
from models.status import may_have_text, preset_status
from models.weights import WeightsLocation

ZERO_SHOT = PRESETS["clip-zero-shot"]


def write_clip(path: Path, *, whole: bool) -> Path:
    names = ["visual.conv1.weight", *(["token_embedding.weight"] if whole else [])]
    save_file({name: np.zeros(2, np.float32) for name in names}, path)
    return path


@pytest.mark.parametrize("name", ["ViT-L-14-336px.pt", "open_clip_model.safetensors"])
def test_the_advice_on_a_file_without_text_helps_when_followed(tmp_path: Path, name: str) -> None:
    where = WeightsLocation(weights_dir=tmp_path)
    half = write_clip(tmp_path / "clip-large.safetensors", whole=False)

    advice = preset_status(ZERO_SHOT, where).how_to_get

    assert f"{half} holds the vision half of CLIP ViT-L/14@336 alone; delete it and put in its folder " in advice
    assert name in advice
    half.unlink()
    write_clip(tmp_path / name, whole=True)
    assert preset_status(ZERO_SHOT, where).ready


def test_the_advice_on_a_file_of_the_users_is_to_give_another(tmp_path: Path) -> None:
    half = write_clip(tmp_path / "mine.safetensors", whole=False)

    status = preset_status(ZERO_SHOT, WeightsLocation(weights_dir=tmp_path, backbone_path=half))

    assert "alone; give a whole CLIP file: OpenAI's ViT-L-14-336px.pt or open_clip's" in status.how_to_get
    assert "delete" not in status.how_to_get


@pytest.mark.parametrize("name", ["clip.safetensors", "clip.pt"])
def test_a_safetensors_file_of_any_name_shows_whether_it_has_text(tmp_path: Path, name: str) -> None:
    assert not may_have_text(write_clip(tmp_path / name, whole=False))
    assert may_have_text(write_clip(tmp_path / name, whole=True))


def test_a_file_that_cannot_be_looked_into_may_have_text(tmp_path: Path) -> None:
    (tmp_path / "clip.pt").write_bytes(b"PK\x03\x04 an archive")

    assert may_have_text(tmp_path / "clip.pt")
