"""The process that teaches: one job from its request, or its last checkpoint, to a new version.

`python -m app.services.teaching_worker FOLDER JOB`, started by `app.services.teaching_jobs`.  The address of a
PostgreSQL database comes in the environment (ODDITY_DATABASE), because it may hold a password.  While it trains it
holds the workspace's training lock, so everyone can see whether it lives.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, Final, Protocol, cast

from app.store.errors import write_failure
from app.store.folder import TEACHING
from app.store.jobs import LOOK_S, JobFolder, TeachRequest
from app.store.versions import Version
from app.store.workspace import Workspace
from models.errors import ExpectedError
from models.weights import WeightsLocation

BUSY: Final = 75  # exit code: another one trains, try again
TEACH: Final = "app.services.finetuning:teach"
PROGRESS_FILE: Final = "progress.pt"
_NICE: Final = 5  # the page goes first
_EVERY_S: Final = 0.3

_log = logging.getLogger(__name__)


class Progress(Protocol):
    """What teaching reports; `app.services.finetuning.TeachProgress`."""

    @property
    def doing(self) -> str:
        """A sentence."""

    @property
    def share(self) -> float:
        """Done of the whole, in [0, 1]."""

    @property
    def step(self) -> int | None:
        """Number of the training step."""

    @property
    def losses(self) -> dict[str, float] | None:
        """By name."""

    @property
    def held_out(self) -> float | None:
        """Loss on what is held out."""


class Teach(Protocol):
    """`app.services.finetuning.teach`."""

    def __call__(
        self,
        workspace: Workspace,
        request: TeachRequest,
        where: WeightsLocation,
        device: str,
        *,
        work_folder: Path,
        report: Callable[[Any], None],
        is_cancelled: Callable[[], bool],
    ) -> Version | None:
        """Teach; None when cancelled."""


class Reporter:
    """Writes what teaching reports: every loss, and now and then how far it is."""

    def __init__(self, jobs: JobFolder, job_id: str, every_s: float = _EVERY_S) -> None:
        self._jobs = jobs
        self._job_id = job_id
        self._every_s = every_s
        self._next_s = 0.0

    def __call__(self, progress: Progress) -> None:
        """Take a report.

        Raises:
            StoreError: the workspace cannot be written any more.
        """
        values = dict(progress.losses or {})
        if progress.held_out is not None:
            values["held_out"] = progress.held_out
        try:
            if progress.step is not None and values:
                self._jobs.add_losses(self._job_id, progress.step, values)
        except OSError as error:
            raise write_failure(self._jobs.folder, error) from error
        if time.monotonic() >= self._next_s:
            self._jobs.update(self._job_id, when={"running"}, doing=progress.doing, share=progress.share)
            self._next_s = time.monotonic() + self._every_s


class _TerminatedError(BaseException):
    """The server stops; the job goes on when it starts again."""


def main(argv: Sequence[str] | None = None) -> int:
    """Work on one job; returns 0 however the job ended, BUSY where another one trains."""
    args = _parse(argv)
    if hasattr(os, "nice"):
        os.nice(_NICE)
    jobs = JobFolder(args.folder / TEACHING)
    lock = jobs.training_lock()
    if not lock.acquire(LOOK_S):
        return BUSY
    try:
        where = WeightsLocation(
            weights_dir=args.weights_dir,
            allow_hub=args.allow_hub,
            backbone_path=args.backbone_weights,
            head_path=args.checkpoint,
        )
        work_on(args.folder, jobs, args.job, where, args.device, args.teach)
    finally:
        lock.release()
    return 0


def work_on(folder: Path, jobs: JobFolder, job_id: str, where: WeightsLocation, device: str, teach: str) -> None:
    """Do a job that waits or was cut off, and note how it ended; the caller holds the training lock.

    Args:
        folder: the workspace's.
        jobs: its jobs.
        job_id: which one.
        where: where weights may come from.
        device: one of `app.config.DEVICES`.
        teach: "module:function" of what teaches.
    """
    job = jobs.get(job_id)
    if not job.is_open:
        return
    logging.basicConfig(filename=jobs.log_path(job_id), level=logging.INFO, format="%(asctime)s %(message)s")
    doing = "starts" if job.attempts == 0 else "goes on from where it was"
    jobs.update(job_id, state="running", doing=doing, started_at=datetime.now(UTC), attempts=job.attempts + 1)
    signal.signal(signal.SIGTERM, _terminate)
    ended: Mapping[str, Any]
    try:
        ended = _teach(folder, jobs, job_id, where, device, teach)
    except _TerminatedError:
        ended = {"state": "queued", "doing": "goes on when the server runs again", "attempts": job.attempts}
    except ExpectedError as error:
        _log.info("failed: %s", error)
        ended = {"state": "failed", "doing": "failed", "problem": str(error)}
    except Exception:  # noqa: BLE001 - a process has no caller; the page says that it failed
        _log.exception("teaching failed")
        problem = f"Teaching met an error that is not its user's; the details are in {jobs.log_path(job_id)}."
        ended = {"state": "failed", "doing": "failed", "problem": problem}
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what is left takes no time
    jobs.update(job_id, **ended)
    if ended["state"] in ("done", "cancelled"):
        (jobs.work_folder(job_id) / PROGRESS_FILE).unlink(missing_ok=True)


def _teach(
    folder: Path, jobs: JobFolder, job_id: str, where: WeightsLocation, device: str, teach: str
) -> Mapping[str, Any]:
    """How the job ended, as changes of its standing."""
    job = jobs.get(job_id)
    module, _, function = teach.partition(":")
    call = cast(Teach, getattr(importlib.import_module(module), function))
    with Workspace.open(folder, os.environ.get("ODDITY_DATABASE"), create=False) as workspace:
        version = call(
            workspace,
            job.request,
            where,
            device,
            work_folder=jobs.work_folder(job_id),
            report=Reporter(jobs, job_id),
            is_cancelled=lambda: jobs.is_cancelled(job_id),
        )
    if version is not None:
        sentence = str(version.metrics.get("sentence", ""))
        doing = f"{version.name} is ready" + (f": {sentence}" if sentence else "")
        return {"state": "done", "doing": doing, "share": 1.0, "version": version.id}
    if jobs.is_cancelled(job_id):
        return {"state": "cancelled", "doing": "cancelled"}
    return {"state": "failed", "doing": "failed", "problem": "Teaching ended without a version; try again."}


def _terminate(_: int, __: FrameType | None) -> None:
    raise _TerminatedError


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m app.services.teaching_worker", description="Work on one job.")
    parser.add_argument("folder", type=Path, help="the workspace's")
    parser.add_argument("job", help="id of the job")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--weights-dir", type=Path, default=Path("weights"))
    parser.add_argument("--allow-hub", action="store_true")
    parser.add_argument("--backbone-weights", type=Path)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--teach", default=TEACH, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
