"""Teaching jobs as files: the queue's order, their states, losses that survive a kill, and the lock of who trains."""

from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.store.errors import StoreError
from app.store.job_records import Standing
from app.store.jobs import JobFolder, TeachRequest
from app.store.workspace import Workspace
from tests.app.store.making import fail_writes, files_below

REQUEST = TeachRequest(preset="visualad-dinov2-small")


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[JobFolder]:
    with Workspace.open(tmp_path / "workspace") as workspace:
        yield workspace.jobs


def test_a_request_comes_back_as_it_was_asked_for(jobs: JobFolder) -> None:
    request = TeachRequest(
        preset="daclip-compact",
        mode="full",
        author="Zoë",
        steps=7,
        image_px=518,
        replay_folder="/pictures of ours",
        flips=True,
        rule={"kind": "false_alarms", "rate": 0.05},
        seed=3,
        activate=True,
    )
    job = jobs.get(jobs.add(request).id)
    assert job.request == request
    assert (job.state, job.share, job.version, job.attempts, job.doing) == (
        "queued",
        0.0,
        None,
        0,
        "waits for its turn",
    )


@pytest.mark.parametrize("values", [{}, {"preset": 5}, {"preset": "x", "mode": "slow"}])
def test_what_is_no_request_is_not_read_as_one(values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="no request"):
        TeachRequest.from_json(values)


def test_the_queue_is_oldest_first_after_what_was_cut_off_and_the_list_newest_first(jobs: JobFolder) -> None:
    first, second, third = (jobs.add(REQUEST).id for _ in range(3))
    jobs.update(second, state="running")
    done = jobs.add(REQUEST).id
    jobs.update(done, state="done")
    assert [job.id for job in jobs.waiting()] == [second, first, third]
    assert [job.id for job in jobs.list()] == [done, third, second, first]


def test_a_job_that_ends_says_when(jobs: JobFolder) -> None:
    job = jobs.add(REQUEST)
    assert jobs.update(job.id, state="running", doing="learns").ended_at is None
    ended = jobs.update(job.id, state="failed", problem="It failed.")
    assert ended.ended_at is not None
    assert ended.ended_at >= job.created_at
    assert (ended.doing, ended.problem) == ("learns", "It failed.")


def test_a_change_is_made_only_in_the_states_it_is_for(jobs: JobFolder) -> None:
    job = jobs.add(REQUEST)
    jobs.update(job.id, state="cancelled")
    assert jobs.update(job.id, when={"running"}, share=0.5).share == 0.0


def test_a_job_that_waits_is_cancelled_and_one_that_runs_is_asked_to_stop(jobs: JobFolder) -> None:
    waits, runs, is_done = (jobs.add(REQUEST) for _ in range(3))
    jobs.update(runs.id, state="running")
    jobs.update(is_done.id, state="done")
    assert jobs.request_cancel(waits.id).state == "cancelled"
    asked = jobs.request_cancel(runs.id)
    assert (asked.state, asked.cancel_requested) == ("running", True)
    assert jobs.request_cancel(is_done.id).cancel_requested is False


def test_resuming_forgets_the_cancellation_and_the_attempts(jobs: JobFolder) -> None:
    job = jobs.add(REQUEST)
    jobs.request_cancel(job.id)
    jobs.update(job.id, attempts=3)
    resumed = jobs.resume(job.id)
    assert (resumed.state, resumed.attempts, resumed.cancel_requested, resumed.ended_at) == ("queued", 0, False, None)


