"""How a training run converges: held-out average precision on the way, and the figure of it beside the checkpoint."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from models.config import InspectionConfig
from models.registry import get_backbone_spec, get_preset

if TYPE_CHECKING:
    from models.training.loop import Trainer

_SEED: Final = 8_000_000_000_000  # held-out pictures that neither calibration nor evaluation uses
_SETTINGS: Final = InspectionConfig()
_PANELS: Final = ("classification", "focal", "dice", "contrastive", "total")


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """How often to look, and at how many held-out synthetic pictures."""

    every: int  # steps
    pictures: int = 32

    def is_due(self, step: int, total_steps: int) -> bool:
        """Whether to look after this step; after the last one always."""
        return step % self.every == 0 or step == total_steps


def held_out_ap(trainer: Trainer, preset: str, image_px: int, pictures: int) -> tuple[float | None, float | None]:
    """Average precision of what the run would export now, on held-out synthetic pictures; training is not disturbed.

    Args:
        trainer: the run; its weights are put back afterwards.
        preset: whose preparation of pictures to use.
        image_px: side of the input.
        pictures: how many.
    Returns:
        Of images and of pixels, each in [0, 1]; None where the pictures are all normal or all anomalous.
    """
    from app.services.reports import map_and_score
    from models.evaluation.synthetic import SyntheticEvaluation, held_out_samples
    from models.preprocessing import to_input
    from models.reading import PictureMaps

    spec, layers = get_backbone_spec(get_preset(preset).backbone), trainer.model.layers
    evaluation = SyntheticEvaluation(low=-2.0 * len(layers), high=2.0 * len(layers))
    device = trainer.model.head.anomaly_token.device
    with _as_exported(trainer):
        for sample in held_out_samples(pictures, _SEED, image_px):
            images = to_input(sample.image, (image_px, image_px), spec).unsqueeze(0).to(device)
            maps = PictureMaps(trainer.model.maps(images).branch_maps[0].cpu().numpy())
            anomaly_map, score = map_and_score(maps, preset, layers, layers, image_px, _SETTINGS)
            evaluation.add(anomaly_map, score, sample.mask, sample.anomaly_family)
    overall = evaluation.result().overall
    return overall.image.average_precision, overall.pixel.average_precision


@contextmanager
def _as_exported(trainer: Trainer) -> Iterator[None]:
    """The model with the weights that would be exported, in evaluation mode; afterwards as it was."""
    head = trainer.model.head
    before = {name: value.detach().clone() for name, value in head.state_dict().items()}
    was_training = trainer.model.training
    head.load_state_dict(trainer.trained_head())
    trainer.model.eval()
    try:
        yield
    finally:
        head.load_state_dict(before)
        trainer.model.train(was_training)


def note_held_out(path: Path, step: int, image_ap: float | None, pixel_ap: float | None) -> None:
    """Add a line to the CSV of held-out precision; a step that a resumed run repeats replaces its first line."""
    rows = [row for row in _rows(path) if int(row["step"]) < step]
    numbers = {"image_ap": image_ap, "pixel_ap": pixel_ap}
    rows.append({"step": str(step), **{name: "" if ap is None else f"{ap:.4f}" for name, ap in numbers.items()}})
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["step", *numbers])
        writer.writeheader()
        writer.writerows(rows)


def draw_convergence(losses: Path, held_out: Path, out: Path) -> Path:
    """Draw each loss, and held-out precision where it was noted, against the steps.

    Args:
        losses: the CSV that training writes: step and one column a loss.
        held_out: the CSV of `note_held_out`; may be missing.
        out: a PNG.
    Returns:
        `out`.
    """
    from matplotlib.figure import Figure

    rows = _rows(losses)
    steps = [int(row["step"]) for row in rows]
    figure = Figure(figsize=(12, 6), layout="constrained")
    for place, name in enumerate(_PANELS, start=1):
        axes = figure.add_subplot(2, 3, place)
        values = [float(row[name]) for row in rows]
        axes.plot(steps, values, color="0.75", linewidth=0.8)
        axes.plot(steps, running_mean(values), color="C0")
        axes.set(title=f"{name} loss", xlabel="step")
    axes = figure.add_subplot(2, 3, 6)
    noted = _rows(held_out)
    for name, title in (("image_ap", "images"), ("pixel_ap", "pixels")):
        points = [(int(row["step"]), float(row[name])) for row in noted if row[name]]
        axes.plot([step for step, _ in points], [ap for _, ap in points], marker="o", label=title)
    axes.set(title="held-out average precision" if noted else "held-out AP was not watched", xlabel="step", ylim=(0, 1))
    axes.legend()
    figure.savefig(out, dpi=110)
    return out


def running_mean(values: list[float], reach: int = 25) -> list[float]:
    """Each value's mean with those up to `reach` before it."""
    means = []
    total = 0.0
    for place, value in enumerate(values):
        total += value - (values[place - reach - 1] if place > reach else 0.0)
        means.append(total / min(place + 1, reach + 1))
    return means


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
