"""The teaching jobs of a workspace: what was asked for, how far it is, and one lock for whoever trains.

Everything is a file, replaced whole, so that a page, a worker and the command line see the same, whoever of them is
killed.  Threads and processes may use one folder at once.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from app.store.blobs import PART_SUFFIX, write_file_whole
from app.store.errors import StoreError, busy_sentence, read_only_failure, write_failure
from app.store.file_lock import FileLock
from app.store.job_records import OPEN, Job, JobState, Standing, TeachRequest

__all__ = ["Job", "JobFolder", "JobState", "TeachRequest"]

LossRows = list[dict[str, float]]
_REQUEST: Final = "job.json"
_STATE: Final = "state.json"
_LOSSES: Final = "losses.csv"
_CANCEL: Final = "cancel"
_WAIT_S: Final = 30.0
LOOK_S: Final = 1.0  # whoever only looks whether someone trains has the lock for less than that
TRAINING: Final = "Another training runs in this workspace; wait for its end, or cancel it."


class JobFolder:
    """The jobs of one workspace."""

    def __init__(self, folder: Path, *, read_only: bool = False) -> None:
        """Prepare; the folder is made with the first job.

        Args:
            folder: where the jobs and what they share lie.
            read_only: refuse every change.
        """
        self.folder = folder
        self.read_only = read_only
        self._ended: dict[tuple[str, int], Job] = {}  # jobs as they were when their state was written

    @property
    def features_folder(self) -> Path:
        """Where cached features lie that all jobs share."""
        return self.folder / "features"

    def work_folder(self, job_id: str) -> Path:
        """Where a job keeps its files, progress.pt among them."""
        return self.folder / "jobs" / job_id

    def log_path(self, job_id: str) -> Path:
        """What a job's worker had to say."""
        return self.work_folder(job_id) / "log.txt"

    def training_lock(self) -> FileLock:
        """The lock of whoever trains in this workspace: a job's worker, or the command line."""
        return FileLock(self.folder / "lock")

    def is_training(self) -> bool:
        """Whether someone holds that lock now."""
        if not (self.folder / "lock").exists():
            return False
        lock = self.training_lock()
        taken = self.read_only or lock.try_acquire()  # what may only be read cannot be asked, and starts nothing
        lock.release()
        return not taken

    @contextmanager
    def training(self, wait_s: float = LOOK_S) -> Iterator[None]:
        """Hold the lock of whoever trains.

        Args:
            wait_s: how long to wait for it.
        Raises:
            StoreError: another one trains, or the folder cannot be written.
        """
        self.require_writable()
        with self.training_lock().held(wait_s, TRAINING):
            yield

    def add(self, request: TeachRequest) -> Job:
        """Put a request at the end of the queue.

        Raises:
            StoreError: the workspace cannot be written.
        """
        self.require_writable()
        now = datetime.now(UTC)
        job_id = f"{now:%Y%m%d-%H%M%S-%f}-{uuid.uuid4().hex[:6]}"
        folder = self.work_folder(job_id)
        part = folder.with_name(f".{job_id}{PART_SUFFIX}")
        try:
            for above in (self.folder, folder.parent, part):
                above.mkdir(exist_ok=above is not part)
            _write_json(part / _REQUEST, {"created_at": now.isoformat(), "request": request.as_json()})
            _write_json(part / _STATE, Standing().as_json())
            part.rename(folder)
        except OSError as error:
            shutil.rmtree(part, ignore_errors=True)
            raise write_failure(self.folder, error) from error
        return self.get(job_id)

    def get(self, job_id: str) -> Job:
        """A job as it stands.

        Raises:
            StoreError: there is none, or its files are damaged.
        """
        folder = self.work_folder(job_id)
        if Path(job_id).name != job_id or not (folder / _REQUEST).is_file():
            raise StoreError(f"There is no job {job_id!r}; it may have been deleted.")
        try:
            asked = json.loads((folder / _REQUEST).read_text(encoding="utf-8"))
            standing = Standing.from_json(json.loads((folder / _STATE).read_text(encoding="utf-8")))
            return Job(
                id=job_id,
                request=TeachRequest.from_json(asked["request"]),
                created_at=datetime.fromisoformat(asked["created_at"]).astimezone(UTC),
                cancel_requested=self.is_cancelled(job_id),
                **{field.name: getattr(standing, field.name) for field in fields(Standing)},
            )
        except OSError as error:
            raise StoreError(f"The job {folder} cannot be read ({error.strerror}); check its permissions.") from error
        except (ValueError, TypeError, KeyError) as error:
            raise StoreError(f"The job {folder} is damaged; delete that folder.") from error

    def list(self) -> tuple[Job, ...]:
        """All jobs, newest first; damaged ones are left out."""
        found = []
        for path in sorted((self.folder / "jobs").glob(f"*/{_STATE}"), reverse=True):
            job_id = path.parent.name
            if job_id.startswith("."):
                continue
            try:
                written_ns = path.stat().st_mtime_ns  # before it is read: what is written meanwhile is read again
                job = self._ended.get((job_id, written_ns)) or self.get(job_id)
            except (StoreError, OSError):
                continue
            if not job.is_open:
                self._ended[job_id, written_ns] = job
            found.append(job)
        return tuple(found)

    def waiting(self) -> tuple[Job, ...]:
        """Those that run or wait: one that runs, or was cut off, first, then oldest first."""
        waiting = [job for job in reversed(self.list()) if job.is_open]
        return tuple(sorted(waiting, key=lambda job: job.state != "running"))

    def update(self, job_id: str, *, when: Collection[JobState] | None = None, **changes: Any) -> Job:
        """Change how far a job is.

        Args:
            job_id: which one.
            when: only if it is in one of these states; None = in any.
            changes: fields of `Standing`: state, doing, share, version, problem, started_at, ended_at, attempts.
        Returns:
            The job afterwards, changed or not.
        Raises:
            StoreError: there is no such job, or it cannot be written.
        """
        with self._locked():
            job = self.get(job_id)
            if when is not None and job.state not in when:
                return job
            old = Standing(**{field.name: getattr(job, field.name) for field in fields(Standing)})
            new = replace(old, **changes)
            if new.state not in OPEN and old.state in OPEN and new.ended_at is None:
                new = replace(new, ended_at=datetime.now(UTC))
            try:
                _write_json(self.work_folder(job_id) / _STATE, new.as_json())
            except OSError as error:
                raise write_failure(self.folder, error) from error
            return self.get(job_id)

    def request_cancel(self, job_id: str) -> Job:
        """Ask a job to stop; one that waits is cancelled at once, one that runs as soon as its worker sees it.

        Raises:
            StoreError: there is no such job, or the workspace cannot be written.
        """
        self.require_writable()
        if not self.get(job_id).is_open:
            return self.get(job_id)
        try:
            (self.work_folder(job_id) / _CANCEL).touch()
        except OSError as error:
            raise write_failure(self.folder, error) from error
        return self.update(job_id, when={"queued"}, state="cancelled", doing="cancelled before it began")

    def is_cancelled(self, job_id: str) -> bool:
        """Whether someone asked the job to stop."""
        return (self.work_folder(job_id) / _CANCEL).exists()

    def resume(self, job_id: str) -> Job:
        """Put a job that stopped, failed or was cancelled back into the queue; it goes on from its last checkpoint.

        Raises:
            StoreError: there is no such job, or the workspace cannot be written.
        """
        self.require_writable()
        (self.work_folder(job_id) / _CANCEL).unlink(missing_ok=True)
        return self.update(
            job_id,
            when={"stopped", "failed", "cancelled"},
            state="queued",
            doing="waits for its turn",
            problem="",
            attempts=0,
            ended_at=None,
        )

    def add_losses(self, job_id: str, step: int, values: Mapping[str, float]) -> None:
        """Note numbers of a step; a step that is done again after a restart replaces them.

        Raises:
            OSError: they cannot be written.
        """
        path = self.work_folder(job_id) / _LOSSES
        with path.open("a+b") as file:
            end = file.seek(0, os.SEEK_END)
            if end and _last_byte(path) != b"\n":
                file.write(b"\n")  # a writer was killed within a line
            file.write("".join(f"{step},{name},{value!r}\n" for name, value in values.items()).encode())

    def losses(self, job_id: str) -> LossRows:
        """The numbers of each step, in order: "step", the losses by name, and "held_out" where it was measured."""
        try:
            text = (self.work_folder(job_id) / _LOSSES).read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        steps: dict[int, dict[str, float]] = {}
        for line in text.split("\n")[:-1]:
            parts = line.split(",")
            try:
                step, name, value = int(parts[0]), parts[1], float(parts[2])
            except (ValueError, IndexError):  # cut off when its writer was killed
                continue
            steps.setdefault(step, {"step": float(step)})[name] = value
        return [steps[step] for step in sorted(steps)]

    def require_writable(self) -> None:
        """Refuse to change what may only be read.

        Raises:
            StoreError: it may only be read.
        """
        if self.read_only:
            raise read_only_failure(self.folder)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with FileLock(self.folder / "state.lock").held(_WAIT_S, busy_sentence(self.folder)):
            yield


def _last_byte(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read()


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    write_file_whole(path, (json.dumps(values, indent=1) + "\n").encode())
