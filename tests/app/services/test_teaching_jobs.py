"""The queue of teaching jobs with real worker processes: order, cancelling, failures, what a worker is given."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from app.store.database import Database
from app.store.jobs import TeachRequest
from app.store.workspace import Workspace
from models.errors import UnknownModelError
from tests.app.teaching_desks import desk, ended, request, step_lines, wait_for, worker_of


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(tmp_path / "workspace") as opened:
        yield opened


def test_a_job_ends_with_a_version_and_the_losses_of_its_steps(workspace: Workspace) -> None:
    with desk(workspace) as teaching:
        job = ended(workspace, teaching.submit(request(steps=3)))
    (version,) = workspace.versions.list()
    assert (job.state, job.version, job.share, job.attempts) == ("done", version.id, 1.0, 1)
    assert job.doing == "version 1 is ready: It got better."
    assert workspace.jobs.losses(job.id) == [
        {"step": 1.0, "image": 1.0, "held_out": 2.0},
        {"step": 2.0, "image": 0.5, "held_out": 1.0},
        {"step": 3.0, "image": pytest.approx(1 / 3), "held_out": pytest.approx(2 / 3)},
    ]


def test_jobs_are_done_one_after_the_other_oldest_first(workspace: Workspace) -> None:
    with desk(workspace) as teaching:
        jobs = [teaching.submit(request(seed=seed)) for seed in (1, 2, 3)]
        done = [ended(workspace, job) for job in jobs]
    for earlier, later in pairwise(done):
        assert earlier.ended_at is not None
        assert later.started_at is not None
        assert earlier.ended_at <= later.started_at
    assert [version.name for version in workspace.versions.list()] == ["version 3", "version 2", "version 1"]


@pytest.mark.slow
def test_two_desks_on_one_workspace_teach_one_at_a_time(workspace: Workspace) -> None:
    with desk(workspace) as first, desk(workspace) as second:
        jobs = [teaching.submit(request(seed=seed)) for seed, teaching in enumerate((first, second, first))]
        done = sorted((ended(workspace, job) for job in jobs), key=lambda job: str(job.started_at))
    assert [(job.state, job.attempts) for job in done] == [("done", 1)] * 3
    assert all(step_lines(workspace, job) == [1, 2, 3] for job in done)
    assert all(str(earlier.ended_at) <= str(later.started_at) for earlier, later in pairwise(done))


def test_a_job_that_waits_is_cancelled_at_once(workspace: Workspace) -> None:
    with workspace.jobs.training(), desk(workspace) as teaching:
        job = teaching.submit(request())
        assert teaching.cancel(job.id).state == "cancelled"
    assert step_lines(workspace, job) == []


def test_a_job_that_runs_is_cancelled_within_a_step(workspace: Workspace) -> None:
    with desk(workspace) as teaching:
        job = teaching.submit(request(steps=1000))
        wait_for(lambda: len(step_lines(workspace, job)) >= 2)
        teaching.cancel(job.id)
        assert ended(workspace, job).state == "cancelled"
    assert workspace.versions.list() == ()
    assert not (workspace.jobs.work_folder(job.id) / "progress.pt").exists()


def test_a_job_whose_worker_is_gone_is_cancelled_without_another(workspace: Workspace) -> None:
    job = workspace.jobs.add(request())
    workspace.jobs.update(job.id, state="running", attempts=1)
    with desk(workspace) as teaching:
        teaching.cancel(job.id)
        cancelled = ended(workspace, job)
    assert (cancelled.state, cancelled.attempts, step_lines(workspace, job)) == ("cancelled", 1, [])


def test_a_refusal_is_the_problem_of_the_job(workspace: Workspace) -> None:
    with desk(workspace, "needless") as teaching:
        job = ended(workspace, teaching.submit(request()))
    assert (job.state, job.attempts) == ("failed", 1)
    assert job.problem == "Nothing is labelled yet; correct some pictures first."


def test_an_error_that_nobody_foresaw_is_told_in_the_log(workspace: Workspace) -> None:
    with desk(workspace, "broken") as teaching:
        job = ended(workspace, teaching.submit(request()))
    log = workspace.jobs.log_path(job.id)
    assert (job.state, job.problem) == (
        "failed",
        f"Teaching met an error that is not its user's; the details are in {log}.",
    )
    assert "ZeroDivisionError: by nothing at all" in log.read_text()


def test_what_cannot_even_begin_is_given_up_after_three_attempts(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = workspace.jobs.add(request())
    with desk(workspace) as teaching:
        monkeypatch.setattr(teaching, "_command", lambda _: [sys.executable, "-c", "raise SystemExit(3)"])
        teaching.start()
        assert ended(workspace, job).state == "stopped"


def test_a_worker_is_nicer_than_the_server(workspace: Workspace) -> None:
    with desk(workspace, "deaf") as teaching:
        job = teaching.submit(request())
        wait_for((workspace.jobs.work_folder(job.id) / "began").exists)
        process = worker_of(workspace, job)
        assert os.getpriority(os.PRIO_PROCESS, process) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 5)


def test_the_address_of_a_database_goes_to_the_worker_in_its_environment_alone(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Database, "address", property(lambda _: "postgresql://ann:secret@host/pictures"))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with desk(workspace) as teaching:
        command, environment = teaching._command(workspace.jobs.add(request())), teaching._environment()
    assert "secret" not in " ".join(command)
    assert environment["ODDITY_DATABASE"] == "postgresql://ann:secret@host/pictures"
    assert environment["OMP_NUM_THREADS"] == str(len(os.sched_getaffinity(0)))


def test_the_file_of_a_workspace_needs_no_address_even_if_the_server_has_one(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ODDITY_DATABASE", "postgresql://somewhere/else")
    with desk(workspace) as teaching:
        assert "ODDITY_DATABASE" not in teaching._environment()


def test_a_preset_that_does_not_exist_is_refused_at_once(workspace: Workspace) -> None:
    with desk(workspace) as teaching, pytest.raises(UnknownModelError, match="no-such"):
        teaching.submit(TeachRequest(preset="no-such"))
    assert workspace.jobs.list() == ()


def test_the_queue_needs_no_torch() -> None:
    code = "import sys, app.services.teaching_jobs, app.services.teaching_worker; print('torch' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
