"""Teaching goes on after workers and servers are killed: resumed, waited for, or stopped with a sentence."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.store.jobs import Job
from app.store.workspace import Workspace
from models.registry import DEFAULT_PRESET
from tests.app.teaching_desks import desk, ended, request, step_lines, wait_for, worker_of


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(tmp_path / "workspace") as opened:
        yield opened


def test_a_worker_that_is_killed_is_followed_by_one_that_goes_on_from_its_progress(workspace: Workspace) -> None:
    with desk(workspace) as teaching:
        job = teaching.submit(request(steps=25))
        wait_for(lambda: len(step_lines(workspace, job)) >= 5)
        os.kill(worker_of(workspace, job), signal.SIGKILL)
        done = ended(workspace, job)
    steps = step_lines(workspace, job)
    assert (done.state, done.attempts) == ("done", 2)
    assert sorted(set(steps)) == list(range(1, 26))
    assert len(steps) <= 26  # at most the step within which it was killed was done again
    assert [row["step"] for row in workspace.jobs.losses(job.id)] == list(range(1, 26))


@pytest.mark.slow
def test_a_job_whose_workers_are_killed_three_times_is_stopped_and_keeps_its_progress(workspace: Workspace) -> None:
    with desk(workspace) as teaching:
        job = teaching.submit(request(steps=100_000))
        for count in (1, 2, 3):
            before = len(step_lines(workspace, job))
            wait_for(lambda before=before: len(step_lines(workspace, job)) > before)  # type: ignore[misc]
            assert workspace.jobs.get(job.id).attempts == count
            os.kill(worker_of(workspace, job), signal.SIGKILL)
        stopped = ended(workspace, job)
    assert stopped.state == "stopped"
    assert stopped.problem.startswith("Its worker ended 3 times before it was done, killed or out of memory;")
    assert (workspace.jobs.work_folder(job.id) / "progress.pt").exists()
    assert workspace.versions.list() == ()


def test_a_stopped_job_can_be_resumed(workspace: Workspace) -> None:
    job = workspace.jobs.add(request(steps=3))
    (workspace.jobs.work_folder(job.id) / "progress.pt").write_text("2")
    workspace.jobs.update(job.id, state="stopped", problem="It was killed.", attempts=3)
    with desk(workspace) as teaching:
        teaching.resume(job.id)
        done = ended(workspace, job)
    assert (done.state, done.problem, step_lines(workspace, job)) == ("done", "", [3])


def test_a_desk_that_closes_ends_its_worker_and_the_next_one_goes_on(workspace: Workspace) -> None:
    with desk(workspace) as teaching:
        job = teaching.submit(request(steps=20))
        wait_for(lambda: len(step_lines(workspace, job)) >= 3)
    assert not workspace.jobs.is_training()
    interrupted = workspace.jobs.get(job.id)
    assert (interrupted.state, interrupted.attempts) == ("queued", 0)

    with desk(workspace) as teaching:
        teaching.start()
        assert ended(workspace, job).state == "done"
    assert len(step_lines(workspace, job)) <= 21


SERVER = """
import sys, time
from pathlib import Path
from app.services.teaching_jobs import TeachingDesk
from app.store.jobs import TeachRequest
from app.store.workspace import Workspace
from tests.app.fakes import nowhere
desk = TeachingDesk(Workspace.open(Path(sys.argv[1])), nowhere(), "cpu", teach="tests.app.teaching_fakes:steps")
print(desk.submit(TeachRequest(preset=sys.argv[2], steps=int(sys.argv[3]))).id, flush=True)
time.sleep(600)
"""


@contextmanager
def killed_server(workspace: Workspace, steps: int) -> Iterator[Job]:
    """A job of a server that is killed with SIGKILL once its worker has done some steps."""
    command = [sys.executable, "-c", SERVER, str(workspace.folder), DEFAULT_PRESET, str(steps)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        job = workspace.jobs.get(server.stdout.readline().strip())
        wait_for(lambda: len(step_lines(workspace, job)) >= 3)
        server.kill()
        server.wait()
        yield job
    finally:
        server.kill()


@pytest.mark.slow
def test_after_the_server_and_its_worker_are_killed_a_new_server_resumes_the_job(workspace: Workspace) -> None:
    with killed_server(workspace, steps=60) as job:
        os.kill(worker_of(workspace, job), signal.SIGKILL)
        with desk(workspace) as teaching:
            teaching.start()
            done = ended(workspace, job)
    assert (done.state, done.attempts) == ("done", 2)
    assert len(step_lines(workspace, job)) <= 61


@pytest.mark.slow
def test_a_worker_that_outlives_its_server_is_waited_for_and_not_doubled(workspace: Workspace) -> None:
    with killed_server(workspace, steps=40) as job, desk(workspace) as teaching:
        teaching.start()
        later = teaching.submit(request(seed=1))
        done, after = ended(workspace, job), ended(workspace, later)
    assert (done.state, done.attempts) == ("done", 1)
    assert step_lines(workspace, job) == list(range(1, 41))
    assert done.ended_at is not None
    assert after.started_at is not None
    assert done.ended_at <= after.started_at
