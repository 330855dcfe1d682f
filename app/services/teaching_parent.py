"""The head that teaching begins with: the preset's active version, else the shipped one; and what it was taught."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from models.errors import DataError
from models.head_files import AUTHORS_SUFFIXES, Head, read_head
from models.registry import PRESETS, get_preset

if TYPE_CHECKING:
    from app.services.taught_pictures import Split
    from app.store.version_records import TaughtRevision
    from app.store.workspace import Workspace
    from models.calibration import Calibration
    from models.loading import LoadedModel
    from models.weights import WeightsLocation

LINEAGE_TAUGHT: Final = "lineage_taught"  # in a version's settings: pixel digests that it or an ancestor was taught
LINEAGE_HELD_OUT: Final = "lineage_held_out"  # likewise: those that were held out and never taught


@dataclass(frozen=True, slots=True, eq=False)
class Parent:
    """A loaded head with everything that its children keep of it."""

    model: LoadedModel  # at the size that is taught
    head: Head  # its file
    name: str  # in words: "version 2", "the shipped head"
    calibration: Calibration | None  # its own, where it is looked at in its own size
    taught: frozenset[str]  # pixel digests that it or an ancestor was taught
    held_out: frozenset[str]  # pixel digests that were held out for it or an ancestor

    @property
    def digest(self) -> str:
        """SHA-256 of its file."""
        return self.head.digest


def load_parent(
    workspace: Workspace, preset_name: str, image_px: int | None, where: WeightsLocation, device: str
) -> Parent:
    """Load what is taught next.

    Args:
        workspace: whose active version it is; a head that `where` names goes before that.
        preset_name: which one.
        image_px: side of the square input; None = the head's own.
        where: where weights may come from.
        device: torch's name.
    Raises:
        UnknownModelError: there is no such preset.
        DataError: nothing of the preset is trained, or the size does not fit.
        WeightsError: weights are missing or damaged.
        StoreError: the active version is missing or damaged.
    """
    from app.services.reports import resized
    from models.loading import load_preset, required_head_path

    preset = get_preset(preset_name)
    if not preset.needs_head:
        others = ", ".join(one.name for one in PRESETS.values() if one.needs_head)
        raise DataError(f"{preset.title} has nothing that could be trained; teach one of: {others}.")
    name = "the shipped head"
    if where.head_path is not None:
        name = f"the head {where.head_path.name}"
    elif (path := workspace.versions.active_path(preset.name)) is not None:
        where = replace(where, head_path=path)
        name = workspace.versions.get(path.stem).name
    head = _read(required_head_path(preset, where))
    model = load_preset(preset.name, where, device=device)
    at_size = resized(model, image_px) if image_px not in (None, model.image_size) else model
    settings = _settings(head)
    return Parent(
        model=at_size,
        head=head,
        name=name,
        calibration=model.calibration if at_size is model else None,
        taught=frozenset(map(str, settings.get(LINEAGE_TAUGHT, ()))),
        held_out=frozenset(map(str, settings.get(LINEAGE_HELD_OUT, ()))),
    )


def revisions_of(parts: Split) -> tuple[TaughtRevision, ...]:
    """The labels that a version was taught and checked with; in leaving one out, all were taught."""
    from app.store.version_records import TaughtRevision

    held_out = parts.checked if parts.how == "held out" else ()
    return tuple(
        TaughtRevision(
            image_digest=one.digest,
            number=one.number,
            label="anomalous" if one.is_anomalous else "normal",
            held_out=is_held_out,
        )
        for is_held_out, some in ((False, parts.taught), (True, held_out))
        for one in some
    )


def lineage_of(parent: Parent, parts: Split | None) -> dict[str, list[str]]:
    """What a child's settings say about all that was ever taught, so that deleting a version forgets nothing.

    Args:
        parent: of the child.
        parts: what the child is taught; None = nothing, such as where only the threshold is new.
    """
    taught, held_out = set(parent.taught), set(parent.held_out)
    if parts is not None:
        taught |= {one.pixels for one in parts.taught}
        held_out |= {one.pixels for one in parts.checked if parts.how == "held out"}
    return {LINEAGE_TAUGHT: sorted(taught), LINEAGE_HELD_OUT: sorted(held_out - taught)}


def _settings(head: Head) -> Mapping[str, Any]:
    """The settings of the version in a head's description; none where it was never taught."""
    described = head.config.get("version")
    settings = described.get("settings") if isinstance(described, Mapping) else None
    return settings if isinstance(settings, Mapping) else {}


def _read(path: Path) -> Head:
    """A head of ours, or a checkpoint of VisualAD's authors."""
    if path.suffix.lower() not in AUTHORS_SUFFIXES:
        return read_head(path)
    from models.authors_checkpoint import read_authors_head

    return read_authors_head(path)
