"""When a run is saved, and what TensorBoard is told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from app.cli import main
from app.services.training_log import SaveClock, TrainingLog, open_log
from models import loading
from models.backbones.vit import build_tiny_backbone
from models.training.loop import StepReport


def test_a_run_is_saved_after_a_minute_after_a_hundred_steps_and_at_its_end() -> None:
    now_s = 1000.0
    clock = SaveClock(total_steps=250, now_s=lambda: now_s)
    saved = []
    for step in range(1, 251):
        now_s += 7.0 if step <= 20 else 0.1  # slow steps first: 8.6 of them are a minute
        if clock.is_due(step):
            saved.append(step)

    assert saved == [9, 18, 100, 200, 250]


class Scalars:
    """Holds what TensorBoard would have been told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, float, int]] = []

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None:
        self.told.append((tag, scalar_value, global_step))


def test_tensorboard_is_told_each_loss_and_each_precision_that_there_is(tmp_path: Path) -> None:
    scalars = Scalars()
    log = TrainingLog(tmp_path / "head.safetensors", scalars)

    log.add(StepReport(4, {"focal": 0.5, "total": 2.0}))
    log.add_held_out(4, None, 0.25)

    assert scalars.told == [("loss/focal", 0.5, 4), ("loss/total", 2.0, 4), ("held_out/pixel_ap", 0.25, 4)]
    assert (tmp_path / "head.csv").read_text().splitlines() == ["step,focal,total", "4,0.50000,2.00000"]


def test_what_was_logged_after_the_last_saved_step_is_taken_out(tmp_path: Path) -> None:
    out = tmp_path / "head.safetensors"
    out.with_suffix(".csv").write_text("step,total\n1,0.1\n2,0.2\n3,0.3\n")

    with open_log(out, 2, tensorboard=False):
        pass

    assert out.with_suffix(".csv").read_text() == "step,total\n1,0.1\n2,0.2\n"


def test_without_tensorboard_asking_for_it_ends_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    monkeypatch.setattr(loading, "load_backbone", lambda *_, **__: (build_tiny_backbone(image_px=70), "the test"))
    options = ["--stages", "70x2x2", "--layers", "2,4", "--workers", "0", "--tensorboard"]

    assert main(["train", "--out", str(tmp_path / "head.safetensors"), *options]) == 2

    assert "TensorBoard is not installed; `pip install tensorboard`" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_real_tensorboard_reads_a_log_that_was_cut_as_one_run(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    out = tmp_path / "head.safetensors"
    for first, value in ((1, 0.25), (3, 0.75)):  # stopped after step 4, the state of step 2 was the last one saved
        with open_log(out, first - 1, tensorboard=True) as log:
            for step in (first, first + 1, first + 2, first + 3):
                log.add(StepReport(step, {"total": value}))

    events = EventAccumulator(str(out.with_suffix(".tensorboard")))
    events.Reload()
    read = {event.step: event.value for event in events.Scalars("loss/total")}
    assert [read[step] for step in (1, 2, 3, 4, 5, 6)] == [0.25, 0.25, 0.75, 0.75, 0.75, 0.75]
    assert len(events.Scalars("loss/total")) == 6
