"""Train a head on the synthetic world or on a data set: stages, resumable, logged, calibrated and exported."""

from __future__ import annotations

import csv
import hashlib
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app.services.convergence import Watch, draw_convergence, held_out_ap, note_held_out
from models.registry import get_backbone_spec, get_preset
from models.weights import WeightsLocation

if TYPE_CHECKING:
    from torch import Tensor

    from models.data.datasets import DataSet
    from models.methods.saf import SafVariant
    from models.methods.visualad import VisualAD
    from models.training.loop import BatchSource, Optimisation, Stage, StepReport

CALIBRATION_PICTURES: Final = 128
_CALIBRATION_SEED: Final = 7_000_000_000_000  # held-out normals that no evaluation uses
_SAVE_EVERY_STEPS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRun:
    """Everything that decides what comes out of a run."""

    preset: str
    stages: tuple[Stage, ...]
    optimisation: Optimisation
    layers: tuple[int, ...]
    seed: int
    photographs: tuple[Path, ...] = ()
    workers: int = 1
    data: DataSet | None = None  # None: the synthetic world
    sca: bool = True
    saf: SafVariant = "mlp"
    anchors: int = 4
    train_positions: bool = False

    def description(self) -> dict[str, Any]:
        """The run as JSON values, for the checkpoint and for telling whether two runs are the same."""
        return {
            "preset": self.preset,
            "stages": [
                [stage.image_px, stage.steps, stage.batch_size, "all" if stage.trains_tokens else "tokens frozen"]
                for stage in self.stages
            ],
            "optimisation": asdict(self.optimisation),
            "layers": list(self.layers),
            "seed": self.seed,
            "head": [self.anchors, self.sca, self.saf, self.train_positions],
            **self._data_description(),
        }

    def _data_description(self) -> dict[str, Any]:
        if self.data is not None:
            from models.training.folder_batches import describe, trainable

            return describe(trainable(self.data), self.data.name)
        return {
            "data": "synthetic",
            "photographs": len(self.photographs),
            "photographs_sha256": hashlib.sha256("\n".join(p.name for p in self.photographs).encode()).hexdigest(),
        }


def train(
    run: TrainingRun, where: WeightsLocation, out: Path, *, threads: int | None = None, watch: Watch | None = None
) -> Iterator[StepReport]:
    """Train and write `out`; a report a step.  Goes on where an earlier call with the same settings was stopped.

    Args:
        run: the settings.
        where: where the backbone's weights may come from.
        out: the head's file; `out` with .progress.pt holds the state, with .csv the losses of each step, with
            .held_out.csv what was measured on the way, and with .png the figure of both.
        threads: of torch; None leaves torch's choice.
        watch: how often to measure on held-out pictures; None draws the losses alone.
    Yields:
        A report after each step.
    Raises:
        WeightsError: the backbone is missing, or the state is of another run.
    """
    import torch

    from models.training.checkpoint import load_progress, save_progress
    from models.training.loop import Trainer

    if threads is not None:
        torch.set_num_threads(threads)
    model = build_model(run, where)
    trainer = Trainer(model, run.stages, run.optimisation)
    progress = out.with_suffix(".progress.pt")
    if progress.is_file():
        load_progress(progress, trainer, run.description())
    _cut_log(out.with_suffix(".csv"), trainer.step)
    for report in trainer.run(_batches(run)):
        _log(out.with_suffix(".csv"), report)
        if report.step % _SAVE_EVERY_STEPS == 0 or report.step == trainer.total_steps:
            save_progress(progress, trainer, run.description())
        if watch is not None and watch.is_due(report.step, trainer.total_steps):
            precision = held_out_ap(trainer, run.preset, run.stages[-1].image_px, watch.pictures)
            note_held_out(out.with_suffix(".held_out.csv"), report.step, *precision)
        yield report
    draw_convergence(out.with_suffix(".csv"), out.with_suffix(".held_out.csv"), out.with_suffix(".png"))
    finish(run, model, trainer.trained_head(), out)


def _batches(run: TrainingRun) -> BatchSource:
    from models.data.synthetic import World
    from models.training.batches import SyntheticBatches
    from models.training.folder_batches import FolderBatches, trainable

    spec = get_backbone_spec(get_preset(run.preset).backbone)
    if run.data is not None:
        return FolderBatches(samples=trainable(run.data), spec=spec, seed=run.seed, workers=run.workers)
    world = World(split="train", photographs=run.photographs)
    return SyntheticBatches(world=world, spec=spec, seed=run.seed, workers=run.workers)


def build_model(run: TrainingRun, where: WeightsLocation) -> VisualAD:
    """Build the frozen pretrained backbone with a fresh head, seeded."""
    import torch

    from models.loading import load_backbone
    from models.methods.visualad import VisualAD, VisualADConfig

    backbone, _ = load_backbone(get_preset(run.preset), where)
    torch.manual_seed(run.seed)
    config = VisualADConfig(
        layers=run.layers,
        anchors=run.anchors,
        train_positions=run.train_positions,
        sca=run.sca,
        saf=run.saf,
    )
    return VisualAD(backbone, config)


def finish(run: TrainingRun, model: VisualAD, head: dict[str, Tensor], out: Path) -> str:
    """Calibrate a trained head on held-out normal pictures and write it; returns the file's SHA-256."""
    from models.training.checkpoint import export_head

    model.head.load_state_dict(head)
    image_px = run.stages[-1].image_px
    config = {
        "method": "VisualAD",
        "backbone": get_preset(run.preset).backbone,
        "layers": list(run.layers),
        "image_size": image_px,
        "anchors": model.head.config.anchors,
        "train_positions": model.head.config.train_positions,
        "sca": model.head.config.sca,
        "saf": model.head.config.saf,
        "training": run.description(),
        "versions": {name: metadata.version(name) for name in ("torch", "timm", "numpy")}
        | {"python": platform.python_version()},
    }
    return export_head(out, head, config, normal_maps(model, run.preset, image_px))


def normal_maps(model: VisualAD, preset: str, image_px: int) -> Tensor:
    """Layer maps of held-out normal pictures of the synthetic world: (CALIBRATION_PICTURES, L, gh, gw)."""
    import torch

    from models.data.synthetic import World, sample
    from models.preprocessing import to_input

    model.eval()
    spec = get_backbone_spec(get_preset(preset).backbone)
    world = World(split="held_out", anomalous_share=0.0)
    maps = []
    for index in range(CALIBRATION_PICTURES):
        picture = sample(_CALIBRATION_SEED + index, world, image_px)
        maps.append(model.layer_maps(to_input(picture.image, (image_px, image_px), spec).unsqueeze(0)))
    return torch.cat(maps)


def _cut_log(path: Path, steps: int) -> None:
    """Take out what was logged after the last saved step: it is about to be done again."""
    if path.is_file():
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(lines[: steps + 1]) if steps else "")


def _log(path: Path, report: StepReport) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.is_file() or path.stat().st_size == 0
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if is_new:
            writer.writerow(["step", *report.losses])
        writer.writerow([report.step, *(f"{value:.5f}" for value in report.losses.values())])
