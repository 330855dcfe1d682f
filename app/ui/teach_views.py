"""From corrections and versions to what the Teach tab shows: plain values for its components."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.store.records import Revision
from app.store.versions import Version

MEASURES: Final = {
    "image_auroc": "Image AUROC",
    "image_ap": "Image AP",
    "pixel_auroc": "Pixel AUROC",
    "pixel_ap": "Pixel AP",
    "iou": "IoU at the threshold",
}
_TOLD_APART: Final = 0.0005  # smaller differences would be shown as 0.000


@dataclass(frozen=True, slots=True)
class Counts:
    """How many live annotations there are, of which kind."""

    normal: int = 0
    marked: int = 0  # anomalous, its pixels marked
    unmarked: int = 0  # anomalous, nobody marked the pixels
    unsure: int = 0  # are not learned from
    new: int = 0  # of the first three, those that the active version has not seen

    @property
    def usable(self) -> int:
        """Those that can be learned from."""
        return self.normal + self.marked + self.unmarked


def count(revisions: Iterable[Revision], active: Version | None) -> Counts:
    """Count annotations.

    Args:
        revisions: the live ones.
        active: the version in use; None = the shipped head, which has seen none.
    """
    seen = set() if active is None else {(taught.image_digest, taught.number) for taught in active.revisions}
    kinds = dict.fromkeys(("normal", "marked", "unmarked", "unsure"), 0)
    new = 0
    for revision in revisions:
        kind = _kind(revision)
        kinds[kind] += 1
        new += kind != "unsure" and (revision.image_digest, revision.number) not in seen
    return Counts(**kinds, new=new)


def counts_value(counts: Counts, active: str, problem: str = "") -> dict[str, Any]:
    """What the panel of corrections shows.

    Args:
        counts: of the workspace.
        active: how the version in use is called.
        problem: why nothing can be taught here; "" = something can.
    """
    entries = [
        ("normal", counts.normal, "confirmed normal"),
        ("anomalous", counts.marked, "anomalous, marked"),
        ("anomalous", counts.unmarked, "anomalous, without a mask"),
        ("unsure", counts.unsure, "unsure, left out"),
    ]
    return {
        "counts": [{"kind": kind, "number": f"{number:,}", "what": what} for kind, number, what in entries],
        "sentence": problem or _to_learn(counts, active),
    }


def _to_learn(counts: Counts, active: str) -> str:
    if counts.usable == 0:
        return "Correct a few pictures first: mark what is anomalous, confirm what is normal."
    if counts.new == 0:
        return f"Nothing is new: {active} has seen all of them."
    noun = "is" if counts.new == 1 else "are"
    return f"{counts.new:,} of {counts.usable:,} {noun} new to {active}."


def is_better(version: Version) -> bool | None:
    """The verdict that a version carries; None: nothing was measured."""
    better = version.metrics.get("better")
    return None if better is None else bool(better)


def metrics_value(version: Version | None, parent: str, active: bool) -> dict[str, Any]:
    """What the panel "before and after" shows of a version.

    Args:
        version: the one that is looked at; None: there is none.
        parent: how the version that it was built on is called.
        active: whether it is in use.
    """
    if version is None:
        return _without_numbers("Before and after", "Once something was taught, its numbers stand here.")
    title = f"Before and after: {parent} → {version.name}" + (", in use" if active else "")
    metrics = version.metrics
    titles = {"held_out": _held_out_title(metrics), "synthetic": "Synthetic set, to see what it forgot"}
    sets = [name for name in titles if isinstance(metrics.get(name), Mapping) and metrics[name].get("after")]
    if not sets:
        sentence = str(metrics.get("sentence") or threshold_change(version) or "Nothing was measured for it.")
        return _without_numbers(title, sentence, _notes(version))
    better = is_better(version)
    return {
        "tone": "better" if better else "unmeasured" if better is None else "no-better",
        "title": title,
        "sentence": str(metrics.get("sentence", "")),
        "sets": [{"title": titles[name]} for name in sets],
        "rows": [
            {"name": name, "cells": [cell for part in sets for cell in _cells(metrics[part], key)]}
            for key, name in MEASURES.items()
        ],
        "notes": [*_notes(version), {"text": _measured(version)}],
    }


def threshold_change(version: Version) -> str:
    """What became of the threshold of a version that has another one and the same weights; "" of others."""
    change = version.metrics.get("threshold")
    if not isinstance(change, Mapping):
        return ""
    return (
        f"the threshold is {float(change['after']):.3f}, where it was {float(change['before']):.3f}; the weights stay."
    )


def _without_numbers(title: str, sentence: str, notes: Sequence[Mapping[str, str]] = ()) -> dict[str, Any]:
    return {
        "tone": "unmeasured", "title": title, "sentence": sentence[:1].upper() + sentence[1:], "sets": [], "rows": [],
        "notes": list(notes),
    }  # fmt: skip


def _notes(version: Version) -> list[dict[str, str]]:
    """What teaching had to say of the corrections: what contradicted itself, what was left out."""
    notes = version.metrics.get("notes")
    return [{"text": str(note)} for note in notes] if isinstance(notes, list | tuple) else []


def _held_out_title(metrics: Mapping[str, Any]) -> str:
    part = metrics.get("held_out")
    if not isinstance(part, Mapping):
        return ""
    pictures = int(part.get("pictures", 0))
    how = "each left out once" if part.get("how") == "leave one out" else "held out"
    return f"Corrections, {how} ({pictures:,} {'picture' if pictures == 1 else 'pictures'})"


def number_of(part: Mapping[str, Any], when: str, key: str) -> float | None:
    """A measured number, or None where it is undefined."""
    value = (part.get(when) or {}).get(key)
    return None if value is None or not math.isfinite(float(value)) else float(value)


def _cells(part: Mapping[str, Any], key: str) -> list[dict[str, str]]:
    """Before, after and the change of one measure."""
    before, after = number_of(part, "before", key), number_of(part, "after", key)
    shown = [{"text": "n/a" if value is None else f"{value:.3f}", "tone": ""} for value in (before, after)]
    if before is None or after is None:
        return [*shown, {"text": "", "tone": ""}]
    change = after - before
    tone = "same" if abs(change) < _TOLD_APART else "up" if change > 0 else "down"
    sign = {"same": "±", "up": "+", "down": "\N{MINUS SIGN}"}[tone]
    return [*shown, {"text": f"{sign}{abs(change):.3f}", "tone": tone}]


def _measured(version: Version) -> str:
    """How long it took, where it stopped, and what n/a means."""
    seconds = version.metrics.get("seconds")
    parts = []
    if isinstance(seconds, Mapping) and seconds:
        total = seconds.get("all", sum(float(value) for value in seconds.values()))
        parts.append(f"It took {float(total):.0f} s")
    stopped = version.metrics.get("stopped_at")
    if stopped is not None:
        parts.append(f"the weights are those of step {int(stopped):,}")
    first = f"{'; '.join(parts)}. " if parts else ""
    return f"{first}n/a: that measure needs both normal and anomalous ones."


def _kind(revision: Revision) -> str:
    if revision.label != "anomalous":
        return str(revision.label)
    return "unmarked" if revision.mask_digest is None else "marked"
