"""Teach a preset from a workspace's corrections: from the newest labels to a new version, resumable and cancellable.

Quick: what is frozen is computed once a picture; SCA and SAF of VisualAD, or DA-CLIP's whole head, are trained on that.
Full: VisualAD's tokens too, with gradients through the backbone.  Whoever calls holds the workspace's training lock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.services.before_after import BeforeAfter
from app.services.early_stop import OnStep, Stops
from app.services.teaching_course import Course, Features, HeadState, Look, QuickCourse, look_at
from app.services.teaching_examples import Example, SyntheticCounts
from app.services.teaching_full import FullCourse, FullSettings
from app.services.teaching_lesson import Lesson, choose, key_of, prepare
from app.services.teaching_measuring import compare, first, labelled, rule_for
from app.services.teaching_parent import Parent, lineage_of, load_parent, revisions_of
from app.services.teaching_plan import MakeCourse, Outcome, run_courses
from app.services.teaching_runs import Runs
from app.services.version_writing import as_stored, calibrated, write_version
from models.errors import DataError
from models.registry import get_backbone_spec

if TYPE_CHECKING:
    from app.store.job_records import TeachRequest
    from app.store.version_records import Version
    from app.store.workspace import Workspace
    from models.calibration import Calibration
    from models.methods.visualad import VisualAD
    from models.training.finetuning import QuickSettings
    from models.training.learners import Learner
    from models.weights import WeightsLocation

PROGRESS_FILE: Final = "progress.pt"
_HEAD_FILE: Final = "head.safetensors"
_JOB: Final = "job"  # in a version's settings: name of the folder that it was made in
_LOOKS: Final = 12  # of a course on the pictures that check
_PATIENCE: Final = 4  # of those without a better one, then it ends
_FULL_LOOKS: Final = 6
_FULL_PATIENCE: Final = 2
_STARTED, _SEEN, _TAUGHT, _DONE = 0.04, 0.62, 0.92, 1.0  # shares of the whole at which the phases end


@dataclass(frozen=True, slots=True)
class TeachProgress:
    """How far teaching is."""

    doing: str  # a sentence without its full stop
    share: float  # done of the whole, in [0, 1]
    step: int | None = None  # of the course whose head is kept
    losses: dict[str, float] | None = None  # by name, "total" their sum
    held_out: float | None = None  # loss on what is held out or left out


class _CancelledError(Exception):
    """Somebody asked to stop."""


def teach(
    workspace: Workspace,
    request: TeachRequest,
    where: WeightsLocation,
    device: str,
    *,
    work_folder: Path,
    report: Callable[[TeachProgress], object] = lambda _: None,
    is_cancelled: Callable[[], bool] = lambda: False,
    counts: SyntheticCounts | None = None,
) -> Version | None:
    """Teach a preset from the newest labels; begins with its active version, else with its shipped head.

    The version is added whether it got better or not, and says so; it is used at once only where the request asks for
    that and it got better.  A job that was killed goes on from its saved state and ends with the same head.

    Args:
        workspace: whose training lock the caller holds.
        request: what to teach, and how.
        where: where weights may come from; a head that it names is taught instead of the active version.
        device: one of `app.config.DEVICES`.
        work_folder: for the saved state; of the same name for the same job, and of another for any other.
        report: told of every picture and step.
        is_cancelled: asked as often.
        counts: of synthetic pictures; None = the usual.
    Returns:
        The version; None when cancelled.
    Raises:
        UnknownModelError: there is no such preset.
        DataError: too little is labelled, the preset trains nothing, or the size or the rule does not fit.
        WeightsError: weights are missing or damaged.
        StoreError: the workspace cannot be read or written.
    """
    from app.config import resolve_device

    def told(progress: TeachProgress) -> None:
        if is_cancelled():
            raise _CancelledError
        report(progress)

    workspace.jobs.require_writable()
    versions = workspace.versions.list(request.preset)
    made = next((one for one in versions if one.settings.get(_JOB) == work_folder.name), None)
    if made is not None:  # killed after its last step
        return made
    work_folder.mkdir(parents=True, exist_ok=True)
    try:
        return _Teaching(workspace, request, work_folder, told, counts or SyntheticCounts()).run(
            where, resolve_device(device)
        )
    except _CancelledError:
        (work_folder / PROGRESS_FILE).unlink(missing_ok=True)
        return None


class _Teaching:
    """One job."""

    def __init__(
        self,
        workspace: Workspace,
        request: TeachRequest,
        work_folder: Path,
        told: Callable[[TeachProgress], None],
        counts: SyntheticCounts,
    ) -> None:
        self.workspace = workspace
        self.request = request
        self.work_folder = work_folder
        self.told = told
        self.counts = counts
        self.settings = _settings(request)
        self.seconds: dict[str, float] = {}
        self._lap_s = time.perf_counter()

    def run(self, where: WeightsLocation, device: str) -> Version:
        """From the request to the version."""
        from models.training.learners import learner_of

        request, workspace = self.request, self.workspace
        self.told(TeachProgress("reads the labels and loads the model", 0.0))
        parent = load_parent(workspace, request.preset, request.image_px, where, device)
        if request.mode == "full" and parent.model.preset.text is not None:
            raise DataError(
                f"Both towers of {parent.model.preset.method} stay frozen, and quick teaching trains all the rest; "
                "teach quick."
            )
        taught, parts = choose(workspace, parent)
        rule, notes = rule_for(request.rule, parent, [picture.is_anomalous for picture in taught.pictures])
        learner = learner_of(parent.model.method, parent.model.image_size)
        features = self._features(learner, parent)
        self._lap("loading")
        lesson = prepare(workspace, request, parent, (taught, parts), self.counts, features, self._seen)
        before = _look(learner, features, lesson.synthetic, with_loss=False)
        self._lap("features")
        runs = Runs.resume(self.work_folder / PROGRESS_FILE, key_of(request, parent, parts, repr(self.settings)))
        make = self._maker(parent, learner, features, lesson)
        outcome = run_courses(lesson.pupils, runs, self._stops(), make, self._tell)
        self._lap("training")
        self.told(TeachProgress("calibrates, and measures before and after", _TAUGHT))
        state = as_stored(outcome.head, parent)
        learner.head.load_state_dict(state)
        if request.mode == "full":  # the tokens are others now, and with them what the backbone says
            features.close()
            features = self._features(learner, parent)
        after = _look(learner, features, lesson.synthetic, with_loss=False)
        of_labels = None if rule.kind == "normals" else labelled(workspace, taught.pictures, learner, features)
        calibration = calibrated(parent.model, first(after, lesson.normals), of_labels, rule)
        checked = outcome.after or _look(learner, features, lesson.pupils.checked)
        found = compare(parent, lesson, outcome, checked, (before, after), calibration)
        features.close()
        self._lap("measuring")
        version = self._add(parent, state, calibration, found, lesson, outcome, notes)
        runs.forget()
        report = "is ready to be used" if not request.activate or not version.metrics["better"] else "is used now"
        self.told(TeachProgress(f"{version.name} {report}", _DONE))
        return version

    def _add(
        self,
        parent: Parent,
        state: HeadState,
        calibration: Calibration,
        found: BeforeAfter,
        lesson: Lesson,
        outcome: Outcome,
        notes: tuple[str, ...],
    ) -> Version:
        """Write the version, and use it where that was asked for and it got better."""
        from app.store.version_records import describe

        request, shelf, parts = self.request, self.workspace.versions, lesson.pupils.split
        settings = {
            **asdict(self.settings),
            "image_px": parent.model.image_size,
            "flips": request.flips,
            "replay_folder": request.replay_folder and Path(request.replay_folder).name,
            "synthetic": asdict(self.counts),
            _JOB: self.work_folder.name,
            **lineage_of(parent, parts),
        }
        described = describe(
            preset=request.preset,
            name=shelf.next_name(request.preset),
            parent=parent.digest,
            mode=request.mode,
            author=request.author,
            revisions=revisions_of(parts),
            settings=settings,
            metrics=found.record()
            | {
                "stopped_at": outcome.stopped_at,
                "notes": [*lesson.notes, *notes],
                "seconds": {name: round(value, 2) for name, value in self.seconds.items()},
            },
        )
        version = write_version(self.workspace, self.work_folder / _HEAD_FILE, parent, state, calibration, described)
        if request.activate and version.metrics["better"]:
            shelf.activate(version.preset, version.id, request.author)
        return version

    def _features(self, learner: Learner, parent: Parent) -> Features:
        spec = get_backbone_spec(parent.model.preset.backbone)
        return Features(learner, self.workspace.jobs.features_folder, spec)

    def _maker(self, parent: Parent, learner: Learner, features: Features, lesson: Lesson) -> MakeCourse:
        """What makes courses, each from the parent's head."""
        start = {name: value.detach().clone() for name, value in learner.head.state_dict().items()}
        spec = get_backbone_spec(parent.model.preset.backbone)

        def make(corrections: Sequence[Example], checked: Sequence[Example]) -> Course:
            learner.head.load_state_dict(start)
            if isinstance(self.settings, FullSettings):
                method: VisualAD = parent.model.method  # type: ignore[assignment]  # DA-CLIP was refused
                flips = self.request.flips
                return FullCourse(method, learner, spec, self.settings, corrections, checked, flips=flips)
            return QuickCourse(learner, features, self.settings, corrections, lesson.replay, checked)

        return make

    def _stops(self) -> Stops:
        looks, patience = (_FULL_LOOKS, _FULL_PATIENCE) if self.request.mode == "full" else (_LOOKS, _PATIENCE)
        steps = self.settings.steps
        return Stops(steps=steps, every=max(1, round(steps / looks)), patience=patience)

    def _seen(self, doing: str, share: float) -> None:
        self.told(TeachProgress(doing, _STARTED + (_SEEN - _STARTED) * share))

    def _tell(self, index: int, courses: int) -> OnStep:
        return partial(self._step, index, courses)

    def _step(
        self, index: int, courses: int, step: int, losses: dict[str, float] | None, held_out: float | None
    ) -> None:
        steps = self.settings.steps
        share = _SEEN + (_TAUGHT - _SEEN) * (index + step / steps) / courses
        if index == courses - 1:
            self.told(TeachProgress(f"teaches, step {step} of at most {steps}", share, step, losses, held_out))
        else:  # a head that is thrown away, to see when to stop
            doing = f"leaves one picture out, {index + 1} of {courses - 1}, step {step} of at most {steps}"
            self.told(TeachProgress(doing, share))

    def _lap(self, name: str) -> None:
        now_s = time.perf_counter()
        self.seconds[name], self._lap_s = now_s - self._lap_s, now_s


def _settings(request: TeachRequest) -> QuickSettings | FullSettings:
    from models.training.finetuning import QuickSettings

    if request.steps is not None and request.steps < 1:
        raise DataError(f"Teaching takes 1 step or more, and {request.steps} were asked for; leave it out.")
    settings: QuickSettings | FullSettings
    settings = FullSettings(seed=request.seed) if request.mode == "full" else QuickSettings(seed=request.seed)
    return settings if request.steps is None else type(settings)(seed=request.seed, steps=request.steps)


def _look(learner: Learner, features: Features, examples: Sequence[Example], *, with_loss: bool = True) -> Look:
    return look_at(learner, examples, lambda example: features.read([example]), with_loss=with_loss)