def test_the_list_sees_a_job_that_goes_on_after_its_end(jobs: JobFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    job = jobs.add(REQUEST)
    jobs.update(job.id, state="failed")
    assert [one.state for one in jobs.list()] == ["failed"]
    monkeypatch.setattr(jobs, "get", lambda _: pytest.fail("a job that ended was read twice"))
    assert [one.state for one in jobs.list()] == ["failed"]
    monkeypatch.undo()
    jobs.resume(job.id)
    assert [one.state for one in jobs.list()] == ["queued"]


def test_losses_are_read_step_by_step_and_a_step_done_again_counts_once(jobs: JobFolder) -> None:
    job = jobs.add(REQUEST)
    assert jobs.losses(job.id) == []
    jobs.add_losses(job.id, 1, {"image": 0.5, "held_out": 0.75})
    jobs.add_losses(job.id, 2, {"image": 0.25})
    jobs.add_losses(job.id, 2, {"image": 0.125})
    assert jobs.losses(job.id) == [{"step": 1.0, "image": 0.5, "held_out": 0.75}, {"step": 2.0, "image": 0.125}]


def test_a_line_that_was_cut_off_is_left_out_and_spoils_no_later_one(jobs: JobFolder) -> None:
    job = jobs.add(REQUEST)
    jobs.add_losses(job.id, 1, {"image": 0.5})
    with (jobs.work_folder(job.id) / "losses.csv").open("a") as file:
        file.write("2,im")
    assert jobs.losses(job.id) == [{"step": 1.0, "image": 0.5}]
    jobs.add_losses(job.id, 2, {"image": 0.25})
    assert jobs.losses(job.id) == [{"step": 1.0, "image": 0.5}, {"step": 2.0, "image": 0.25}]


def test_a_damaged_job_is_told_of_and_keeps_the_others_in_the_list(jobs: JobFolder) -> None:
    damaged, whole = jobs.add(REQUEST), jobs.add(REQUEST)
    (jobs.work_folder(damaged.id) / "state.json").write_text("{")
    assert [job.id for job in jobs.list()] == [whole.id]
    with pytest.raises(StoreError, match="is damaged; delete that folder"):
        jobs.get(damaged.id)


@pytest.mark.parametrize("job_id", ["20260101-000000-000000-abcdef", "../jobs", "", "."])
def test_a_job_that_is_not_there_is_a_sentence(jobs: JobFolder, job_id: str) -> None:
    jobs.add(REQUEST)
    with pytest.raises(StoreError, match="There is no job"):
        jobs.get(job_id)


def test_a_full_disk_leaves_no_part_of_a_job(jobs: JobFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    job = jobs.add(REQUEST)
    before = files_below(jobs.folder)
    fail_writes(monkeypatch, errno.ENOSPC)
    with pytest.raises(StoreError, match="The disk of .* is full"):
        jobs.add(REQUEST)
    with pytest.raises(StoreError, match="The disk of .* is full"):
        jobs.update(job.id, state="running")
    assert files_below(jobs.folder) - {"state.lock"} == before
    assert jobs.get(job.id).state == "queued"


def test_a_read_only_workspace_takes_no_job(tmp_path: Path) -> None:
    jobs = JobFolder(tmp_path / "teaching", read_only=True)
    changes: list[Callable[[], object]] = [
        lambda: jobs.add(REQUEST),
        lambda: jobs.request_cancel("x"),
        lambda: jobs.resume("x"),
    ]
    for change in changes:
        with pytest.raises(StoreError, match="may not be written by this user; change its permissions, or work on a"):
            change()
    assert jobs.list() == ()
    assert not jobs.is_training()
    assert not jobs.folder.exists()


def test_one_at_a_time_trains(jobs: JobFolder) -> None:
    assert not jobs.is_training()
    with jobs.training():
        assert jobs.is_training()
        another = jobs.training()
        with pytest.raises(StoreError, match="Another training runs in this workspace; wait for its end, or cancel it"):
            another.__enter__()
    assert not jobs.is_training()


HOLD = """
import sys, time
from pathlib import Path
from app.store.jobs import JobFolder
with JobFolder(Path(sys.argv[1])).training():
    print("held", flush=True)
    time.sleep(600)
"""


def test_the_lock_of_a_process_that_is_killed_comes_free(jobs: JobFolder) -> None:
    jobs.add(REQUEST)
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(jobs.folder)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    assert jobs.is_training()
    holder.kill()
    holder.wait()
    assert not jobs.is_training()


def test_a_standing_of_an_unknown_state_is_refused() -> None:
    with pytest.raises(ValueError, match="no state of a job: 'odd'"):
        Standing.from_json({"state": "odd"})
