"""Runs in processes of their own: two that share every batch, and one that is killed and taken up again."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from app.cli import main
from app.services.training import TrainingRun, train
from models import loading
from models.backbones.vit import build_tiny_backbone
from models.data.datasets import read_dataset
from models.head_files import read_head
from models.training.loop import Optimisation, Stage, Trainer
from models.weights import WeightsLocation

ROOT = Path(__file__).resolve().parents[3]
STEPS = 6  # two epochs of 2 + 2 + 1 pictures: in the last batch of each, one of two processes has none
OPTIONS = (
    *("--epochs", "2", "--batch-size", "2", "--image-size", "70", "--layers", "2,4", "--workers", "0"),
    *("--dropout", "0", "--average-decay", "0.9", "--device", "cpu"),
)  # those of `tiny_run` without dropout, for the command


def tiny_run(root: Path, *, dropout: float) -> TrainingRun:
    return TrainingRun(
        preset="visualad-dinov2-small",
        stages=(Stage(image_px=70, steps=STEPS, batch_size=2),),
        optimisation=Optimisation(average_decay=0.9),
        layers=(2, 4),
        seed=0,
        workers=0,
        data=read_dataset(root / "mine"),
        dropout=dropout,
    )


def patch(set_attribute: Any) -> None:
    """A tiny backbone, little calibration, and a state saved after every second step."""
    set_attribute(loading, "load_backbone", lambda *_, **__: (build_tiny_backbone(image_px=70), "the test"))
    set_attribute("app.services.training.CALIBRATION_PICTURES", 2)
    set_attribute("app.services.training_log.SAVE_EVERY_STEPS", 2)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data set of three normal and two marked pictures, 40 x 40."""
    for index in range(5):
        kind = "good" if index < 3 else "hole"
        path = tmp_path / "mine" / "nut" / "test" / kind / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.linear_gradient("L").rotate(70 * index).resize((40, 40)).save(path)
        if kind == "hole":
            mask = tmp_path / "mine" / "nut" / "ground_truth" / "hole" / f"{index}_mask.png"
            mask.parent.mkdir(parents=True, exist_ok=True)
            Image.linear_gradient("L").resize((40, 40)).point(lambda grey: 255 * (grey > 200)).save(mask)
    return tmp_path


def in_process(body: str) -> list[str]:
    """Arguments of Python that run `body` with this module's names."""
    script = f"""
import os, runpy, sys
sys.path.insert(0, {str(ROOT)!r})
globals().update(runpy.run_path({__file__!r}))
patcher = pytest.MonkeyPatch()
patch(patcher.setattr)
{body}"""
    return ["-c", script]


def rank_main(root: Path) -> None:
    """What each of two processes does: the command; afterwards it leaves what it holds in a file of its own."""
    from app.services import training

    held: list[Trainer] = []
    prepare = training._prepare

    def held_prepare(*arguments: Any) -> Trainer:
        held.append(prepare(*arguments))
        return held[0]

    pytest.MonkeyPatch().setattr(training, "_prepare", held_prepare)
    code = main(["train", "--data", str(root / "mine"), "--out", str(root / "out" / "pair.safetensors"), *OPTIONS])
    if code:
        sys.exit(code)
    torch.save(held[0].state(), root / f"rank{os.environ['RANK']}.pt")


@pytest.mark.slow
def test_two_processes_end_with_the_weights_of_one_and_only_the_first_writes(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = root / "rank.py"
    script.write_text(in_process(f"rank_main(Path({str(root)!r}))")[1])
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", str(script)]
    done = subprocess.run(torchrun, check=False, capture_output=True, text=True, timeout=240, cwd=ROOT)
    assert done.returncode == 0, done.stderr

    patch(monkeypatch.setattr)
    run = tiny_run(root, dropout=0.0)
    list(train(run, WeightsLocation(weights_dir=root), root / "alone" / "head.safetensors"))

    first, second = (torch.load(root / f"rank{rank}.pt", weights_only=True) for rank in (0, 1))
    pair = torch.load(root / "out" / "pair.progress.pt", weights_only=True)
    alone = torch.load(root / "alone" / "head.progress.pt", weights_only=True)
    assert (pair["state"]["step"], pair["run"]["processes"], alone["run"]["processes"]) == (STEPS, 2, 1)
    for name, weights in alone["state"]["head"].items():
        assert torch.equal(first["averages"][name], second["averages"][name]), name
        torch.testing.assert_close(pair["state"]["head"][name], weights, atol=1e-5, rtol=0.0)
    for place, moments in first["optimiser"]["state"].items():
        assert torch.equal(moments["exp_avg"], second["optimiser"]["state"][place]["exp_avg"])
    both, one = (list(csv.DictReader(path.open())) for path in (root / "out/pair.csv", root / "alone/head.csv"))
    assert [row["step"] for row in both] == [row["step"] for row in one]
    assert [float(row["total"]) for row in both] == pytest.approx([float(row["total"]) for row in one], abs=2e-5)
    assert sorted(path.name for path in (root / "out").iterdir()) == [
        "pair.csv", "pair.png", "pair.progress.pt", "pair.safetensors"
    ]  # fmt: skip


def killed_main(root: Path) -> None:
    """Train to step 5, then wait to be killed."""
    out = root / "killed.safetensors"
    for report in train(tiny_run(root, dropout=0.1), WeightsLocation(weights_dir=root), out):
        if report.step == 5:
            print("at step 5", flush=True)
            sys.stdin.read()


def resumed_main(root: Path) -> None:
    """Train a whole run first, so that the resumed one begins with another random state."""
    for name in ("whole", "killed"):
        steps = train(tiny_run(root, dropout=0.1), WeightsLocation(weights_dir=root), root / f"{name}.safetensors")
        print(name, [report.step for report in steps], flush=True)


@pytest.mark.slow
def test_a_run_that_is_killed_in_mid_epoch_ends_with_the_same_file(root: Path) -> None:
    arguments = [sys.executable, *in_process(f"killed_main(Path({str(root)!r}))")]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        assert child.stdout is not None
        assert (
            child.stdout.readline() == "at step 5\n"
        )  # of an epoch from 4 to 6; the state of step 4 is the last saved
        child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    assert not (root / "killed.safetensors").exists()

    arguments = [sys.executable, *in_process(f"resumed_main(Path({str(root)!r}))")]
    done = subprocess.run(arguments, check=False, capture_output=True, text=True, timeout=240, cwd=ROOT)

    assert done.stdout.splitlines() == ["whole [1, 2, 3, 4, 5, 6]", "killed [5, 6]"], done.stderr
    assert (root / "killed.safetensors").read_bytes() == (root / "whole.safetensors").read_bytes()
    assert (root / "killed.csv").read_text() == (root / "whole.csv").read_text()
    assert read_head(root / "killed.safetensors").config["training"]["dropout"] == 0.1
