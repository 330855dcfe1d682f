"""What is drawn is what was logged, and looking at held-out pictures changes nothing of the training."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.services.convergence import Watch, draw_convergence, note_held_out, running_mean
from app.services.training import Conduct, TrainingRun, train
from models import loading
from models.backbones.vit import build_tiny_backbone
from models.training.loop import Optimisation, Stage
from models.weights import WeightsLocation


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> TrainingRun:
    monkeypatch.setattr(loading, "load_backbone", lambda *_, **__: (build_tiny_backbone(image_px=70), "the test"))
    monkeypatch.setattr("app.services.training.CALIBRATION_PICTURES", 2)
    stage = Stage(image_px=70, steps=5, batch_size=2)
    return TrainingRun(
        preset="visualad-dinov2-small",
        stages=(stage,),
        optimisation=Optimisation(average_decay=0.9),
        layers=(2, 4),
        seed=0,
        workers=0,
    )


def test_watching_leaves_the_head_as_it_would_have_been(run: TrainingRun, tmp_path: Path) -> None:
    where = WeightsLocation(weights_dir=tmp_path)
    list(train(run, where, tmp_path / "alone.safetensors"))
    list(train(run, where, tmp_path / "watched.safetensors", Conduct(watch=Watch(every=2, pictures=6))))

    assert (tmp_path / "watched.safetensors").read_bytes() == (tmp_path / "alone.safetensors").read_bytes()
    rows = list(csv.DictReader((tmp_path / "watched.held_out.csv").open()))
    assert [row["step"] for row in rows] == ["2", "4", "5"]
    assert all(0.0 < float(row["pixel_ap"]) < 1.0 for row in rows)


def test_the_figure_lies_beside_the_head(run: TrainingRun, tmp_path: Path) -> None:
    list(train(run, WeightsLocation(weights_dir=tmp_path), tmp_path / "head.safetensors"))

    figure = np.asarray(Image.open(tmp_path / "head.png").convert("RGB"))
    assert figure.shape == (660, 1320, 3)  # 12 x 6 inches at 110 dots


def test_the_figure_changes_with_what_was_logged(tmp_path: Path) -> None:
    names = ["step", "classification", "focal", "dice", "contrastive", "total"]
    for name, slope in (("falling", -1), ("rising", 1)):
        lines = [",".join(names)] + [",".join([str(step), *[str(9 + slope * step)] * 5]) for step in range(1, 9)]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines))
        draw_convergence(tmp_path / f"{name}.csv", tmp_path / "none.csv", tmp_path / f"{name}.png")

    falling, rising = (np.asarray(Image.open(tmp_path / f"{name}.png")) for name in ("falling", "rising"))
    assert not np.array_equal(falling, rising)


def test_a_step_that_is_repeated_after_a_stop_is_noted_once(tmp_path: Path) -> None:
    path = tmp_path / "held_out.csv"
    for step, pixel_ap in ((2, 0.1), (4, 0.2), (4, 0.25)):
        note_held_out(path, step, None, pixel_ap)

    assert path.read_text().splitlines() == ["step,image_ap,pixel_ap", "2,,0.1000", "4,,0.2500"]


def test_a_running_mean_forgets_what_is_too_far_back() -> None:
    assert running_mean([0.0, 2.0, 4.0, 6.0], reach=1) == [0.0, 1.0, 3.0, 5.0]


@pytest.mark.parametrize(("step", "due"), [(1, False), (2, True), (5, True)])
def test_the_last_step_is_always_looked_at(step: int, due: bool) -> None:
    assert Watch(every=2).is_due(step, total_steps=5) == due
