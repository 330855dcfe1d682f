"""Train a head on the synthetic world or on a data set: stages, resumable, logged, calibrated and exported."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app.services.convergence import Watch, draw_convergence, held_out_ap
from app.services.training_log import SaveClock, open_log
from models.errors import DataError, WeightsError
from models.registry import get_backbone_spec, get_preset
from models.weights import WeightsLocation

if TYPE_CHECKING:
    from torch import Tensor

    from models.data.datasets import DataSet
    from models.methods.saf import SafVariant
    from models.methods.visualad import VisualAD
    from models.training.loop import BatchSource, Optimisation, Stage, StepReport, Trainer
    from models.training.ranks import Ranks

CALIBRATION_PICTURES: Final = 128
CALIBRATION_SEED: Final = 7_000_000_000_000  # held-out normals that no evaluation uses


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
    dropout: float = 0.1

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
            "dropout": self.dropout,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """How a run is carried out; changes what comes out by rounding at most."""

    device: str = "cpu"  # torch's name
    threads: int | None = None  # of torch; None leaves torch's choice
    watch: Watch | None = None  # how often to measure on held-out pictures; None draws the losses alone
    tensorboard: bool = False  # log to the folder OUT.tensorboard too


def train(run: TrainingRun, where: WeightsLocation, out: Path, conduct: Conduct | None = None) -> Iterator[StepReport]:
    """Train and write `out`; a report a step.  Goes on where an earlier call with the same settings was stopped.

    Under torchrun every process calls this; each sees its part of every batch, the first alone writes.

    Args:
        run: the settings.
        where: where the backbone's weights may come from.
        out: the head's file; `out` with .progress.pt holds the state, with .csv the losses of each step, with
            .held_out.csv what was measured on the way, and with .png the figure of both.
        conduct: how; None is on the processor and unwatched.
    Yields:
        A report after each step.
    Raises:
        WeightsError: the backbone is missing, or the state is of another run.
        DataError: there are more processes than pictures in a batch.
        ExpectedError: TensorBoard is asked for and not installed.
    """
    from models.training.ranks import joined

    conduct = conduct or Conduct()
    with joined(conduct.device) as ranks:
        trainer = _prepare(run, where, out, conduct, ranks)
        if ranks.is_first:
            yield from _train_and_write(run, trainer, out, conduct)
        else:
            yield from trainer.run(_batches(run, ranks))


def _prepare(run: TrainingRun, where: WeightsLocation, out: Path, conduct: Conduct, ranks: Ranks) -> Trainer:
    """The trainer, standing where an earlier call left it."""
    import torch

    from models.training.checkpoint import load_progress
    from models.training.loop import Trainer

    smallest = min(stage.batch_size for stage in run.stages)
    if ranks.count > smallest:
        raise DataError(f"A batch of {smallest} cannot be shared by {ranks.count} processes; start fewer of them.")
    if conduct.threads is not None:
        torch.set_num_threads(conduct.threads)
    model = build_model(run, where).to(conduct.device)
    trainer = Trainer(model, run.stages, run.optimisation, seed=run.seed, ranks=ranks)
    if (progress := out.with_suffix(".progress.pt")).is_file():
        load_progress(progress, trainer, _described(run, ranks))
    if not ranks.agree_on(trainer.step, conduct.device):
        raise WeightsError(f"The processes do not all see the same {progress}; put --out where each of them reads it.")
    return trainer


def _train_and_write(run: TrainingRun, trainer: Trainer, out: Path, conduct: Conduct) -> Iterator[StepReport]:
    from models.training.checkpoint import save_progress

    described = _described(run, trainer.ranks)
    saves, watch = SaveClock(trainer.total_steps), conduct.watch
    with open_log(out, trainer.step, tensorboard=conduct.tensorboard) as log:
        for report in trainer.run(_batches(run, trainer.ranks)):
            log.add(report)
            if watch is not None and watch.is_due(report.step, trainer.total_steps):
                log.add_held_out(
                    report.step, *held_out_ap(trainer, run.preset, run.stages[-1].image_px, watch.pictures)
                )
            if saves.is_due(report.step):  # last: what a kill before it undoes is done again
                save_progress(out.with_suffix(".progress.pt"), trainer, described)
            yield report
    draw_convergence(out.with_suffix(".csv"), out.with_suffix(".held_out.csv"), out.with_suffix(".png"))
    finish(run, trainer, out)


def _described(run: TrainingRun, ranks: Ranks) -> dict[str, Any]:
    """The run with the number of processes, which decides what each of them drops out."""
    return {**run.description(), "processes": ranks.count}


def _batches(run: TrainingRun, ranks: Ranks) -> BatchSource:
    from models.data.synthetic import World
    from models.training.batches import SyntheticBatches
    from models.training.folder_batches import FolderBatches, trainable

    spec = get_backbone_spec(get_preset(run.preset).backbone)
    if run.data is not None:
        samples = trainable(run.data)
        return FolderBatches(samples=samples, spec=spec, seed=run.seed, workers=run.workers, ranks=ranks)
    world = World(split="train", photographs=run.photographs)
    return SyntheticBatches(world=world, spec=spec, seed=run.seed, workers=run.workers, ranks=ranks)


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
        dropout=run.dropout,
        train_positions=run.train_positions,
        sca=run.sca,
        saf=run.saf,
    )
    return VisualAD(backbone, config)


def finish(run: TrainingRun, trainer: Trainer, out: Path) -> str:
    """Calibrate a trained head on held-out normal pictures and write it; returns the file's SHA-256."""
    from models.training.checkpoint import export_head, tensors_digest, versions

    model, head = trainer.model, trainer.trained_head()
    model.head.load_state_dict(head)
    image_px = run.stages[-1].image_px
    config = {
        "method": "VisualAD",
        "backbone": get_preset(run.preset).backbone,
        "backbone_sha256": tensors_digest(model.backbone.state_dict()),
        "layers": list(run.layers),
        "image_size": image_px,
        "anchors": model.head.config.anchors,
        "train_positions": model.head.config.train_positions,
        "sca": model.head.config.sca,
        "saf": model.head.config.saf,
        "training": _described(run, trainer.ranks),
        "versions": versions(),
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
        picture = sample(CALIBRATION_SEED + index, world, image_px)
        images = to_input(picture.image, (image_px, image_px), spec).unsqueeze(0)
        maps.append(model.layer_maps(images.to(model.head.anomaly_token.device)))
    return torch.cat(maps)
