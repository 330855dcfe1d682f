"""What a rule for the threshold would choose, seen on the labelled pictures; nothing is changed.

The maps are those of the model in use, asked in the way in which a head file's calibration asks for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.services.fusing import reader_of, thresholds_of
from app.services.proposing import settings_of
from app.services.threshold_figure import Errors, errors_at
from app.services.version_writing import rule_from
from models.errors import DataError, ExpectedError

if TYPE_CHECKING:
    from app.services.proposing import Proposer
    from models.calibration import Calibration
    from models.reading import PictureMaps

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ThresholdPreview:
    """Scores of labelled pictures and the line that a rule draws."""

    scores: Scores  # (n,), of the labelled pictures
    labels: NDArray[np.bool_]  # (n,), True = anomalous
    others: Scores  # (m,), of held-out normal pictures of the synthetic world
    threshold: float
    in_use: float  # the one that counts now
    in_odds: bool  # scores are probabilities
    errors: Errors  # at the threshold
    notes: tuple[str, ...]  # sentences on pictures that could not be looked at


def preview_threshold(proposer: Proposer, preset: str, rule: Mapping[str, Any]) -> ThresholdPreview:
    """Let the model in use look at all labelled pictures and apply a rule to its scores.

    Args:
        proposer: whose workspace and models.
        preset: name of the preset.
        rule: {"kind": "normals", "f1" or "false_alarms", "rate": ...}.
    Raises:
        DataError: nothing is labelled, the labels do not suffice for the rule, or the head is not calibrated.
        WeightsError: the preset's weights are missing or damaged.
    """
    model = proposer.inspector.model(preset)
    if model.calibration is None:
        raise DataError(f"The head of {preset} is not calibrated, so it has no threshold to choose; teach it first.")
    maps, labels, notes = _looked_at(proposer, preset)
    if not maps:
        raise DataError("Nothing is labelled yet; correct or confirm some pictures first.")
    asked = rule_from(rule, labels)
    settings = settings_of(preset)
    reader = reader_of(model, settings)
    calibration = _with_labels(model.calibration, maps, labels, asked)
    ways: dict[str, Any] = {
        "top_k": reader.top_k, "blur_sigma": reader.blur_sigma, "alpha": reader.alpha,
        "top_patches": reader.top_patches,
    }  # fmt: skip
    scores = _numbers(calibration.labelled_scores(reader.chosen, **ways)[0])
    threshold = thresholds_of(calibration, reader).anomalous
    anomalous = np.array(labels, dtype=np.bool_)
    return ThresholdPreview(
        scores=scores,
        labels=anomalous,
        others=_numbers(calibration.normal_scores(reader.chosen, **ways)),
        threshold=threshold,
        in_use=thresholds_of(model.calibration, reader).anomalous,
        in_odds=model.preset.reading.gives_probabilities,
        errors=errors_at(scores, anomalous, threshold),
        notes=tuple(notes),
    )


def _looked_at(proposer: Proposer, preset: str) -> tuple[list[PictureMaps], list[bool], list[str]]:
    """The maps and labels of the pictures that are labelled normal or anomalous, and why others are left out."""
    maps, labels, notes = [], [], []
    for image, revision in proposer.workspace.annotated():
        if revision.label == "unsure":
            continue
        try:
            maps.append(proposer.inspect(image.digest, preset).maps)
        except ExpectedError as error:
            notes.append(f"{image.name} is left out: {error}")
        else:
            labels.append(revision.label == "anomalous")
    return maps, labels, notes


def _with_labels(of: Calibration, maps: list[PictureMaps], labels: list[bool], rule: Any) -> Calibration:
    import torch

    from models.calibration import Calibration
    from models.threshold_rules import LabelledMaps

    whole = [one.global_score for one in maps if one.global_score is not None]
    # Half precision, as head files keep them: the threshold is then the one that a version would have.
    branch_maps = torch.from_numpy(np.stack([one.branch_maps for one in maps])).half()
    labelled = LabelledMaps(branch_maps, torch.tensor(labels), torch.tensor(whole) if whole else None)
    return Calibration(
        of.normal_maps,
        of.layers,
        of.image_px,
        global_scores=of.global_scores,
        reading=of.reading,
        labelled=labelled,
        rule=rule,
    )


def _numbers(scores: Any) -> Scores:
    numbers: Scores = scores.numpy().astype(np.float64)
    return numbers
