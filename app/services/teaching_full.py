"""The full course: tokens are trained too, with gradients through the backbone.  VisualAD only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from app.services.teaching_course import HeadState, Look, head_of, look_at, seen_by
from app.services.teaching_examples import BoolMask, Example, Rgb

if TYPE_CHECKING:
    from models.methods.visualad import VisualAD
    from models.registry import BackboneSpec
    from models.training.learners import Learner
    from models.training.loop import Batch, Stage, StepReport

_REPLAY_SEED: Final = 9_100_000_000_000  # of the train split


@dataclass(frozen=True, slots=True, kw_only=True)
class FullSettings:
    """How tokens and head are taught from a few pictures; rates are a tenth of those that train from nothing."""

    steps: int = 30
    batch_size: int = 4
    correction_share: float = 0.5  # of each batch; the rest is replay, against forgetting
    token_rate: float = 1e-4
    module_rate: float = 1e-4
    weight_decay: float = 0.01
    seed: int = 0


class FullCourse:
    """Teaches a VisualAD on pictures: fresh copies of corrections, and synthetic pictures that are new in each step."""

    def __init__(
        self,
        method: VisualAD,
        learner: Learner,
        spec: BackboneSpec,
        settings: FullSettings,
        corrections: Sequence[Example],
        checked: Sequence[Example],
        *,
        flips: bool,
    ) -> None:
        """Begin with the method's head as it is.

        Args:
            method: trained in place.
            learner: of this method; measures.
            spec: how pictures are normalised.
            settings: how.
            corrections: whose pixels are known, at least one.
            checked: what `look` measures; may be empty.
            flips: copies may be mirrored and turned too.
        """
        from models.training.loop import Optimisation, Stage, Trainer

        self._learner = learner
        self._spec = spec
        self._checked = checked
        stage = Stage(image_px=learner.image_px, steps=settings.steps, batch_size=settings.batch_size)
        optimisation = Optimisation(
            token_rate=settings.token_rate, module_rate=settings.module_rate, weight_decay=settings.weight_decay
        )
        self._trainer = Trainer(method, (stage,), optimisation, seed=settings.seed)
        self._source = TaughtBatches(corrections, spec, settings, flips=flips)
        self._running: Iterator[StepReport] | None = None

    @property
    def step(self) -> int:
        """How many steps are done."""
        return self._trainer.step

    def take_step(self) -> dict[str, float]:
        """Do one."""
        if self._running is None:
            self._running = self._trainer.run(self._source)
        return next(self._running).losses

    def look(self) -> Look:
        """Measure the pictures that it is checked on; each costs a look of the backbone."""
        with head_of(self._learner, self.head()):
            return look_at(self._learner, self._checked, lambda example: seen_by(self._learner, self._spec, example))

    def head(self) -> HeadState:
        """The head as it would be kept now."""
        return self._trainer.trained_head()

    def state(self) -> dict[str, object]:
        """For `restore`."""
        return self._trainer.state()

    def restore(self, state: dict[str, object]) -> None:
        """Take up what `state` returned."""
        self._trainer.restore(state)
        self._running = None


class TaughtBatches:
    """The batch source of a full course: which pictures step s sees depends on the seed and s alone."""

    def __init__(
        self, corrections: Sequence[Example], spec: BackboneSpec, settings: FullSettings, *, flips: bool
    ) -> None:
        self._corrections = corrections
        self._spec = spec
        self._settings = settings
        self._flips = flips

    def __call__(self, stage: Stage, done: int) -> Iterator[Batch]:
        """Yield a stage's batches from the step after `done` on: normalised images and masks."""
        import torch

        from models.preprocessing import normalise

        for step in range(done, stage.steps):
            pictures = self._pictures(step, stage)
            images = torch.from_numpy(np.stack([rgb for rgb, _ in pictures])).permute(0, 3, 1, 2)
            yield normalise(images, self._spec), torch.from_numpy(np.stack([mask for _, mask in pictures]))

    def _pictures(self, step: int, stage: Stage) -> list[tuple[Rgb, BoolMask]]:
        from models.data.synthetic import World, sample
        from models.training.batches import SEEDS_PER_RUN

        mine = max(round(stage.batch_size * self._settings.correction_share), 1)
        generator = np.random.default_rng((self._settings.seed, step))
        pictures = [self._copy(self._drawn(generator, place), generator) for place in range(mine)]
        first = _REPLAY_SEED + self._settings.seed * SEEDS_PER_RUN + step * stage.batch_size
        for place in range(stage.batch_size - mine):
            made = sample(first + place, World(split="train", anomalous_share=float(place % 2)), stage.image_px)
            pictures.append((made.image, made.mask))
        return pictures

    def _drawn(self, generator: np.random.Generator, place: int) -> Example:
        """A correction; the labels take turns where both are there."""
        of_label = [one for one in self._corrections if one.is_anomalous == (place % 2 == 0)]
        some = of_label or self._corrections
        return some[int(generator.integers(len(some)))]

    def _copy(self, example: Example, generator: np.random.Generator) -> tuple[Rgb, BoolMask]:
        from models.training.learning_variants import variants

        mask = example.mask()
        assert mask is not None, "a full course is given pictures with known pixels alone"
        found = variants(example.rgb(), mask, 2, int(generator.integers(2**31)), self._flips)
        rgb, varied = found[int(generator.integers(len(found)))]
        assert varied is not None
        return rgb, varied
