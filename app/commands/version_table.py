"""Versions in words: the lines and records that `python -m app versions` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from app.store.versions import Version, VersionShelf

SHOWN: Final = 12  # digits of an id
_MOMENT: Final = "%Y-%m-%d %H:%M:%S"
_COLUMNS: Final = ("", "name", "id", "preset", "parent", "mode", "made (UTC)", "author", "corrections", "image AUROC")


def table(versions: Sequence[Version], shelf: VersionShelf) -> list[str]:
    """One line a version under a heading; a star marks those in use."""
    if not versions:
        return ["There is no version yet: `python -m app teach` makes one; the shipped heads are used."]
    active = {preset: shelf.active(preset) for preset in {version.preset for version in versions}}
    rows: list[tuple[str, ...]] = [_COLUMNS]
    rows += [
        (
            "*" if active[version.preset] == version.id else "",
            version.name,
            version.id[:SHOWN],
            version.preset,
            shelf.parent_name(version),
            version.mode,
            version.created_at.strftime(_MOMENT),
            version.author,
            str(sum(not revision.held_out for revision in version.revisions)),
            before_after(version.metrics),
        )
        for version in versions
    ]
    rows = [tuple(plain(cell) for cell in row) for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    unused = [preset for preset, used in active.items() if used is None]
    return lines + [f"{preset} uses its shipped head." for preset in sorted(unused)]


def details(version: Version, shelf: VersionShelf) -> list[str]:
    """Everything about one version."""
    held_out = sum(revision.held_out for revision in version.revisions)
    lines = [
        f"{plain(version.name)} of {version.preset}  {version.id}",
        f"made {version.created_at.strftime(_MOMENT)} (UTC) by {plain(version.author) or '-'}, mode {version.mode}, "
        f"from: {plain(shelf.parent_name(version))}",
        "in use" if shelf.active(version.preset) == version.id else "not in use",
        f"{len(version.revisions) - held_out} corrections taught, {held_out} held out",
        f"held-out image AUROC before -> after: {before_after(version.metrics)}",
        *(
            f"  {revision.image_digest[:SHOWN]} revision {revision.number}: {plain(revision.label)}"
            + (" (held out)" if revision.held_out else "")
            for revision in version.revisions
        ),
        *(f"setting {plain(name)}: {plain(str(value))}" for name, value in sorted(version.settings.items())),
    ]
    sentence = version.metrics.get("sentence")
    return [*lines, plain(str(sentence))] if sentence else lines


def record(version: Version, shelf: VersionShelf) -> dict[str, Any]:
    """One version as JSON values."""
    return {
        "id": version.id,
        "name": version.name,
        "preset": version.preset,
        "parent": version.parent,
        "parent_name": shelf.parent_name(version),
        "mode": version.mode,
        "created_at": version.created_at.isoformat(),
        "author": version.author,
        "active": shelf.active(version.preset) == version.id,
        "file_bytes": version.file_bytes,
        "revisions": [
            {"image": one.image_digest, "number": one.number, "label": one.label, "held_out": one.held_out}
            for one in version.revisions
        ],
        "settings": dict(version.settings),
        "metrics": dict(version.metrics),
    }


def before_after(metrics: Mapping[str, Any]) -> str:
    """The image AUROC of held-out corrections, before and after; "-" where it was not measured."""
    held_out = metrics.get("held_out")
    if not isinstance(held_out, Mapping):
        return "-"
    return f"{_auroc(held_out.get('before'))} -> {_auroc(held_out.get('after'))}"


def plain(text: str) -> str:
    """A text without what could move a terminal's cursor."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _auroc(measured: object) -> str:
    value = measured.get("image_auroc") if isinstance(measured, Mapping) else None
    return f"{value:.4f}" if isinstance(value, int | float) else "n/a"
