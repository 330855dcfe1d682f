import csv
import hashlib
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from PIL import Image

from app.cli import main
from app.commands.train import parse_stage
from app.services.training import TrainingRun, train
from models import loading
from models.backbones.vit import build_tiny_backbone
from models.errors import DataError, WeightsError
from models.head_files import read_head
from models.methods.visualad import VisualAD
from models.registry import get_preset
from models.training.checkpoint import tensors_digest
from models.training.loop import Optimisation, Stage
from models.training.ranks import Ranks
from models.weights import WeightsLocation

PRESET = "visualad-dinov2-small"


@pytest.fixture(autouse=True)
def tiny_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "load_backbone", lambda *_, **__: (build_tiny_backbone(image_px=70), "the test"))
    monkeypatch.setattr("app.services.training.CALIBRATION_PICTURES", 3)


def tiny_run(steps: int = 3, seed: int = 0) -> TrainingRun:
    stage = Stage(image_px=70, steps=steps, batch_size=2)
    return TrainingRun(preset=PRESET, stages=(stage,), optimisation=Optimisation(), layers=(2, 4), seed=seed, workers=0)


def test_a_run_leaves_a_head_with_thresholds_its_settings_and_a_log(tmp_path: Path) -> None:
    out = tmp_path / "head.safetensors"
    where = WeightsLocation(weights_dir=tmp_path, head_path=out)
    reports = list(train(tiny_run(), where, out))
    model = loading.load_preset(PRESET, where)

    assert [report.step for report in reports] == [1, 2, 3]
    assert model.layers == (2, 4)
    assert model.calibration is not None
    assert model.calibration.normal_maps.shape == (3, 1, 2, 5, 5)
    assert read_head(out).config["training"]["stages"] == [[70, 3, 2, "all"]]
    rows = list(csv.DictReader(out.with_suffix(".csv").open()))
    assert [row["step"] for row in rows] == ["1", "2", "3"]
    assert float(rows[0]["total"]) == pytest.approx(reports[0].losses["total"], abs=1e-4)


def test_head_and_state_name_the_run_the_versions_and_the_backbone(tmp_path: Path) -> None:
    out = tmp_path / "head.safetensors"
    list(train(tiny_run(seed=7), WeightsLocation(weights_dir=tmp_path), out))

    config = read_head(out).config
    state = torch.load(out.with_suffix(".progress.pt"), weights_only=True)
    assert config["training"] == {
        "preset": PRESET,
        "stages": [[70, 3, 2, "all"]],
        "optimisation": {
            "token_rate": 1e-3, "module_rate": 1e-4, "weight_decay": 0.01, "final_share": 0.1,
            "token_gradient_norm": 1.0, "average_decay": 0.0, "bfloat16": False,
            "losses": ["classification", "focal", "dice", "contrastive"],
            "accumulate": 1, "checkpoint_blocks": False,
        },
        "layers": [2, 4], "seed": 7, "head": [4, True, "mlp", False], "dropout": 0.1, "processes": 1,
        "data": "synthetic", "photographs": 0, "photographs_sha256": hashlib.sha256(b"").hexdigest(),
    }  # fmt: skip
    assert config["versions"] == state["versions"]
    assert config["versions"]["torch"] == torch.__version__.split("+")[0]
    assert state["run"]["seed"] == 7
    backbone = build_tiny_backbone(image_px=70)
    assert config["backbone_sha256"] == tensors_digest(backbone.state_dict())
    with torch.no_grad():
        backbone.position_table[0, 0, 0] += 1e-3
    assert config["backbone_sha256"] != tensors_digest(backbone.state_dict())


def test_more_processes_than_pictures_in_a_batch_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.training.ranks.joined", lambda _: nullcontext(Ranks(0, 3)))
    with pytest.raises(DataError, match="A batch of 2 cannot be shared by 3 processes"):
        list(train(tiny_run(), WeightsLocation(weights_dir=tmp_path), tmp_path / "head.safetensors"))


