"""Every row of an ablation trains its own head; what is done is not done again."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from app.cli import main
from app.services.ablation import ABLATIONS, TABLES, file_name, rows_of
from models import loading
from models.backbones.vit import build_tiny_backbone
from models.head_files import read_head

PRESET = "visualad-dinov2-small"


@pytest.fixture(autouse=True)
def tiny_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "load_backbone", lambda *_, **__: (build_tiny_backbone(image_px=70), "the test"))
    monkeypatch.setattr("app.services.training.CALIBRATION_PICTURES", 2)


def command(out: Path, *more: str) -> list[str]:
    return [
        "ablate", "modules", "--out", str(out), "--stages", "70x2x2", "--layers", "2,4", "--workers", "0",
        "--count", "4", *more,
    ]  # fmt: skip


def test_each_row_has_its_own_head_and_a_line_in_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command(tmp_path / "out")) == 0

    heads = {path.stem: read_head(path).config for path in (tmp_path / "out").glob("*.safetensors")}
    assert {name: (config["sca"], config["saf"]) for name, config in heads.items()} == {
        "neither": (False, "none"),
        "sca": (True, "none"),
        "saf": (False, "mlp"),
        "sca-and-saf": (True, "mlp"),
    }
    table = (tmp_path / "out" / "modules.md").read_text().splitlines()
    assert [line.split("|")[2].strip() for line in table[2:]] == ["neither", "SCA", "SAF", "SCA and SAF"]
    assert "SCA and SAF" in capsys.readouterr().out


def test_a_row_whose_head_is_there_is_only_measured_again(tmp_path: Path) -> None:
    assert main(command(tmp_path / "out")) == 0
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.safetensors")}
    (tmp_path / "out" / "saf.safetensors").unlink()
    (tmp_path / "out" / "saf.progress.pt").unlink()

    assert main(command(tmp_path / "out")) == 0

    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.safetensors")}
    assert {name for name in after if after[name] != before[name]} == {"saf.safetensors"}


def test_the_rows_are_measured_on_the_data_set_that_is_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind, grey in (("good", 200), ("hole", 20)):
        for index in range(2):
            path = tmp_path / "set" / "nut" / "test" / kind / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (30, 30), grey + index).save(path)

    assert main(command(tmp_path / "out", "--test", str(tmp_path / "set"))) == 0

    assert "mvtec:set: 4 test pictures" in capsys.readouterr().out


def test_the_layers_are_left_out_one_after_the_other() -> None:
    rows = rows_of("layers", PRESET)  # its layers are 6, 7, 9 and 12

    assert [row.run.get("layers") for row in rows] == [
        (6,), (7,), (9,), (12,), (7, 9, 12), (6, 9, 12), (6, 7, 12), (6, 7, 9), None,
    ]  # fmt: skip


def test_the_rows_of_a_table_have_names_of_their_own() -> None:
    for name in (*ABLATIONS, *TABLES):
        files = [file_name(row.name) for row in rows_of(name, PRESET)]
        assert len(set(files)) == len(files) > 0
        assert all(" " not in file and "/" not in file for file in files)


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command(tmp_path / "head.safetensors")) == 2

    assert "is to be a folder here" in capsys.readouterr().err
