"""What a training run writes on the way: the CSV of its losses, a TensorBoard log on request, and when to save."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from app.services.convergence import note_held_out
from models.errors import ExpectedError

if TYPE_CHECKING:
    from models.training.loop import StepReport

SAVE_EVERY_STEPS: Final = 100
SAVE_EVERY_S: Final = 60.0


class ScalarWriter(Protocol):
    """The part of torch's SummaryWriter that is used."""

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None:
        """Note one value."""


@dataclass(slots=True)
class SaveClock:
    """Says when to save: every so many steps, after so many seconds without, and at the end."""

    total_steps: int
    now_s: Callable[[], float] = time.monotonic
    saved_s: float = field(init=False)

    def __post_init__(self) -> None:
        self.saved_s = self.now_s()

    def is_due(self, step: int) -> bool:
        """Whether to save after this step; a yes starts the seconds anew."""
        late = self.now_s() - self.saved_s >= SAVE_EVERY_S
        due = late or step % SAVE_EVERY_STEPS == 0 or step == self.total_steps
        if due:
            self.saved_s = self.now_s()
        return due


@dataclass(frozen=True, slots=True)
class TrainingLog:
    """The logs beside a head's file: .csv, .held_out.csv, and the writer of TensorBoard's."""

    out: Path
    writer: ScalarWriter | None = None

    def add(self, report: StepReport) -> None:
        """Note what a step did."""
        path = self.out.with_suffix(".csv")
        path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not path.is_file() or path.stat().st_size == 0
        with path.open("a", newline="") as file:
            writer = csv.writer(file)
            if is_new:
                writer.writerow(["step", *report.losses])
            writer.writerow([report.step, *(f"{value:.5f}" for value in report.losses.values())])
        self._scalars("loss", dict(report.losses), report.step)

    def add_held_out(self, step: int, image_ap: float | None, pixel_ap: float | None) -> None:
        """Note what was measured on held-out pictures."""
        note_held_out(self.out.with_suffix(".held_out.csv"), step, image_ap, pixel_ap)
        self._scalars("held_out", {"image_ap": image_ap, "pixel_ap": pixel_ap}, step)

    def _scalars(self, group: str, values: dict[str, float | None], step: int) -> None:
        if self.writer is not None:
            for name, value in values.items():
                if value is not None:
                    self.writer.add_scalar(f"{group}/{name}", value, step)


@contextmanager
def open_log(out: Path, steps: int, *, tensorboard: bool) -> Iterator[TrainingLog]:
    """Open a run's logs and take out what they say after step `steps`: it is about to be done again.

    Args:
        out: the head's file.
        steps: how many are done and saved.
        tensorboard: whether to write a TensorBoard log too, to the folder `out` with .tensorboard.
    Raises:
        ExpectedError: TensorBoard is asked for and not installed.
    """
    path = out.with_suffix(".csv")
    if path.is_file():
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(lines[: steps + 1]) if steps else "")
    if not tensorboard:
        yield TrainingLog(out)
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ExpectedError("TensorBoard is not installed; `pip install tensorboard`, or leave it out.") from error
    with SummaryWriter(str(out.with_suffix(".tensorboard")), purge_step=steps + 1) as writer:
        yield TrainingLog(out, writer)
