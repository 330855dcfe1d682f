"""What a new head is worth: its calibration, and the measures before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from app.services.before_after import BeforeAfter, Judged, measure, reader_of_preset
from app.services.teaching_course import Features, Look, look_at
from app.services.teaching_examples import Example, correction
from app.services.version_writing import calibrated, labelled_maps, rule_from
from models.errors import DataError
from models.reading import PictureMaps

if TYPE_CHECKING:
    from app.services.taught_pictures import TaughtPicture
    from app.services.teaching_lesson import Lesson
    from app.services.teaching_parent import Parent
    from app.services.teaching_plan import Outcome
    from app.store.workspace import Workspace
    from models.calibration import Calibration, LabelledMaps, ThresholdRule
    from models.training.learners import Learner


def rule_for(
    asked: Mapping[str, object] | None, parent: Parent, labels: Sequence[bool]
) -> tuple[ThresholdRule, tuple[str, ...]]:
    """The rule for a new head's thresholds, and notes on it: what was asked for, else the parent's.

    Raises:
        DataError: what was asked for does not exist, or the labels do not suffice for it.
    """
    from models.head_calibration import THRESHOLD_RULE

    if asked is not None:
        return rule_from(asked, labels), ()
    try:
        return rule_from(parent.head.config.get(THRESHOLD_RULE), labels), ()
    except DataError as error:
        return rule_from(None, labels), (f"The parent's rule for the threshold could not be kept: {error}",)


def labelled(
    workspace: Workspace, pictures: Sequence[TaughtPicture], learner: Learner, features: Features
) -> LabelledMaps:
    """The maps of all labelled pictures by the learner's head."""
    examples = [correction(workspace, picture, learner.image_px) for picture in pictures]
    look = look_at(learner, examples, lambda example: features.read([example]), with_loss=False)
    return labelled_maps(look, [picture.is_anomalous for picture in pictures])


def compare(
    parent: Parent, lesson: Lesson, outcome: Outcome, checked: Look, synthetic: tuple[Look, Look], after: Calibration
) -> BeforeAfter:
    """Measure both heads on the pictures that were kept back, and on the synthetic ones.

    Args:
        parent: whose own thresholds are used before, where it has some at this size.
        lesson: the examples.
        outcome: of the courses.
        checked: what the new head, or in leaving one out its stand-ins, say about the pictures kept back.
        synthetic: what the parent and the new head say about the synthetic ones.
        after: the new head's thresholds.
    """
    reader = reader_of_preset(parent.model)
    old = parent.calibration or calibrated(parent.model, first(synthetic[0], lesson.normals))
    kept_back = lesson.pupils.checked if lesson.pupils.split.reported else []
    return BeforeAfter(
        how=lesson.pupils.split.how,
        before=measure(judged(outcome.before, kept_back), reader, old, outcome.before.loss) if kept_back else None,
        after=measure(judged(checked, kept_back), reader, after, checked.loss) if kept_back else None,
        synthetic_before=measure(judged(synthetic[0], lesson.synthetic), reader, old),
        synthetic_after=measure(judged(synthetic[1], lesson.synthetic), reader, after),
    )


def judged(look: Look, examples: Sequence[Example]) -> list[Judged]:
    """Examples as a head sees them."""
    scores = [None] * len(examples) if look.global_scores is None else look.global_scores.tolist()
    return [
        Judged(PictureMaps(maps.numpy(), score), example.is_anomalous, example.mask())
        for maps, score, example in zip(look.branch_maps, scores, examples, strict=True)
    ]


def first(look: Look, count: int) -> Look:
    """What is said about the first pictures."""
    scores = None if look.global_scores is None else look.global_scores[:count]
    return Look(look.loss, look.branch_maps[:count], scores)
