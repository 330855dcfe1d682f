"""What the Teach tab says of its jobs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.store.jobs import Job, JobState, TeachRequest
from app.ui.teach_job_view import curve_of, job_value, problem_value, shown_job
from models.registry import DEFAULT_PRESET

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def job(number: int, state: JobState, **changes: Any) -> Job:
    made = Job(
        id=f"job {number}",
        request=TeachRequest(preset=DEFAULT_PRESET),
        state=state,
        doing="trains",
        share=0.25,
        version=None,
        problem="",
        created_at=NOON,
        started_at=NOON,
    )
    return replace(made, **changes)


def test_the_running_job_is_shown_and_those_that_wait_are_listed_oldest_first() -> None:
    jobs = [job(4, "queued"), job(3, "queued"), job(2, "running"), job(1, "done")]
    value = job_value(jobs, [], NOON + timedelta(seconds=12.4))
    assert (value["badge"], value["percent"], value["spent"]) == ("Teaching", 25, "12 s")
    assert value["title"] == "VisualAD · DINOv2 ViT-S/14, quick"
    assert [waiting["id"] for waiting in value["waiting"]] == ["job 3", "job 4"]


def test_without_a_running_job_the_next_one_is_shown_and_is_not_listed_twice() -> None:
    jobs = [job(3, "queued"), job(2, "queued", started_at=None), job(1, "done")]
    shown = shown_job(jobs)
    assert shown is not None
    assert shown.id == "job 2"
    assert [waiting["id"] for waiting in job_value(jobs, [])["waiting"]] == ["job 3"]


@pytest.mark.parametrize(
    ("state", "changes", "badge", "doing"),
    [
        ("done", {"doing": "version 2 is ready"}, "Done", "Version 2 is ready"),
        ("failed", {"problem": "Only one picture is labelled."}, "Failed", "Only one picture is labelled."),
        ("stopped", {"problem": "Its worker ended 3 times."}, "Stopped", "Its worker ended 3 times."),
        ("cancelled", {"doing": "cancelled"}, "Cancelled", "Cancelled"),
        ("running", {"cancel_requested": True}, "Cancelling", "Trains"),
    ],
)
def test_a_job_says_in_a_sentence_how_it_is(state: JobState, changes: dict[str, Any], badge: str, doing: str) -> None:
    value = job_value([job(1, state, **changes)], [])
    assert (value["badge"], value["doing"]) == (badge, doing)
    assert value["has_bar"] is (state == "running")


def test_a_job_that_took_long_says_so_in_minutes() -> None:
    ended = job(1, "done", ended_at=NOON + timedelta(seconds=150))
    assert job_value([ended], [])["spent"] == "2.5 min"


def test_without_a_job_the_panel_says_what_teaching_does() -> None:
    value = job_value([], [])
    assert (value["badge"], value["waiting"], value["curve"]) == ("Nothing taught yet", [], None)
    assert "nothing changes until you use it" in value["doing"]


def test_the_curve_reaches_from_the_first_step_to_the_last_and_from_zero_to_the_highest_loss() -> None:
    rows = [
        {"step": 0.0, "pixels": 3.0, "image": 1.0},
        {"step": 1.0, "pixels": 1.5, "image": 0.5, "held_out": 2.0},
        {"step": 2.0, "pixels": 1.0, "image": 0.0, "held_out": 1.0},
    ]
    curve = curve_of(rows)
    assert curve is not None
    # The drawing is 940 wide with its axes from 40 to 932 and from 128 (zero) up to 8 (the highest loss, 4).
    assert curve["lines"][0]["points"] == "40.0,8.0 486.0,68.0 932.0,98.0"
    assert curve["lines"][1]["points"] == "486.0,68.0 932.0,98.0"
    assert [tick["text"] for tick in curve["ticks"]] == ["0", "2", "4"]
    assert (curve["first"], curve["last"]) == ("step 0", "step 2")
    assert curve["dots"] == [{"x": 486.0, "y": 68.0}, {"x": 932.0, "y": 98.0}]


def test_a_total_among_the_losses_is_not_added_to_its_parts() -> None:
    rows = [{"step": 0.0, "pixels": 3.0, "image": 1.0, "total": 4.0}, {"step": 1.0, "pixels": 1.0, "total": 1.0}]
    curve = curve_of(rows)
    assert curve is not None
    assert [tick["text"] for tick in curve["ticks"]][-1] == "4"


@pytest.mark.parametrize("rows", [[], [{"step": 1.0, "pixels": 2.0}], [{"step": 1.0, "held_out": 2.0}] * 2])
def test_without_two_steps_there_is_no_curve(rows: list[dict[str, float]]) -> None:
    assert curve_of(rows) is None


def test_losses_that_are_not_numbers_are_left_out_of_the_curve() -> None:
    rows = [{"step": 0.0, "a": 2.0}, {"step": 1.0, "a": float("nan")}, {"step": 2.0, "a": 1.0}]
    curve = curve_of(rows)
    assert curve is not None
    assert curve["lines"][0]["points"] == "40.0,8.0 932.0,68.0"


def test_what_cannot_be_known_is_said_in_the_panel() -> None:
    value = problem_value("The disk is gone.")
    assert (value["tone"], value["doing"]) == ("failed", "The disk is gone.")
