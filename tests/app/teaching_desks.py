"""Desks whose workers call a stand-in for teaching, and ways to follow and find those workers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from app.services.teaching_jobs import TeachingDesk
from app.store.jobs import Job, TeachRequest
from app.store.workspace import Workspace
from models.registry import DEFAULT_PRESET
from tests.app.fakes import nowhere

PATIENCE_S = 40.0


@contextmanager
def desk(workspace: Workspace, teach: str = "steps") -> Iterator[TeachingDesk]:
    opened = TeachingDesk(workspace, nowhere(), "cpu", teach=f"tests.app.teaching_fakes:{teach}", poll_s=0.02)
    try:
        yield opened
    finally:
        opened.close()


def request(steps: int = 3, seed: int = 0) -> TeachRequest:
    return TeachRequest(preset=DEFAULT_PRESET, steps=steps, seed=seed, author="ann")


def wait_for(found: Callable[[], bool]) -> None:
    give_up_s = time.monotonic() + PATIENCE_S
    while not found():
        assert time.monotonic() < give_up_s, "it did not come about in time"
        time.sleep(0.02)


def ended(workspace: Workspace, job: Job) -> Job:
    wait_for(lambda: not workspace.jobs.get(job.id).is_open)
    return workspace.jobs.get(job.id)


def step_lines(workspace: Workspace, job: Job) -> list[int]:
    path = workspace.jobs.work_folder(job.id) / "steps.txt"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def worker_of(workspace: Workspace, job: Job) -> int:
    """The process id of the worker that is at a job."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if job.id.encode() in words and b"app.services.teaching_worker" in words:
                return int(entry.name)
    raise AssertionError("there is no worker")
