"""From a taught head to a version in the workspace: what is kept of the parent, calibration, file, description."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

    from app.services.teaching_course import HeadState, Look
    from app.services.teaching_parent import Parent
    from app.store.version_records import Version
    from app.store.workspace import Workspace
    from models.calibration import Calibration, LabelledMaps, ThresholdRule
    from models.head_files import Arrays
    from models.loading import LoadedModel


def as_stored(state: Mapping[str, Tensor], parent: Parent) -> HeadState:
    """A head as it comes back from a file: in half precision, what did not change as in the parent's file."""
    kept = _arrays(state, parent)
    return {name: _float32(kept[name]) if name in kept else value.detach().cpu() for name, value in state.items()}


def write_version(
    workspace: Workspace,
    path: Path,
    parent: Parent,
    state: Mapping[str, Tensor],
    calibration: Calibration,
    described: Mapping[str, Any],
) -> Version:
    """Write a head and take it into the workspace.

    Args:
        workspace: gets the version.
        path: where the file is written before it is moved.
        parent: whose description is kept, where nothing says otherwise.
        state: the head.
        calibration: its own.
        described: of `app.store.version_records.describe`.
    Raises:
        WeightsError, StoreError: it cannot be written.
    """
    from models.head_calibration import THRESHOLD_RULE, calibration_arrays, described_rule
    from models.head_files import save_head
    from models.training.checkpoint import tensors_digest, versions

    config = {name: value for name, value in parent.head.config.items() if name != THRESHOLD_RULE}
    if "backbone_sha256" not in config:
        config["backbone_sha256"] = tensors_digest(parent.model.method.backbone.state_dict())
    if calibration.rule.kind != "normals":
        config[THRESHOLD_RULE] = described_rule(calibration.rule)
    config |= {"image_size": calibration.image_px, "versions": versions(), "version": dict(described)}
    arrays = _arrays(state, parent)
    arrays |= calibration_arrays(calibration.normal_maps, calibration.global_scores, calibration.labelled)
    save_head(path, arrays, config)
    return workspace.versions.add(path)


def calibrated(
    model: LoadedModel, normals: Look, labelled: LabelledMaps | None = None, rule: ThresholdRule | None = None
) -> Calibration:
    """A calibration from what a head says about held-out normal pictures, rounded as a file would round it.

    Args:
        model: whose layers, size and reading.
        normals: maps and scores of those pictures.
        labelled: the maps of labelled ones, for rules that need them.
        rule: how thresholds are chosen; None = from the normal pictures.
    """
    from models.calibration import Calibration
    from models.threshold_rules import ThresholdRule

    return Calibration(
        normals.branch_maps.half().float(),
        model.layers,
        model.image_size,
        global_scores=normals.global_scores,
        reading=model.preset.reading,
        labelled=labelled,
        rule=rule or ThresholdRule(),
    )


def labelled_maps(look: Look, labels: Sequence[bool]) -> LabelledMaps:
    """Labelled pictures' maps for a calibration, rounded as a file would round them."""
    import torch

    from models.threshold_rules import LabelledMaps

    return LabelledMaps(look.branch_maps.half(), torch.tensor([int(label) for label in labels]), look.global_scores)


def rule_from(asked: Mapping[str, Any] | None, labels: Sequence[bool]) -> ThresholdRule:
    """The rule that was asked for.

    Args:
        asked: {"kind": ..., "rate": ...}; None = from held-out normal pictures.
        labels: of the labelled pictures, True = anomalous.
    Raises:
        DataError: there is no such rule, or the labels do not suffice for it.
    """
    from models.threshold_rules import ThresholdRule

    if asked is None:
        return ThresholdRule()
    try:
        rule = ThresholdRule(asked["kind"], float(asked.get("rate", ThresholdRule().rate)))
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"There is no such rule for thresholds ({error}); choose f1 or a false-alarm rate.") from error
    if rule.kind == "f1" and len(set(labels)) < 2:
        raise DataError(
            "The best F1 needs labelled pictures of both kinds, normal and anomalous; label some, or choose a "
            "false-alarm rate."
        )
    if rule.kind == "false_alarms" and all(labels):
        raise DataError("A false-alarm rate needs labelled normal pictures; confirm some.")
    return rule


def _arrays(state: Mapping[str, Tensor], parent: Parent) -> Arrays:
    """What the file holds of a head: tensors that are the parent's in its precision, others in half."""
    import torch

    arrays: Arrays = {}
    for name, value in state.items():
        of_parent = parent.head.tensors.get(name)
        if of_parent is not None and _same(of_parent, value):
            arrays[name] = of_parent
        elif of_parent is not None or parent.head.config.get("final_norm") != "pretrained":
            arrays[name] = value.detach().cpu().to(torch.float16).contiguous().numpy()
    return arrays


def _same(array: Any, value: Tensor) -> bool:
    found = _float32(array)
    return found.shape == value.shape and bool((found == value.detach().cpu()).all())


def _float32(array: Any) -> Tensor:
    import numpy as np
    import torch

    return torch.from_numpy(np.array(array)).float()
