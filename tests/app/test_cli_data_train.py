from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app import cli
from app.commands.train import papers_epochs
from models import loading
from models.backbones.vit import build_tiny_backbone
from models.evaluation.published import MVTEC_AD_CLASSES, VISA_CLASSES
from models.registry import get_preset


def test_a_sheet_of_the_synthetic_world_is_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "sheet.png"
    assert cli.main(["data", "sheet", str(out), "--count", "4", "--size", "64", "--split", "held_out"]) == 0
    assert capsys.readouterr().out == f"wrote {out}\n"
    assert np.asarray(Image.open(out)).std() > 10  # a picture, not one colour


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--count", "0"], "too small"),
        (["--split", "held_out", "--photographs", "."], "takes no photographs"),
    ],
)
def test_a_sheet_that_cannot_be_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], sentence: str
) -> None:
    assert cli.main(["data", "sheet", str(tmp_path / "sheet.png"), *options]) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "sheet.png").exists()


def test_a_sheet_in_a_folder_that_is_not_there_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "gone" / "sheet.png"
    assert cli.main(["data", "sheet", str(missing), "--count", "1", "--size", "64"]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_the_train_command_writes_a_head(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(loading, "load_backbone", lambda *_, **__: (build_tiny_backbone(image_px=70), "the test"))
    monkeypatch.setattr("app.services.training.CALIBRATION_PICTURES", 2)
    out = tmp_path / "new" / "head.safetensors"
    options = ["--stages", "70x1x2,98x1x2", "--layers", "2,4", "--workers", "0"]
    assert cli.main(["train", "--out", str(out), *options]) == 0
    assert capsys.readouterr().out == f"wrote {out}\n"
    assert out.is_file()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--stages", "many"], "is no stage"),
        (["--stages", "50x1x2"], "multiple of 14"),
        (["--stages", "560x1x2"], "at most 546"),
        (["--layers", "3,13"], "layers of DINOv2 ViT-S/14 are 1 to 12"),
        (["--layers", "three"], "comma-separated"),
    ],
)
def test_settings_that_cannot_be_trained_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], sentence: str
) -> None:
    assert cli.main(["train", "--out", str(tmp_path / "head.safetensors"), *options]) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["train", "--out", "head.safetensors", "--seed", "-1"], "--seed: must be 0 or more, got -1"),
        (["train", "--out", "head.safetensors", "--threads", "0"], "--threads: must be 1 or more, got 0"),
        (["evaluate", "synthetic", "--seed", "-1"], "--seed: must be 0 or more, got -1"),
    ],
)
def test_a_number_below_its_range_is_refused(
    options: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(options)
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("preset", "classes", "epochs"),
    [
        ("visualad-clip-large", VISA_CLASSES, 1),
        ("visualad-clip-large", MVTEC_AD_CLASSES, 2),
        ("visualad-dinov2-large", VISA_CLASSES, 4),
        ("visualad-dinov2-large", MVTEC_AD_CLASSES, 2),
        ("visualad-dinov2-large", frozenset({"nut"}), 2),
    ],
)
def test_a_data_set_is_gone_through_as_often_as_in_the_paper(preset: str, classes: frozenset[str], epochs: int) -> None:
    assert papers_epochs(get_preset(preset), tuple(classes)) == epochs


@pytest.mark.parametrize("command", [["train", "--out", "OUT/head.safetensors"], ["ablate", "saf", "--out", "OUT"]])
def test_a_backbone_file_of_the_users_goes_first(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine.safetensors"
    mine.write_bytes(b"no weights")
    arguments = [part.replace("OUT", str(tmp_path)) for part in command]
    assert cli.main([*arguments, "--backbone-weights", str(mine), "--device", "cpu"]) == 2
    assert f"{mine} does not hold the weights of DINOv2 ViT-S/14" in capsys.readouterr().err
