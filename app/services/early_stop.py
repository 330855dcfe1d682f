"""When to stop teaching: a course is measured every few steps on pictures that it does not learn from.

A record holds tensors and plain values only, so that a course that was killed goes on from its file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from app.services.teaching_course import Course, HeadState, Look

OnStep = Callable[[int, dict[str, float] | None, float | None], object]  # step, losses of the step, held-out loss


@dataclass(frozen=True, slots=True, kw_only=True)
class Stops:
    """How far a course goes."""

    steps: int  # at most
    every: int  # steps between two looks
    patience: int  # looks without a better one, after which it ends

    def __post_init__(self) -> None:
        if min(self.steps, self.every, self.patience) < 1:
            raise ValueError(f"steps, every and patience must be 1 or more, got {self}")


@dataclass(slots=True, eq=False)
class Record:
    """What a course has shown so far."""

    looks: dict[int, Look] = field(default_factory=dict)  # by step; 0 is the parent
    best_head: HeadState | None = None  # of the best look after step 0

    @property
    def best_step(self) -> int:
        """The step after 0 with the lowest loss, the earliest of equal ones; 0 where there was no look after it."""
        later = [step for step in self.looks if step]
        return min(later, key=lambda step: (self.looks[step].loss, step), default=0)

    def is_exhausted(self, patience: int) -> bool:
        """Whether the last looks, so many as the patience allows, brought nothing better."""
        best = min(self.looks, key=lambda step: (self.looks[step].loss, step), default=0)
        return sum(step > best for step in self.looks) >= patience

    def as_values(self) -> dict[str, Any]:
        """For a file."""
        looks = {step: (look.loss, look.branch_maps, look.global_scores) for step, look in self.looks.items()}
        return {"looks": looks, "best_head": self.best_head}

    @classmethod
    def from_values(cls, values: object) -> Record:
        """What `as_values` gave."""
        from app.services.teaching_course import Look

        found = cast(dict[str, Any], values)
        return cls({int(step): Look(*look) for step, look in found["looks"].items()}, found["best_head"])


def follow(course: Course, record: Record, stops: Stops, on_step: OnStep) -> None:
    """Teach until the course ends or brings nothing better for a while; the record keeps the best head.

    Args:
        course: where it stands; one that is resumed comes with its record.
        record: filled.
        stops: how far.
        on_step: told of the parent as step 0 and of every step, when the record is up to date; it may raise.
    """
    if 0 not in record.looks:
        record.looks[0] = course.look()
        on_step(0, None, record.looks[0].loss)
    while course.step < stops.steps and not record.is_exhausted(stops.patience):
        losses = course.take_step()
        seen: float | None = None
        if course.step % stops.every == 0 or course.step == stops.steps:
            look = course.look()
            if not math.isfinite(look.loss):
                return  # it ran away; the best before that counts
            record.looks[course.step], seen = look, look.loss
            if record.best_step == course.step:
                record.best_head = course.head()
        on_step(course.step, losses, seen)


def go_to(course: Course, record: Record, step: int, on_step: OnStep) -> None:
    """Teach up to a step that was decided elsewhere; the record keeps the head it ends with."""
    while course.step < step:
        losses = course.take_step()
        on_step(course.step, losses, None)
    record.best_head = course.head()


def agreed_step(records: Sequence[Record], weights: Sequence[float]) -> int:
    """The step after 0 at which the weighted mean loss over several courses is lowest; 0 where none got that far.

    A course that ended early counts with its last look from there on.
    """
    steps = sorted({step for record in records for step in record.looks if step})
    return min(steps, key=lambda step: (mean_loss(records, weights, step), step), default=0)


def mean_loss(records: Sequence[Record], weights: Sequence[float], step: int) -> float:
    """The weighted mean loss over several courses at a step; the weights add up to 1."""
    return sum(weight * look_before(one, step).loss for one, weight in zip(records, weights, strict=True))


def look_before(record: Record, step: int) -> Look:
    """A course's look at a step, or its last one before that."""
    return record.looks[max(seen for seen in record.looks if seen <= step)]
