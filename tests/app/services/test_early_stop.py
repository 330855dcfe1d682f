from __future__ import annotations

from typing import Any

import torch

from app.services.early_stop import Record, Stops, agreed_step, follow, go_to, mean_loss
from app.services.teaching_course import Look


class FakeCourse:
    """Its loss follows a list, one entry a step."""

    def __init__(self, losses: list[float]) -> None:
        self.losses = losses
        self.step = 0

    def take_step(self) -> dict[str, float]:
        self.step += 1
        return {"total": self.losses[self.step]}

    def look(self) -> Look:
        return Look(self.losses[self.step], torch.full((1, 1, 1, 2, 2), float(self.step)), None)

    def head(self) -> dict[str, torch.Tensor]:
        return {"step": torch.tensor(self.step)}

    def state(self) -> dict[str, object]:
        return {"step": self.step}

    def restore(self, state: dict[str, object]) -> None:
        self.step = int(str(state["step"]))


def followed(losses: list[float], **stops: Any) -> tuple[FakeCourse, Record]:
    course, record = FakeCourse(losses), Record()
    follow(course, record, Stops(**stops), lambda *_: None)
    return course, record


def test_the_best_head_is_kept_and_patience_ends_the_course() -> None:
    course, record = followed([5, 4, 3, 4, 5, 6, 1], steps=6, every=1, patience=2)

    assert (course.step, record.best_step) == (4, 2)
    assert record.best_head == {"step": torch.tensor(2)}


def test_it_looks_every_few_steps_and_after_the_last_one() -> None:
    _, record = followed([5, 4, 3, 2, 1, 0.5], steps=5, every=2, patience=9)

    assert list(record.looks) == [0, 2, 4, 5]


def test_where_the_parent_is_best_the_best_of_the_taught_is_kept_to_look_at() -> None:
    _, record = followed([1, 4, 3, 5], steps=3, every=1, patience=9)

    assert record.best_step == 2
    assert record.best_head == {"step": torch.tensor(2)}


def test_a_course_that_runs_away_keeps_what_it_had() -> None:
    course, record = followed([5, 4, float("nan"), 1], steps=3, every=1, patience=9)

    assert (course.step, record.best_step) == (2, 1)


def test_several_courses_agree_on_the_step_with_the_lowest_weighted_mean() -> None:
    early = followed([5, 1, 3, 3, 3], steps=4, every=1, patience=2)[1]  # ended at step 3
    late = followed([5, 4, 2, 1, 0.5], steps=4, every=1, patience=2)[1]

    assert mean_loss([early, late], [0.5, 0.5], 4) == 0.5 * 3 + 0.5 * 0.5
    assert agreed_step([early, late], [0.5, 0.5]) == 4
    assert agreed_step([early, late], [0.9, 0.1]) == 1


def test_a_course_can_go_to_a_step_without_looking() -> None:
    course, record = FakeCourse([5, 4, 3, 2]), Record()
    go_to(course, record, 2, lambda *_: None)

    assert record.best_head == {"step": torch.tensor(2)}
    assert record.looks == {}


def test_a_record_survives_its_file() -> None:
    _, record = followed([5, 4, 3], steps=2, every=1, patience=9)
    again = Record.from_values(record.as_values())

    assert again.best_step == 2
    assert again.looks[1].loss == 4
    assert again.best_head == record.best_head
