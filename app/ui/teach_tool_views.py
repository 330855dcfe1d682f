"""From suggestions and thresholds to what the lower part of the Teach tab shows."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.services.next_to_label import LookingProgress, Suggestion
from app.services.threshold_preview import ThresholdPreview
from models.errors import DataError

NORMALS, BEST_F1, FALSE_ALARMS = "normals", "f1", "false_alarms"
SHOWN: Final = 12
_NONE: Final = "Every picture is labelled; import more in Correct."


def suggestions_value(found: Sequence[Suggestion], thumbnails: Mapping[str, bytes]) -> dict[str, Any]:
    """What the panel of pictures to label next shows.

    Args:
        found: the best first.
        thumbnails: WebP files by an image's digest.
    """
    return {
        "sentence": "A click opens the picture in Correct; those from which most is to be learned come first."
        if found
        else _NONE,
        "items": [
            {
                "digest": one.image_digest,
                "name": one.name,
                "score": "no score yet" if one.score is None else f"score {one.score:.2f}",
                "why": one.reason,
                "picture": _data_url(thumbnails.get(one.image_digest)),
            }
            for one in found
        ],
    }


def looking_text(progress: LookingProgress) -> str:
    """How far looking through the pictures is."""
    how_far = "Looking" if progress.suggestions is None else "Looked"
    refused = len(progress.refused)
    left_out = f" {progress.refused[0]}" + (f" … and {refused - 1:,} more." if refused > 1 else "") if refused else ""
    return f"{how_far} at {progress.done:,} of {progress.total:,} pictures.{left_out}"


def rule_of(rule: str, rate_percent: float) -> dict[str, Any]:
    """A rule for a threshold as it is asked for and kept.

    Raises:
        DataError: the rate is none.
    """
    if not 0 < rate_percent < 100:
        raise DataError(f"The rate of false alarms must lie between 0 and 100 %; got {rate_percent:g} %.")
    return {"kind": rule, "rate": rate_percent / 100} if rule == FALSE_ALARMS else {"kind": rule}


def threshold_text(seen: ThresholdPreview) -> str:
    """What a rule would choose, and what that gets wrong."""
    scores = f"On {len(seen.scores):,} labelled picture{'s' if len(seen.scores) != 1 else ''}"
    notes = "".join(f"\n{note}" for note in seen.notes)
    return f"Threshold {seen.threshold:.3f} (now {seen.in_use:.3f}). {scores}: {seen.errors}.{notes}"


def _data_url(thumbnail: bytes | None) -> str:
    return "" if thumbnail is None else f"data:image/webp;base64,{base64.b64encode(thumbnail).decode()}"