@pytest.mark.parametrize("dropout", ["1", "-0.1"])
def test_a_dropout_that_cannot_be_ends_in_a_sentence(dropout: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--out", "head.safetensors", "--dropout", dropout]) == 2

    assert "choose a share from 0 to less than 1" in capsys.readouterr().err


def test_a_stopped_run_goes_on_and_ends_with_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.services.training_log.SAVE_EVERY_STEPS", 2)
    where = WeightsLocation(weights_dir=tmp_path)
    list(train(tiny_run(steps=5), where, tmp_path / "whole.safetensors"))
    for report in train(tiny_run(steps=5), where, tmp_path / "stopped.safetensors"):
        if report.step == 3:
            break  # the state of step 2 is the last one saved
    torch.manual_seed(99)  # whatever another process would have had
    rest = [report.step for report in train(tiny_run(steps=5), where, tmp_path / "stopped.safetensors")]
    assert rest == [3, 4, 5]
    rows = list(csv.DictReader((tmp_path / "stopped.csv").open()))
    assert [row["step"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert (tmp_path / "stopped.safetensors").read_bytes() == (tmp_path / "whole.safetensors").read_bytes()


def test_the_state_of_a_run_with_other_settings_is_refused(tmp_path: Path) -> None:
    where = WeightsLocation(weights_dir=tmp_path)
    list(train(tiny_run(), where, tmp_path / "head.safetensors"))
    with pytest.raises(WeightsError, match="belongs to a run with other settings"):
        list(train(tiny_run(seed=1), where, tmp_path / "head.safetensors"))


def test_a_stage_is_read_from_three_numbers() -> None:
    preset = get_preset(PRESET)
    assert parse_stage("252x2000x8", preset) == Stage(image_px=252, steps=2000, batch_size=8)
    assert not parse_stage("392x300x8f", preset).trains_tokens
    with pytest.raises(DataError, match="write side x steps x batch size"):
        parse_stage("252x2000", preset)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three normal and two marked pictures, 40 x 40."""
    root = tmp_path / "mine"
    for index in range(5):
        kind = "good" if index < 3 else "hole"
        path = root / "nut" / "test" / kind / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (40, 40), 40 * index).save(path)
        if kind == "hole":
            mask = root / "nut" / "ground_truth" / "hole" / f"{index}_mask.png"
            mask.parent.mkdir(parents=True, exist_ok=True)
            Image.new("1", (40, 40), 1).save(mask)
    return root


def test_the_command_trains_on_a_data_set_with_the_papers_settings_and_the_head_says_so(
    tmp_path: Path, data: Path
) -> None:
    out = tmp_path / "head.safetensors"
    options = ["--image-size", "70", "--batch-size", "2", "--epochs", "2", "--workers", "0", "--layers", "2,4"]
    options += ["--saf", "linear", "--no-sca", "--losses", "focal,dice", "--seed", "5", "--dropout", "0.2"]
    options += ["--accumulate", "2", "--checkpoint-blocks", "--device", "cpu"]

    assert main(["train", "--data", str(data), "--out", str(out), *options]) == 0

    config = read_head(out).config
    run = config["training"]
    assert (config["saf"], config["sca"]) == ("linear", False)
    assert run["stages"] == [[70, 6, 2, "all"]]  # 2 epochs of 2 + 2 + 1 pictures
    assert (run["data"], run["classes"], run["pictures"]) == ("mvtec:mine", ["nut"], 5)
    assert (run["optimisation"]["module_rate"], run["optimisation"]["average_decay"]) == (1e-4, 0.0)
    assert run["optimisation"]["losses"] == ["focal", "dice"]
    assert (run["optimisation"]["accumulate"], run["optimisation"]["checkpoint_blocks"]) == (2, True)
    assert (run["seed"], run["dropout"], run["processes"], len(run["pictures_sha256"])) == (5, 0.2, 1, 64)
    model = loading.load_preset(PRESET, WeightsLocation(weights_dir=tmp_path, head_path=out))
    assert model.trained_on == "mvtec:mine"
    assert isinstance(model.method, VisualAD)
    assert not any(name.startswith("cross_attention") for name in model.method.head.state_dict())


def test_another_loss_than_there_is_ends_in_a_sentence(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--data", str(data), "--out", str(tmp_path / "h.safetensors"), "--losses", "hinge"]) == 2

    assert "--losses 'hinge' cannot be: losses must be some of" in capsys.readouterr().err


def test_dropout_is_seeded_by_the_runs_own_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int, int]] = []

    def seed_of(seed: int, step: int, rank: int) -> int:
        asked.append((seed, step, rank))
        return 0

    monkeypatch.setattr("models.training.loop.dropout_seed", seed_of)

    list(train(tiny_run(seed=7), WeightsLocation(weights_dir=tmp_path), tmp_path / "head.safetensors"))

    assert asked == [(7, 0, 0), (7, 1, 0), (7, 2, 0)]  # seed, step, process
