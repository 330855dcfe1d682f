"""From a preset's versions to what their list, and the choices among them, show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.store.versions import Version
from app.ui.teach_views import MEASURES, number_of

_INDENT_PX, _MOST_INDENTS = 14, 6
SHIPPED: Final = "shipped"  # names the shipped head where versions are chosen
SHIPPED_TITLE: Final = "the shipped head"
_MODES: Final = {"quick": "quick", "full": "full", "threshold": "threshold only", "import": "imported"}


def choices(versions: Sequence[Version], active: str) -> list[tuple[str, str]]:
    """Entries of a dropdown: every version, the shipped head last."""
    named = [(version.name, version.id) for version in versions]
    return [(name + (", in use" if key == active else ""), key) for name, key in [*named, ("Shipped head", SHIPPED)]]


def versions_value(versions: Sequence[Version], parents: Mapping[str, str], active: str, chosen: str) -> dict[str, Any]:
    """What the list of versions shows.

    Args:
        versions: of one preset, newest first.
        parents: by a version's id how that is called which it was built on.
        active: the one in use; SHIPPED for the shipped head.
        chosen: the one that the buttons are about; SHIPPED for the shipped head.
    """
    depth = _depths(versions)
    rows = [
        {
            "id": version.id,
            "name": version.name,
            "parent": parents.get(version.id, ""),
            "how": _MODES.get(version.mode, version.mode),
            "when": f"{version.created_at:%Y-%m-%d %H:%M} UTC",
            "who": version.author or "–",
            "corrections": f"{len(version.revisions):,}",
            "held_out": held_out_text(version),
            "indent": _INDENT_PX * min(depth[version.id], _MOST_INDENTS),
        }
        for version in versions
    ]
    shipped = {
        "id": SHIPPED, "name": "Shipped head", "parent": "–", "how": "comes with the app", "when": "–", "who": "–",
        "corrections": "–", "held_out": "–", "indent": 0,
    }  # fmt: skip
    marked = [
        {**row, "active": row["id"] == active, "chosen": row["id"] == chosen,
         "tone": "chosen" if row["id"] == chosen else ""}
        for row in [*rows, shipped]
    ]  # fmt: skip
    return {"rows": marked}


def held_out_text(version: Version) -> str:
    """The first held-out measure that is defined, before and after."""
    part = version.metrics.get("held_out")
    for key in ("pixel_ap", "image_auroc", "iou"):
        if isinstance(part, Mapping):
            before, after = number_of(part, "before", key), number_of(part, "after", key)
            if before is not None and after is not None:
                return f"{MEASURES[key]} {before:.3f} → {after:.3f}"
    return "–"


def _depths(versions: Sequence[Version]) -> dict[str, int]:
    """How many versions each was built on, itself included."""
    parents = {version.id: version.parent for version in versions}
    depths = {}
    for version in versions:
        steps, at, seen = 0, version.id, set[str]()
        while at in parents and at not in seen:
            seen.add(at)
            steps, at = steps + 1, parents[at]
        depths[version.id] = steps
    return depths
