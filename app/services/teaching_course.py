"""One course of teaching, quick or full: what it offers to whoever decides when to stop; and the quick one."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from app.services.teaching_examples import Example

if TYPE_CHECKING:
    from torch import Tensor

    from models.methods.base import MethodMaps
    from models.registry import BackboneSpec
    from models.training.finetuning import QuickSettings
    from models.training.learners import Learner

HeadState = dict[str, "Tensor"]

_CACHES_KEPT: Final = 4  # of backbones, tokens and sizes; some hundred MB each


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What a head says about some pictures."""

    loss: float  # a mean over both labels; not a number where it was not asked for
    branch_maps: Tensor  # (n, R, L, gh, gw), on the processor
    global_scores: Tensor | None  # (n,), of methods that give one


class Course(Protocol):
    """A head that is taught from where its parent stands; `state` and `restore` make it resumable."""

    @property
    def step(self) -> int:
        """How many steps are done."""

    def take_step(self) -> dict[str, float]:
        """Do one; returns each loss and their "total"."""

    def look(self) -> Look:
        """Measure the pictures that it is checked on with the head as it would be kept now."""

    def head(self) -> HeadState:
        """The head as it would be kept now."""

    def state(self) -> dict[str, object]:
        """Everything that a resumed course needs; tensors and plain values."""

    def restore(self, state: dict[str, object]) -> None:
        """Take up what `state` returned."""


class Features:
    """The features of examples under a learner's frozen part as it stands when this is made."""

    def __init__(self, learner: Learner, folder: Path, spec: BackboneSpec) -> None:
        """Open the cache.

        Args:
            learner: whose features.
            folder: of all caches.
            spec: how pictures are normalised.
        Raises:
            DataError: the folder cannot be used.
        """
        from models.training.taught_cache import TaughtCache

        self._learner = learner
        self._spec = spec
        self._cache = TaughtCache.open(folder, learner)
        _forget_old(folder)
        self._places: dict[str, int] = {}

    def keep(self, example: Example) -> int:
        """Where an example's features are; computed now if they are not there.

        Raises:
            StoreError: the picture's file is missing or damaged.
            DataError: the cache cannot be used.
        """
        place = self._places.get(example.digest)
        if place is None:
            place = self._cache.get_or_compute(example.digest, lambda: seen_by(self._learner, self._spec, example))
            self._places[example.digest] = place
        return place

    def read(self, examples: Sequence[Example]) -> Tensor:
        """The features of some examples, (B, F); raises what `keep` raises."""
        return self._cache.read([self.keep(example) for example in examples])

    def close(self) -> None:
        """Let the files go."""
        self._cache.close()


