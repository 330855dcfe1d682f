"""What an annotation or a proposal must fulfil before it is stored.  Pure functions."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from app.store.errors import StoreError
from app.store.records import LABELS, Mask, NewProposal, NewRevision, StoredImage

SOURCE_KINDS: Final = ("proposal", "hand", "import", "restore", "api")
MAX_NAME: Final = 255
MAX_NOTE: Final = 10_000
_MAX_CLASS_NAME: Final = 100
_MAX_CHARACTERS: Final = {"author's name": 200, "note": MAX_NOTE, "save_id": 100}


def require_revision(image: StoredImage, new: NewRevision) -> None:
    """Refuse an annotation that contradicts itself or its image; regions are not looked at.

    Raises:
        ValueError: the caller's mistake: no such label or source, a mask that is not bool.
        StoreError: everything else.
    """
    if new.label not in LABELS:
        raise ValueError(f"label must be one of {', '.join(LABELS)}, got {new.label!r}")
    if new.source.kind not in SOURCE_KINDS:
        raise ValueError(f"source.kind must be one of {', '.join(SOURCE_KINDS)}, got {new.source.kind!r}")
    if new.mask is not None:
        require_mask(image, new.mask)
    area_px = 0 if new.mask is None else int(np.count_nonzero(new.mask))
    if new.label == "normal" and area_px:
        raise StoreError(
            f"{image.name} is labelled normal, but {area_px} of its pixels are marked; clear the mask or label it "
            "anomalous."
        )
    if new.label == "anomalous" and new.mask is not None and not area_px:
        raise StoreError(
            f"{image.name} is labelled anomalous, but no pixel is marked; mark the defect or label it normal."
        )
    for defect_class in new.classes:
        _require_class_name(defect_class.name)
    require_texts(new.author, new.note, new.save_id, new.based_on)


def require_texts(author: str, note: str, save_id: str, based_on: int) -> None:
    """Refuse texts of no sensible length.

    Raises:
        ValueError: `based_on` is negative.
        StoreError: a text is too long.
    """
    if based_on < 0:
        raise ValueError(f"based_on must be a revision's number or 0, got {based_on}")
    for (what, limit), text in zip(_MAX_CHARACTERS.items(), (author, note, save_id), strict=True):
        if len(text) > limit:
            raise StoreError(f"The {what} has {len(text)} characters and the limit is {limit}; shorten it.")


def require_mask(image: StoredImage, mask: Mask) -> None:
    """Refuse what is no mask of this image.

    Raises:
        ValueError: it is no bool array of two dimensions.
        StoreError: it is of another size.
    """
    if mask.dtype != np.bool_ or mask.ndim != 2:
        raise ValueError(f"a mask must be a bool array (H, W), got {mask.dtype} {mask.shape}")
    if mask.shape != image.size_hw:
        (mask_height, mask_width), (height, width) = mask.shape, image.size_hw
        raise StoreError(
            f"The mask has {mask_width} x {mask_height} pixels and {image.name} has {width} x {height}; give a mask of "
            "the image's size."
        )


def require_proposal(image: StoredImage, new: NewProposal) -> None:
    """Refuse a proposal that cannot be ranked or drawn.

    Raises:
        ValueError: a number is not finite, or the mask is not bool.
        StoreError: the mask is of another size.
    """
    for name, value in (("image_score", new.image_score), ("threshold", new.threshold), ("suspicious", new.suspicious)):
        if value is not None and not math.isfinite(value):
            raise ValueError(f"{name} must be finite, got {value}")
    require_mask(image, new.mask)


def _require_class_name(name: str) -> None:
    if not name.strip():
        raise StoreError("A defect class has no name; write one or remove the class.")
    if len(name) > _MAX_CLASS_NAME:
        raise StoreError(
            f"The defect class {name[:20]!r}... has {len(name)} characters and the limit is {_MAX_CLASS_NAME}; "
            "shorten it."
        )
