"""Train a DA-CLIP head on the synthetic world or on a data set: features cached, resumable, calibrated and exported."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from app.services.daclip_pictures import OnCached, cache_pictures, device_of
from app.services.training import CALIBRATION_PICTURES, CALIBRATION_SEED, Conduct
from app.services.training_log import SaveClock, open_log
from models.errors import DataError
from models.methods.prompts import PromptSet
from models.registry import get_backbone_spec, get_preset

if TYPE_CHECKING:
    from torch import Tensor

    from models.backbones.towers import Towers
    from models.data.datasets import DataSet
    from models.methods.daclip import DAClip, DAClipConfig
    from models.training.daclip_loop import DAClipOptimisation, DAClipTrainer
    from models.training.feature_cache import CachedPictures, Precision
    from models.training.loop import StepReport, Trainer

_PAPER_PROMPTS: Final = PromptSet()


@dataclass(frozen=True, slots=True, kw_only=True)
class DAClipRun:
    """Everything that decides what comes out of a run, and where its features are kept."""

    preset: str
    method: DAClipConfig
    image_px: int
    optimisation: DAClipOptimisation
    cache: Path  # folder of cached features; decides nothing
    pictures: int = 2000  # of the synthetic world; a data set has as many as it has
    epochs: int = 15
    batch_size: int = 8
    seed: int = 0  # of weights, pictures and their order
    photographs: tuple[Path, ...] = ()
    prompts: PromptSet = _PAPER_PROMPTS
    data: DataSet | None = None  # None: the synthetic world
    precision: Precision = "float16"  # of cached features

    def description(self) -> dict[str, Any]:
        """The run as JSON values, for the checkpoint and for telling whether two runs are the same."""
        described = {
            "preset": self.preset,
            "method": asdict(self.method),
            "image_px": self.image_px,
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "optimisation": asdict(self.optimisation),
            "seed": self.seed,
            "prompts": asdict(self.prompts),
            "features": self.precision,
            **self._data_description(),
        }
        as_json: dict[str, Any] = json.loads(json.dumps(described))
        return as_json

    def _data_description(self) -> dict[str, Any]:
        if self.data is not None:
            from models.training.folder_batches import describe, trainable

            return describe(trainable(self.data), self.data.name)
        return {
            "data": "synthetic",
            "pictures": self.pictures,
            "photographs": len(self.photographs),
            "photographs_sha256": hashlib.sha256("\n".join(p.name for p in self.photographs).encode()).hexdigest(),
        }


def train_daclip(
    run: DAClipRun,
    towers: Towers,
    out: Path,
    conduct: Conduct | None = None,
    *,
    on_cached: OnCached = lambda *_: None,
    pictures: CachedPictures | None = None,
) -> Iterator[StepReport]:
    """Train and write `out`; a report a step.  Goes on where an earlier call with the same settings was stopped.

    Args:
        run: the settings.
        towers: the frozen pair; moved to the device of `conduct`.
        out: the head's file; `out` with .progress.pt holds the state, and with .csv the losses of each step.
        conduct: how; None is on the processor.
        on_cached: told of every picture whose features are there.
        pictures: from `cache_pictures` for a run with the same pictures; None calls it.
    Yields:
        A report after each step.
    Raises:
        WeightsError: the state is of another run, or `out` cannot be written.
        DataError: the data set or the cache cannot be used, or `conduct` asks for what there is not.
        ExpectedError: TensorBoard is asked for and not installed.
    """
    from models.training.checkpoint import load_progress, save_progress

    conduct = conduct or Conduct()
    towers = _prepared(towers, conduct)
    described, progress = run.description(), out.with_suffix(".progress.pt")
    trainer = _trainer(run, towers, pictures or cache_pictures(run, towers, on_cached))
    resumable = cast("Trainer", trainer)  # its `state` and `restore` are all that is used
    if progress.is_file():
        load_progress(progress, resumable, described)
    saves = SaveClock(trainer.total_steps)
    with open_log(out, trainer.step, tensorboard=conduct.tensorboard) as log:
        for report in trainer.run():
            log.add(report)
            if saves.is_due(report.step):  # last: what a kill before it undoes is done again
                save_progress(progress, resumable, described)
            yield report
    finish(run, trainer, out)


def _prepared(towers: Towers, conduct: Conduct) -> Towers:
    import torch

    from models.training.ranks import in_torchrun

    if in_torchrun():
        raise DataError("DA-CLIP is trained in one process; start it without torchrun.")
    if conduct.watch is not None:
        raise DataError("A DA-CLIP run cannot be watched; leave --watch out and evaluate the head afterwards.")
    if conduct.threads is not None:
        torch.set_num_threads(conduct.threads)
    return towers.to(conduct.device)


def _trainer(run: DAClipRun, towers: Towers, pictures: CachedPictures) -> DAClipTrainer:
    from models.training.daclip_loop import DAClipTrainer

    return DAClipTrainer(
        build_daclip(run, towers),
        pictures,
        epochs=run.epochs,
        batch_size=run.batch_size,
        optimisation=run.optimisation,
        seed=run.seed,
    )


def build_daclip(run: DAClipRun, towers: Towers) -> DAClip:
    """Build a fresh head on the towers, seeded, with the run's prompts, where the towers are."""
    import torch

    from models.methods.daclip import DAClip

    torch.manual_seed(run.seed)
    model = DAClip(towers, run.method)
    model.set_prompts(run.prompts)
    return model.to(device_of(towers))


def finish(run: DAClipRun, trainer: DAClipTrainer, out: Path) -> str:
    """Calibrate a trained head on held-out normal pictures and write it in half precision; returns its SHA-256."""
    from models.head_calibration import CALIBRATION_KEY, GLOBAL_SCORES_KEY
    from models.head_files import save_head
    from models.training.checkpoint import tensors_digest, versions

    model, head, preset = trainer.model, trainer.trained_head(), get_preset(run.preset)
    model.head.load_state_dict(head)
    maps, scores = normal_maps(model, run)
    tensors = {name: value.detach().cpu().half().contiguous().numpy() for name, value in head.items()}
    tensors[CALIBRATION_KEY] = maps.half().numpy()
    tensors[GLOBAL_SCORES_KEY] = scores.numpy()
    config = {
        "method": "DA-CLIP",
        "backbone": preset.backbone,
        "text": preset.text,
        "layers": list(run.method.layers),
        "image_size": run.image_px,
        "config": asdict(run.method),
        "prompts": asdict(run.prompts),
        "backbone_sha256": tensors_digest(model.towers.visual.state_dict()),
        "text_sha256": tensors_digest(model.towers.text.state_dict()),
        "training": run.description(),
        "versions": versions(),
    }
    return save_head(out, tensors, config)


def normal_maps(model: DAClip, run: DAClipRun) -> tuple[Tensor, Tensor]:
    """Maps (n, R, L, gh, gw) and global scores (n,) of the held-out normal pictures that VisualAD is calibrated on."""
    import torch

    from models.data.synthetic import World, sample
    from models.preprocessing import to_input

    model.eval()
    spec, side = get_backbone_spec(get_preset(run.preset).backbone), run.image_px
    world = World(split="held_out", anomalous_share=0.0)
    maps, scores = [], []
    for index in range(CALIBRATION_PICTURES):
        picture = sample(CALIBRATION_SEED + index, world, side)
        images = to_input(picture.image, (side, side), spec).unsqueeze(0)
        found = model.maps(images.to(device_of(model.towers)))
        assert found.global_scores is not None
        maps.append(found.branch_maps.cpu())
        scores.append(found.global_scores.float().cpu())
    return torch.cat(maps), torch.cat(scores)
