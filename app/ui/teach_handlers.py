"""What happens when someone teaches, or looks how far it is; plain values in, component values out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import gradio as gr

from app.services.annotating import Annotator
from app.services.teaching_jobs import TeachingDesk
from app.store.jobs import Job, TeachRequest
from app.store.versions import Version
from app.store.workspace import Workspace
from app.ui import teach_job_view, teach_version_views, teach_views
from app.ui.scratch import Scratch
from app.ui.teach_choices import MOST_STEPS, modes_of
from app.ui.teach_version_views import SHIPPED, SHIPPED_TITLE
from models.errors import DataError
from models.registry import get_preset

READ_ONLY: Final = "This workspace may only be read, so nothing can be taught here; open one that can be written to."
DELETE, DELETE_REALLY = "Delete", "Delete for good?"
ENDED_EARLY: Final = ("stopped", "failed", "cancelled")
_LIVE_EVERY_S, _IDLE_EVERY_S = 1.0, 3.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What a page has shown of the workspace; another one than before means that there is more to show."""

    preset: str = ""
    workspace: int = -1  # its version
    versions: tuple[str, ...] = ()  # newest first
    active: str | None = None
    live: tuple[str, ...] = ()  # jobs that waited or ran


class Followed(NamedTuple):
    """New values for what follows the jobs, in the order of `TeachTab.followed`."""

    job: Any
    cancel: Any
    resume: Any
    timer: Any
    seen: Any
    chosen: Any
    finished: Any  # the version that came out of a job that ended since the last look


class Overview(NamedTuple):
    """New values for everything that depends on corrections and versions, in the order of `TeachTab.overview`."""

    chosen: Any
    counts: Any
    teach: Any
    metrics: Any
    use: Any
    keep: Any
    draw: Any
    table: Any
    activate: Any
    roll_back: Any
    delete: Any
    export: Any
    left: Any
    right: Any


