"""What a head file holds for thresholds: maps of normal and of labelled pictures, and which rule to follow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from torch import Tensor

from models.calibration import Calibration, LabelledMaps, ThresholdRule
from models.reading import Reading

CALIBRATION_KEY: Final = "calibration.normal_maps"
GLOBAL_SCORES_KEY: Final = "calibration.global_scores"
LABELLED_MAPS_KEY: Final = "calibration.labelled_maps"
LABELS_KEY: Final = "calibration.labels"
LABELLED_GLOBAL_SCORES_KEY: Final = "calibration.labelled_global_scores"
THRESHOLD_RULE: Final = "threshold_rule"  # in the head's description


def calibration_arrays(
    normal_maps: Tensor | None, global_scores: Tensor | None = None, labelled: LabelledMaps | None = None
) -> dict[str, npt.NDArray[Any]]:
    """What to store beside a head's weights; maps in half precision.

    Args:
        normal_maps: (n, L, gh, gw) or (n, R, L, gh, gw) of held-out normal pictures, or None.
        global_scores: (n,) of methods that give one.
        labelled: labelled pictures.
    """
    arrays: dict[str, npt.NDArray[Any]] = {}
    if normal_maps is not None:
        arrays[CALIBRATION_KEY] = _array(normal_maps, np.float16)
    if global_scores is not None:
        arrays[GLOBAL_SCORES_KEY] = _array(global_scores, np.float32)
    if labelled is not None:
        arrays[LABELLED_MAPS_KEY] = _array(labelled.maps, np.float16)
        arrays[LABELS_KEY] = _array(labelled.labels, np.uint8)
        if labelled.global_scores is not None:
            arrays[LABELLED_GLOBAL_SCORES_KEY] = _array(labelled.global_scores, np.float32)
    return arrays


def described_rule(rule: ThresholdRule) -> dict[str, object]:
    """The rule as a head's description holds it."""
    return {"kind": rule.kind, "rate": rule.rate}


def take_calibration(
    tensors: dict[str, Tensor], config: Mapping[str, Any], layers: tuple[int, ...], reading: Reading
) -> Calibration | None:
    """Take what belongs to thresholds out of a head's tensors, so that weights remain.

    Args:
        tensors: of the head's file; changed in place.
        config: the head's description.
        layers: the L layers of the maps, counted from 1.
        reading: how the method's maps are joined and scored.
    Returns:
        The calibration; None where the head carries no normal maps.
    Raises:
        ValueError, KeyError, TypeError: they do not fit each other.
    """
    normal_maps, global_scores = tensors.pop(CALIBRATION_KEY, None), tensors.pop(GLOBAL_SCORES_KEY, None)
    maps, labels = tensors.pop(LABELLED_MAPS_KEY, None), tensors.pop(LABELS_KEY, None)
    labelled_scores = tensors.pop(LABELLED_GLOBAL_SCORES_KEY, None)
    if normal_maps is None:
        return None
    labelled = None
    if maps is not None and labels is not None:
        labelled = LabelledMaps(maps, labels.long(), labelled_scores)
    described = config.get(THRESHOLD_RULE)
    rule = ThresholdRule() if described is None else ThresholdRule(described["kind"], float(described["rate"]))
    return Calibration(
        normal_maps,
        layers,
        int(config["image_size"]),
        global_scores=global_scores,
        reading=reading,
        labelled=labelled,
        rule=rule,
    )


def _array(values: Tensor, kind: type[np.generic]) -> npt.NDArray[Any]:
    array: npt.NDArray[Any] = values.detach().cpu().contiguous().numpy().astype(kind)
    return array
