"""A new threshold from a workspace's labels: a version with the weights of the active one and thresholds of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.services.teaching_course import Features, Look
from app.services.teaching_examples import SyntheticCounts, mask_file, measured_synthetic
from app.services.teaching_lesson import choose
from app.services.teaching_measuring import labelled
from app.services.teaching_parent import Parent, lineage_of, load_parent
from app.services.version_writing import calibrated, rule_from, write_version
from models.registry import get_backbone_spec

if TYPE_CHECKING:
    from app.services.taught_pictures import TaughtPicture
    from app.store.version_records import TaughtRevision, Version
    from app.store.workspace import Workspace
    from models.calibration import Calibration, LabelledMaps, ThresholdRule
    from models.training.learners import Learner
    from models.weights import WeightsLocation


def set_threshold(
    workspace: Workspace,
    where: WeightsLocation,
    device: str,
    preset: str,
    rule: ThresholdRule | Mapping[str, Any],
    author: str,
) -> Version:
    """Choose a preset's threshold from the newest labels; weights stay as they are, and nothing is activated.

    Args:
        workspace: whose labels, and whose active version.
        where: where weights may come from.
        device: one of `app.config.DEVICES`.
        preset: which one.
        rule: what decides; {"kind": ..., "rate": ...} does too.
        author: who asks for it.
    Returns:
        The version, of mode "threshold"; its metrics hold both thresholds, before and after.
    Raises:
        DataError: too little is labelled, or the labels do not suffice for the rule.
        WeightsError, StoreError: weights or workspace cannot be used.
    """
    from app.config import resolve_device
    from app.services.before_after import reader_of_preset
    from app.services.fusing import thresholds_of
    from app.store.version_records import describe
    from models.training.learners import learner_of

    workspace.jobs.require_writable()
    parent = load_parent(workspace, preset, None, where, resolve_device(device))
    taught, _ = choose(workspace, parent)
    wanted = rule if isinstance(rule, Mapping) else {"kind": rule.kind, "rate": rule.rate}
    chosen = rule_from(wanted, [picture.is_anomalous for picture in taught.pictures])
    learner = learner_of(parent.model.method, parent.model.image_size)
    spec = get_backbone_spec(parent.model.preset.backbone)
    features = Features(learner, workspace.jobs.features_folder, spec)
    maps = labelled(workspace, taught.pictures, learner, features)
    old = parent.calibration or _from_synthetic(workspace, parent, learner, features)
    features.close()
    new = _with_labels(parent, old, maps, chosen)
    reader = reader_of_preset(parent.model)
    seen_before = sum(picture.pixels in parent.taught for picture in taught.pictures)
    notes = list(taught.notes)
    if seen_before:
        notes.append(
            f"{seen_before} of the {len(taught.pictures)} labelled pictures were taught to this head, which knows them "
            "better than new ones: false alarms on new pictures may be more frequent."
        )
    metrics = {
        "threshold": {"before": thresholds_of(old, reader).anomalous, "after": thresholds_of(new, reader).anomalous},
        "notes": notes,
    }
    described = describe(
        preset=preset,
        name=workspace.versions.next_name(preset),
        parent=parent.digest,
        mode="threshold",
        author=author,
        revisions=[_revision(picture) for picture in taught.pictures],
        settings={"rule": chosen.kind, "rate": chosen.rate, **lineage_of(parent, None)},
        metrics=metrics,
    )
    with tempfile.TemporaryDirectory(prefix="oddity-threshold-") as folder:
        path = Path(folder) / "head.safetensors"
        return write_version(workspace, path, parent, learner.head.state_dict(), new, described)


def _with_labels(parent: Parent, old: Calibration, maps: LabelledMaps, rule: ThresholdRule) -> Calibration:
    """The old normal pictures' maps, with those of the labelled pictures and the rule."""
    normals = Look(0.0, old.normal_maps, old.global_scores)
    return calibrated(parent.model, normals, maps, rule)


def _from_synthetic(workspace: Workspace, parent: Parent, learner: Learner, features: Features) -> Calibration:
    """A calibration for a head that carries none."""
    from app.services.teaching_course import look_at

    side = parent.model.image_size
    masks = mask_file(workspace.jobs.features_folder, side)
    examples = list(measured_synthetic(SyntheticCounts(anomalous=0), side, masks))
    masks.close()
    return calibrated(
        parent.model, look_at(learner, examples, lambda example: features.read([example]), with_loss=False)
    )


def _revision(picture: TaughtPicture) -> TaughtRevision:
    from app.store.version_records import TaughtRevision

    label = "anomalous" if picture.is_anomalous else "normal"
    return TaughtRevision(image_digest=picture.digest, number=picture.number, label=label, held_out=True)