def _forget_old(folder: Path) -> None:
    """Delete the caches that were opened longest ago: every version that was taught in full begins another one."""
    by_age = sorted(folder.glob("*/key.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in by_age[_CACHES_KEPT:]:
        shutil.rmtree(path.parent, ignore_errors=True)


def seen_by(learner: Learner, spec: BackboneSpec, example: Example) -> Tensor:
    """One example's features, (1, F)."""
    import torch

    from models.preprocessing import normalise

    pixels = torch.from_numpy(example.rgb().copy()).permute(2, 0, 1)
    return learner.features_of(normalise(pixels, spec).unsqueeze(0))


class QuickCourse:
    """Teaches a learner on features that are in the cache."""

    def __init__(
        self,
        learner: Learner,
        features: Features,
        settings: QuickSettings,
        corrections: Sequence[Example],
        replay: Sequence[Example],
        checked: Sequence[Example],
    ) -> None:
        """Begin with the learner's head as it is.

        Args:
            learner: its head is trained in place.
            features: of all the examples.
            settings: how.
            corrections: at least one; labels are balanced by showing those of the rarer one more often.
            replay: shown beside them.
            checked: what `look` measures; may be empty.
        """
        from models.training.finetuning import QuickTrainer

        self._learner = learner
        self._features = features
        self._corrections = balanced(corrections)
        self._replay = replay
        self._checked = checked
        self._trainer = QuickTrainer(learner, settings)
        self._parent_maps = [learner.maps(features.read([example])).branch_maps for example in replay]

    @property
    def step(self) -> int:
        """How many steps are done."""
        return self._trainer.step

    def take_step(self) -> dict[str, float]:
        """Do one on a batch of corrections and replay."""
        import torch

        from models.training.finetuning import draw_batch

        corrections, replay = draw_batch(
            self._trainer.settings, self.step, corrections=len(self._corrections), replay=len(self._replay)
        )
        batch = [self._corrections[place] for place in corrections] + [self._replay[place] for place in replay]
        before = [self._parent_maps[place] for place in replay]
        parent_maps = torch.cat(before) if before else None
        return self._trainer.take_step(self._features.read(batch), *truth_about(batch), parent_maps)

    def look(self) -> Look:
        """Measure the pictures that it is checked on."""
        with head_of(self._learner, self.head()):
            return look_at(self._learner, self._checked, lambda example: self._features.read([example]))

    def head(self) -> HeadState:
        """The head as it would be kept now."""
        return self._trainer.trained_head()

    def state(self) -> dict[str, object]:
        """For `restore`."""
        return self._trainer.state()

    def restore(self, state: dict[str, object]) -> None:
        """Take up what `state` returned."""
        self._trainer.restore(state)


def balanced(corrections: Sequence[Example]) -> list[Example]:
    """Corrections in which both labels come up about equally often, where both are there."""
    normal = [one for one in corrections if not one.is_anomalous]
    anomalous = [one for one in corrections if one.is_anomalous]
    if not normal or not anomalous:
        return list(corrections)
    larger = max(len(normal), len(anomalous))
    return [one for some in (normal, anomalous) for one in some * round(larger / len(some))]


def truth_about(examples: Sequence[Example]) -> tuple[Tensor, Tensor, Tensor]:
    """What is known about examples: labels (B,), masks (B, S, S) and for which of them the pixels are known (B,)."""
    import numpy as np
    import torch

    nothing = np.zeros((examples[0].side, examples[0].side), dtype=np.bool_)
    masks = [example.mask() for example in examples]
    return (
        torch.tensor([int(example.is_anomalous) for example in examples]),
        torch.from_numpy(np.stack([nothing if mask is None else mask for mask in masks])),
        torch.tensor([mask is not None for mask in masks]),
    )


def look_at(
    learner: Learner, examples: Sequence[Example], feature_of: Callable[[Example], Tensor], *, with_loss: bool = True
) -> Look:
    """What a learner's head says about examples; one at a time, so that memory does not grow.

    Args:
        learner: with the head that is asked.
        examples: at least one.
        feature_of: gives the features of one, (1, F).
        with_loss: False leaves the loss out, which takes half of the time.
    """
    import torch

    from models.training.finetuning import measured_losses

    losses: dict[bool, list[float]] = {}
    maps: list[MethodMaps] = []
    for example in examples:
        features = feature_of(example)
        if with_loss:
            measured = measured_losses(learner, features, *truth_about([example]))
            losses.setdefault(example.is_anomalous, []).append(measured["total"])
        maps.append(learner.maps(features))
    means = [sum(of_label) / len(of_label) for of_label in losses.values()]
    scores = [one.global_scores for one in maps if one.global_scores is not None]
    return Look(
        loss=sum(means) / len(means) if means else math.nan,
        branch_maps=torch.cat([one.branch_maps.cpu() for one in maps]).clone(),
        global_scores=torch.cat([score.cpu() for score in scores]).clone() if scores else None,
    )


@contextmanager
def head_of(learner: Learner, state: Mapping[str, Tensor]) -> Iterator[None]:
    """The learner with another head, afterwards with its own again."""
    before = {name: value.detach().clone() for name, value in learner.head.state_dict().items()}
    learner.head.load_state_dict(dict(state))
    try:
        yield
    finally:
        learner.head.load_state_dict(before)
