"""Teaching in the background: a queue of jobs, one worker process at a time, whatever ends in between.  No torch.

All state lies in the workspace's `JobFolder`.  Whether a worker lives is known by the training lock that it holds, so
a server that was killed and started again finds a worker that goes on (and waits for it), or a job that was cut off
(and starts a worker that resumes from its last checkpoint).
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Final

from app.services.teaching_worker import BUSY, TEACH
from app.store.jobs import Job, TeachRequest
from app.store.workspace import Workspace
from models.registry import get_preset
from models.weights import WeightsLocation

MOST_ATTEMPTS: Final = 3
_ROOT: Final = Path(__file__).resolve().parents[2]
_POLL_S: Final = 0.25
_AFTER_TROUBLE_S: Final = 5.0
_GRACE_S: Final = 10.0

_log = logging.getLogger(__name__)


class TeachingDesk:
    """Takes requests and sees to it that they are worked on, oldest first; shared by all visitors."""

    def __init__(
        self,
        workspace: Workspace,
        where: WeightsLocation,
        device: str = "auto",
        *,
        teach: str = TEACH,
        poll_s: float = _POLL_S,
    ) -> None:
        """Prepare; nothing is started.

        Args:
            workspace: what is taught from, and where the jobs are.
            where: where weights may come from.
            device: one of `app.config.DEVICES`.
            teach: "module:function" that a worker calls.
            poll_s: how often it is looked whether a worker has ended.
        """
        self.workspace = workspace
        self.where = where
        self.device = device
        self._teach = teach
        self._poll_s = poll_s
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._worker: tuple[subprocess.Popen[bytes], Job] | None = None
        self._is_closed = False

    def submit(self, request: TeachRequest) -> Job:
        """Put a request into the queue; it begins as soon as nothing else is taught.

        Raises:
            UnknownModelError: there is no such preset.
            StoreError: the workspace cannot be written.
        """
        get_preset(request.preset)
        job = self.workspace.jobs.add(request)
        self.start()
        return job

    def cancel(self, job_id: str) -> Job:
        """Ask a job to stop; one that runs ends within a step or two.

        Raises:
            StoreError: there is no such job, or the workspace cannot be written.
        """
        job = self.workspace.jobs.request_cancel(job_id)
        self.start()
        return job

    def resume(self, job_id: str) -> Job:
        """Put a job that stopped, failed or was cancelled back into the queue.

        Raises:
            StoreError: there is no such job, or the workspace cannot be written.
        """
        job = self.workspace.jobs.resume(job_id)
        self.start()
        return job

    def jobs(self) -> tuple[Job, ...]:
        """All jobs, newest first."""
        return self.workspace.jobs.list()

    def start(self) -> None:
        """Work on what waits, in the background; where nothing waits, nothing happens."""
        if self.workspace.read_only:
            return
        with self._lock:
            if self._is_closed or not self.workspace.jobs.waiting():
                return
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="teaching", daemon=True)
                self._thread.start()
        self._wake.set()

    def close(self) -> None:
        """Stop; a worker of this desk is ended, and its job goes on at the next start."""
        with self._lock:
            self._is_closed = True
            thread = self._thread
        self._wake.set()
        if thread is not None:
            thread.join()
        if self._worker is not None:
            process, _ = self._worker
            process.terminate()
            try:
                process.wait(_GRACE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            self._worker = None

    def _run(self) -> None:
        while not self._is_closed:
            wait_s = self._poll_s
            try:
                self._step()
                with self._lock:
                    if self._worker is None and not self.workspace.jobs.waiting():
                        self._thread = None
                        return
            except Exception:  # noqa: BLE001 - a thread has no caller, and the queue must go on
                _log.exception("the teaching queue met an error")
                wait_s = _AFTER_TROUBLE_S
                if not self.workspace.folder.is_dir():
                    with self._lock:
                        self._thread = None
                        return
            self._wake.wait(wait_s)
            self._wake.clear()

    def _step(self) -> None:
        """Look after the worker, or start one."""
        if self._worker is not None:
            process, job = self._worker
            if process.poll() is None:
                return
            self._worker = None
            now = self.workspace.jobs.get(job.id)
            if now.is_open and now.attempts == job.attempts and process.returncode not in (BUSY, 0):
                self.workspace.jobs.update(job.id, attempts=job.attempts + 1)  # it ended before it could count itself
        if self._is_closed:
            return
        lock = self.workspace.jobs.training_lock()
        if not lock.try_acquire():  # a worker of a server that was killed, another server's, or the command line
            return
        try:
            next_job = self._next()
        finally:
            lock.release()  # the worker takes it
        if next_job is not None:
            self._worker = (self._start_worker(next_job), next_job)

    def _next(self) -> Job | None:
        """The job to begin or to go on with; jobs that need no worker any more are settled.  No worker lives now."""
        jobs = self.workspace.jobs
        for job in jobs.waiting():
            if job.cancel_requested:
                jobs.update(job.id, state="cancelled", doing="cancelled")
            elif job.attempts >= MOST_ATTEMPTS:
                problem = (
                    f"Its worker ended {job.attempts} times before it was done, killed or out of memory; the last "
                    f"checkpoint is kept, and what was said is in {jobs.log_path(job.id)}."
                )
                jobs.update(job.id, state="stopped", doing="stopped", problem=problem)
            else:
                return job
        return None

    def _start_worker(self, job: Job) -> subprocess.Popen[bytes]:
        with self.workspace.jobs.log_path(job.id).open("ab") as log:
            return subprocess.Popen(
                self._command(job),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment(),
                start_new_session=True,  # Ctrl+C is for the server, which ends its worker in order
            )

    def _command(self, job: Job) -> list[str]:
        command = [sys.executable, "-P", "-m", "app.services.teaching_worker"]
        command += [str(self.workspace.folder.absolute()), job.id, "--device", self.device, "--teach", self._teach]
        command += ["--weights-dir", str(self.where.weights_dir.absolute())]
        if self.where.allow_hub:
            command.append("--allow-hub")
        if self.where.backbone_path is not None:
            command += ["--backbone-weights", str(self.where.backbone_path.absolute())]
        if self.where.head_path is not None:
            command += ["--checkpoint", str(self.where.head_path.absolute())]
        return command

    def _environment(self) -> dict[str, str]:
        """The address of a database may hold a password, and a command line can be read by everyone."""
        environment = {name: value for name, value in os.environ.items() if name != "ODDITY_DATABASE"}
        address = self.workspace.database.address
        if address is not None:
            environment["ODDITY_DATABASE"] = address
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_ROOT), environment.get("PYTHONPATH")]))
        environment.setdefault("OMP_NUM_THREADS", str(_cores()))  # torch's threads
        return environment


def _cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