@dataclass(frozen=True, slots=True, eq=False)
class TeachDesk:
    """What the tab's handlers work with; one for the whole process."""

    annotator: Annotator
    teaching: TeachingDesk
    scratch: Scratch

    @property
    def workspace(self) -> Workspace:
        """The one that is learned from."""
        return self.annotator.workspace

    def follow(self, preset: str, seen: Seen, chosen: str) -> Followed:
        """How the jobs are now; whether there is more to show, and which version to look at then."""
        jobs = self.teaching.jobs()
        job = teach_job_view.shown_job(jobs)
        losses = () if job is None else self.workspace.jobs.losses(job.id)
        now = self._look(preset, jobs)
        finished = [job.version for job in jobs if job.id in seen.live and job.state == "done" and job.version]
        newest = now.versions[0] if now.versions else SHIPPED
        is_other = (now.preset, now.versions) != (seen.preset, seen.versions)
        is_live = job is not None and job.is_open
        return Followed(
            job=teach_job_view.job_value(jobs, losses),
            cancel=gr.update(visible=is_live),
            resume=gr.update(visible=job is not None and job.state in ENDED_EARLY and not self.workspace.read_only),
            timer=gr.Timer(value=_LIVE_EVERY_S if is_live else _IDLE_EVERY_S),
            seen=gr.skip() if now == seen else now,
            chosen=newest if is_other and chosen != newest else gr.skip(),
            finished=finished[0] if finished else gr.skip(),
        )

    def _look(self, preset: str, jobs: Sequence[Job]) -> Seen:
        shelf = self.workspace.versions
        return Seen(
            preset=preset,
            workspace=self.workspace.version(),
            versions=tuple(version.id for version in shelf.list(preset)),
            active=shelf.active(preset),
            live=tuple(job.id for job in jobs if job.is_open),
        )

    def overview(self, preset: str, chosen: str) -> Overview:
        """Everything that depends on corrections and versions."""
        shelf, problem = self.workspace.versions, READ_ONLY if self.workspace.read_only else ""
        versions, active_id = shelf.list(preset), shelf.active(preset) or SHIPPED
        by_id = {version.id: version for version in versions}
        if chosen not in (*by_id, SHIPPED):
            chosen = versions[0].id if versions else SHIPPED
        version, active = by_id.get(chosen), by_id.get(active_id)
        counts = teach_views.count((revision for _, revision in self.workspace.annotated()), active)
        parents = {one.id: shelf.parent_name(one) for one in versions}
        is_active, can_write = chosen == active_id, not problem
        choices = teach_version_views.choices(versions, active_id)
        use, keep = _decision(version, is_active=is_active, can_write=can_write)
        return Overview(
            chosen=chosen,
            counts=teach_views.counts_value(counts, SHIPPED_TITLE if active is None else active.name, problem),
            teach=gr.update(interactive=can_write and counts.usable > 0),
            metrics=teach_views.metrics_value(version, parents.get(chosen, ""), is_active),
            use=use,
            keep=keep,
            draw=gr.update(interactive=version is not None and bool(version.revisions)),
            table=teach_version_views.versions_value(versions, parents, active_id, chosen),
            activate=gr.update(interactive=can_write and not is_active),
            roll_back=gr.update(interactive=can_write and active_id != SHIPPED),
            delete=gr.update(
                value=DELETE, variant="secondary", interactive=can_write and version is not None and not is_active
            ),
            export=gr.update(interactive=version is not None),
            left=gr.update(choices=choices, value=SHIPPED if version is None else _parent_id(version, by_id)),
            right=gr.update(choices=choices, value=chosen),
        )

    def teach(self, preset: str, mode: str, flips: bool, steps: float | None, author: str) -> None:
        """Ask for a version to be taught.

        Raises:
            DataError: the settings do not fit.
            StoreError: the workspace cannot be written to.
        """
        if self.workspace.read_only:
            raise DataError(READ_ONLY)
        if mode not in modes_of(preset):
            raise DataError(f"{get_preset(preset).method} cannot be taught that way; choose another mode.")
        if steps is not None and not 1 <= steps <= MOST_STEPS:
            raise DataError(f"Steps must be from 1 to {MOST_STEPS:,}, or left empty; got {steps:g}.")
        self.teaching.submit(
            TeachRequest(
                preset=preset,
                mode="full" if mode == "full" else "quick",
                author=author,
                flips=bool(flips),
                steps=None if steps is None else int(steps),
            )
        )

    def cancel(self, job_id: str = "") -> None:
        """Cancel a job; without an id the one that the panel is about.

        Raises:
            DataError: there is no such job any more.
        """
        jobs = [job for job in self.teaching.jobs() if job.is_open]
        shown = teach_job_view.shown_job(jobs)
        wanted = job_id or ("" if shown is None else shown.id)
        if wanted not in {job.id for job in jobs}:
            raise DataError("That is not being taught any more, so there is nothing to cancel.")
        self.teaching.cancel(wanted)

    def resume(self) -> None:
        """Go on with the job that ended early, from its last checkpoint.

        Raises:
            DataError: the newest job did not end early.
        """
        job = teach_job_view.shown_job(self.teaching.jobs())
        if job is None or job.state not in ENDED_EARLY:
            raise DataError("There is no job that ended early; press Teach for a new one.")
        self.teaching.resume(job.id)


def _decision(version: Version | None, *, is_active: bool, can_write: bool) -> tuple[Any, Any]:
    """The buttons that use the new one or keep the old one; the emphasised one follows the verdict."""
    can = can_write and version is not None
    better = None if version is None else teach_views.is_better(version)
    return (
        gr.update(interactive=can and not is_active, variant="primary" if better and not is_active else "secondary"),
        gr.update(interactive=can, variant="primary" if better is False else "secondary"),
    )


def _parent_id(version: Version, by_id: dict[str, Version]) -> str:
    """What names the version that another was built on where versions are chosen."""
    return version.parent if version.parent in by_id else SHIPPED
