"""Which head a preset uses now: the shipped one, or a version that a person taught and activated.  No torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from app.services.model_shelf import LoadHead, LoadModel
from app.store.version_records import read_version
from models.errors import ExpectedError, WeightsError
from models.registry import PRESETS
from models.status import preset_status

if TYPE_CHECKING:
    from app.services.inspection import Inspection
    from models.loading import LoadedModel
    from models.status import PresetStatus
    from models.weights import Report, WeightsLocation

HeadChoice = Path | Literal["shipped"] | None  # None: the active version, else the shipped head
Active = Callable[[str], Path | None]
SHOWN: Final = 12  # digits of a version's id


def resolve(preset: str, head: HeadChoice, where: WeightsLocation, active: Active) -> Path | None:
    """The head file that stands in the place of a preset's shipped one; None: none does.

    Args:
        preset: any name.
        head: what was asked for.
        where: a head that is given there goes before the active one.
        active: the active version's file of a preset.
    Raises:
        StoreError: the active version is missing or damaged.
    """
    if preset not in PRESETS or not PRESETS[preset].needs_head or head == "shipped":
        return None
    if head is not None:
        return head
    return None if where.head_path is not None else active(preset)


def loader(
    where: WeightsLocation, device: str, report: Report, load: LoadModel | None, load_version: LoadHead | None
) -> Callable[[str, Path | None], LoadedModel]:
    """How a preset's name and a head file (None: the shipped one) become a model.

    Args:
        where: where weights may come from.
        device: one of `app.config.DEVICES`.
        report: told what loading does.
        load: loads shipped heads in the place of `load_head`.
        load_version: likewise the others.
    """

    def load_either(preset: str, head: Path | None) -> LoadedModel:
        if head is None and load is not None:
            return load(preset)
        if head is not None and load_version is not None:
            return load_version(preset, head)
        return load_head(preset, head, where, device, report)

    return load_either


def load_head(preset: str, head: Path | None, where: WeightsLocation, device: str, report: Report) -> LoadedModel:
    """A preset's model, with a version's head if one is given.

    Raises:
        WeightsError: weights are missing or damaged, or the head does not fit.
    """
    from app.config import resolve_device
    from models.loading import load_preset  # pulls torch in, which the page must not wait for

    device = resolve_device(device)
    if head is None:
        return load_preset(preset, where, device=device, report=report)
    back = f"Roll back to the version of {preset} before it, or choose another one."
    try:
        model = load_preset(preset, replace(where, head_path=head), device=device, report=report)
    except WeightsError as error:
        raise WeightsError(f"The version {head.stem[:SHOWN]} cannot be loaded: {error} {back}") from error
    if model.checkpoint_digest != head.stem and len(head.stem) == len(model.checkpoint_digest):
        raise WeightsError(f"The version {head.stem[:SHOWN]} is damaged. {back}")
    return model


def version_name(inspection: Inspection) -> str:
    """How the taught version that looked is called; its id's first digits where its file is gone since."""
    assert inspection.head is not None
    try:
        return read_version(inspection.head, inspection.checkpoint).name
    except (ExpectedError, OSError):
        return f"version {inspection.checkpoint[:SHOWN]}"


def statuses(where: WeightsLocation, active: Active) -> tuple[PresetStatus, ...]:
    """Every preset: whether its weights are here, from where, or how to get them."""
    found = []
    for preset in PRESETS.values():
        try:
            head = resolve(preset.name, None, where, active)
        except ExpectedError:  # told when it is used; the picker must be there to choose another preset
            head = None
        status = preset_status(preset, where if head is None else replace(where, head_path=head))
        if head is not None:
            status = replace(status, head_source=f"taught here, version {head.stem[:SHOWN]}")
        found.append(status)
    return tuple(found)
