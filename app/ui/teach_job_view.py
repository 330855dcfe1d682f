"""From jobs to what the job panel shows: state, progress, the curve of the losses as a drawing, what waits."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from app.store.jobs import Job, TeachRequest
from models.registry import PRESETS

_BADGES: Final = {
    "queued": "Waiting",
    "running": "Teaching",
    "done": "Done",
    "cancelled": "Cancelled",
    "stopped": "Stopped",
    "failed": "Failed",
}
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 940, 150, 40, 932, 8, 128
_HELD_OUT: Final = "held_out"
_STEP: Final = "step"
_TOTAL: Final = "total"

Losses = Sequence[Mapping[str, float]]


def shown_job(jobs: Sequence[Job]) -> Job | None:
    """The job that the panel is about: the running one, else the next that waits, else the newest.

    Args:
        jobs: newest first.
    """
    running = [job for job in jobs if job.state == "running"]
    waiting = [job for job in jobs if job.state == "queued"]
    return next(iter([*running, *reversed(waiting), *jobs]), None)


def job_value(jobs: Sequence[Job], losses: Losses, now: datetime | None = None) -> dict[str, Any]:
    """What the job panel shows.

    Args:
        jobs: all of the workspace, newest first.
        losses: of the shown one.
        now: the time; None = of the clock.
    """
    job = shown_job(jobs)
    if job is None:
        return {
            "tone": "none", "badge": "Nothing taught yet", "title": "", "spent": "", "has_bar": False, "percent": 0,
            "doing": "Press Teach: a new version is made beside the one in use, and nothing changes until you use it.",
            "curve": None, "waiting": [],
        }  # fmt: skip
    others = [other for other in reversed(jobs) if other.state == "queued" and other.id != job.id]
    return {
        "tone": job.state,
        "badge": "Cancelling" if job.is_open and job.cancel_requested else _BADGES[job.state],
        "title": title_of(job.request),
        "spent": _spent(job, now or datetime.now(UTC)),
        "doing": doing_of(job),
        "has_bar": job.is_open,
        "percent": round(100 * min(1.0, max(0.0, job.share))),
        "curve": curve_of(losses),
        "waiting": [{"id": other.id, "title": title_of(other.request)} for other in others],
    }


def title_of(request: TeachRequest) -> str:
    """Which job: the preset and the mode."""
    preset = PRESETS.get(request.preset)
    return f"{request.preset if preset is None else preset.title}, {request.mode}"


def doing_of(job: Job) -> str:
    """One sentence on a job: what it does, or how it ended."""
    text = (job.problem if not job.is_open else "") or job.doing
    return text[:1].upper() + text[1:]


def problem_value(problem: str) -> dict[str, Any]:
    """What the job panel shows when it cannot tell how the jobs are."""
    return {**job_value([], []), "tone": "failed", "badge": "Not known", "doing": problem}


def curve_of(losses: Losses) -> dict[str, Any] | None:
    """The losses as lines of a drawing, from 0 up; None as long as there are no two steps."""
    training = _points(losses, _total)
    held_out = _points(losses, lambda row: row.get(_HELD_OUT))
    points = training + held_out
    if len(training) < 2:
        return None
    first, last = min(x for x, _ in points), max(x for x, _ in points)
    highest = max(y for _, y in points) or 1.0

    def at(x: float, y: float) -> tuple[float, float]:
        along = (x - first) / max(last - first, 1.0)
        return round(_LEFT + along * (_RIGHT - _LEFT), 1), round(_BOTTOM - y / highest * (_BOTTOM - _TOP), 1)

    def line(kind: str, of: list[tuple[float, float]]) -> dict[str, str]:
        return {"kind": kind, "points": " ".join(f"{x},{y}" for x, y in (at(*point) for point in of))}

    lines = [line("training", training), *([line("held-out", held_out)] if held_out else [])]
    return {
        "width": _WIDTH, "height": _HEIGHT, "left": _LEFT, "right": _RIGHT,
        "title": f"Loss from step {first:.0f} to {last:.0f}: {training[0][1]:.3g} at first, {training[-1][1]:.3g} now",
        "first": f"step {first:.0f}", "last": f"step {last:.0f}",
        "ticks": [{"y": at(first, part * highest)[1], "text": f"{part * highest:.2g}"} for part in (0.0, 0.5, 1.0)],
        "lines": lines,
        "dots": [dict(zip("xy", at(*point), strict=True)) for point in held_out],
    }  # fmt: skip


def _points(losses: Losses, of: Callable[[Mapping[str, float]], float | None]) -> list[tuple[float, float]]:
    """The steps with a number, and the numbers; a loss that ran away has no place on the drawing."""
    found = [(float(row[_STEP]), of(row)) for row in losses]
    return [(step, value) for step, value in found if value is not None and math.isfinite(value)]


def _total(row: Mapping[str, float]) -> float | None:
    """What is minimised: the sum of the losses."""
    if _TOTAL in row:
        return row[_TOTAL]
    parts = [value for name, value in row.items() if name not in (_STEP, _HELD_OUT)]
    return sum(parts) if parts else None


def _spent(job: Job, now: datetime) -> str:
    """How long it has been at work, or took."""
    if job.started_at is None:
        return ""
    seconds = max(0.0, ((job.ended_at or now) - job.started_at).total_seconds())
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
