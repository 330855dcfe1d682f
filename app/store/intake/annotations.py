"""From what a reader found to a revision, checked before the workspace is asked.  Pure, but for reading the mask."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from app.store.components import regions_of
from app.store.exchange.base import Found
from app.store.records import Mask, NewRevision, Revision, StoredImage
from app.store.rules import require_revision


def annotation_of(
    found: Found, image: StoredImage, *, author: str, format_name: str, came_from: str
) -> NewRevision | None:
    """The revision that says what was found; None where nobody annotated the image.

    Args:
        found: what a reader found.
        image: as the workspace has it.
        author: who it is by where the source does not say.
        format_name: how the format is called.
        came_from: the name of what was imported.
    Raises:
        ExpectedError: the mask cannot be read, is not of the image's size, or does not fit the label.
    """
    if found.label is None:
        return None
    mask = found.mask() if found.mask is not None else None
    if mask is None and found.label == "normal":
        mask = np.zeros(image.size_hw, dtype=np.bool_)
    detail = found.source.detail or format_name
    new = NewRevision(
        label=found.label,
        mask=mask,
        author=found.author or author,
        classes=found.classes,
        source=replace(found.source, kind="import", proposal_id=None, detail=f"{detail}; from {came_from}"),
        note=found.note,
    )
    require_revision(image, new)
    if new.classes:
        regions_of(np.zeros(image.size_hw, dtype=np.bool_) if mask is None else mask, new.classes)  # none lies outside
    return new


def says_the_same(new: NewRevision, revision: Revision, stored_mask: Mask | None) -> bool:
    """Whether a revision in the workspace has this label, this mask and these classes already.

    Args:
        stored_mask: of `revision`.
    """
    if new.label != revision.label or (new.mask is None) != (stored_mask is None):
        return False
    if new.mask is None or stored_mask is None:
        return True
    names = [region.defect_class for region in regions_of(new.mask, new.classes)]
    return names == [region.defect_class for region in revision.regions] and np.array_equal(new.mask, stored_mask)
