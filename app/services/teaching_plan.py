"""Who is taught and who checks, as courses: one with held-out pictures, or one for each picture that is left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from app.services.early_stop import OnStep, Record, Stops, agreed_step, follow, go_to, look_before, mean_loss
from app.services.teaching_course import Course, HeadState, Look
from models.errors import DataError

if TYPE_CHECKING:
    from app.services.taught_pictures import Split
    from app.services.teaching_examples import Example
    from app.services.teaching_runs import Runs

MakeCourse = Callable[[Sequence["Example"], Sequence["Example"]], Course]  # what is taught, what checks


@dataclass(frozen=True, slots=True, eq=False)
class Pupils:
    """The examples of a split."""

    split: Split
    corrections: dict[str, list[Example]]  # by `TaughtPicture.pixels`: a taught picture and its copies
    checked: list[Example]  # as in the split

    def without(self, pixels: str | None) -> list[Example]:
        """What is taught, one picture left out."""
        return [one for name, some in self.corrections.items() if name != pixels for one in some]

    def weights(self) -> list[float]:
        """What each checking picture counts; together 1, both labels alike."""
        labels = [example.is_anomalous for example in self.checked]
        return [1.0 / (labels.count(label) * len(set(labels))) for label in labels]


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What came of the courses."""

    head: HeadState
    stopped_at: int  # step
    before: Look  # the parent on the pictures that check, in their order
    after: Look | None  # the same by heads that had not seen them; None: ask `head`, which has seen none of them


def run_courses(
    pupils: Pupils, runs: Runs, stops: Stops, make: MakeCourse, tell: Callable[[int, int], OnStep]
) -> Outcome:
    """Teach.

    Args:
        pupils: who.
        runs: takes up what was done before.
        stops: how far a course goes.
        make: makes a course at its beginning.
        tell: (number of the course, of how many) -> what is told of each of its steps.
    Raises:
        DataError: the losses ran away at once.
    """
    if pupils.split.how != "held out":
        return _leave_one_out(pupils, runs, stops, make, tell)
    begin = partial(make, pupils.without(None), pupils.checked)
    record = runs.run(begin, partial(_followed, stops), tell(0, 1))
    if record.best_head is None:
        raise _ran_away()
    return Outcome(record.best_head, record.best_step, record.looks[0], None)


def _leave_one_out(
    pupils: Pupils, runs: Runs, stops: Stops, make: MakeCourse, tell: Callable[[int, int], OnStep]
) -> Outcome:
    """Each checking picture is left out of a course of its own; the step that was best for all ends the last course."""
    pairs = list(zip(pupils.split.checked, pupils.checked, strict=True))
    courses = len(pairs) + 1
    records = []
    for index, (picture, example) in enumerate(pairs):
        begin = partial(make, pupils.without(picture.pixels), [example])
        records.append(runs.run(begin, partial(_measured, stops), tell(index, courses)))
    weights = pupils.weights()
    step = agreed_step(records, weights)
    if not step:
        raise _ran_away()
    last = tell(len(pairs), courses)
    seen = {at: mean_loss(records, weights, at) for record in records for at in record.looks}

    def with_held_out(at: int, losses: dict[str, float] | None, _: float | None) -> None:
        last(at, losses, seen.get(at))

    last(0, None, seen[0])
    record = runs.run(partial(make, pupils.without(None), ()), partial(_gone_to, step), with_held_out)
    assert record.best_head is not None, "the last course ends with a head"
    return Outcome(record.best_head, step, joined(records, weights, 0), joined(records, weights, step))


def joined(records: Sequence[Record], weights: Sequence[float], step: int) -> Look:
    """What several courses say at a step, each about its own picture."""
    import torch

    looks = [look_before(record, step) for record in records]
    scores = [look.global_scores for look in looks if look.global_scores is not None]
    return Look(
        loss=mean_loss(records, weights, step),
        branch_maps=torch.cat([look.branch_maps for look in looks]),
        global_scores=torch.cat(scores) if scores else None,
    )


def _followed(stops: Stops, course: Course, record: Record, on_step: OnStep) -> None:
    follow(course, record, stops, on_step)


def _measured(stops: Stops, course: Course, record: Record, on_step: OnStep) -> None:
    follow(course, record, stops, on_step)
    record.best_head = None  # only the looks count; heads of all courses would fill memory and disk


def _gone_to(step: int, course: Course, record: Record, on_step: OnStep) -> None:
    go_to(course, record, step, on_step)


def _ran_away() -> DataError:
    return DataError("The losses grew beyond all bounds at once; check the marked pictures, or teach fewer steps.")
