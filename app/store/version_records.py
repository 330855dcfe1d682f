"""What a taught version is: the description in its head file, read and written as plain values.  No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, cast, get_args

from app.store.errors import StoreError
from models.head_files import read_description
from models.registry import PRESETS

VersionMode = Literal["quick", "full", "threshold", "import"]
MODES: Final[tuple[VersionMode, ...]] = get_args(VersionMode)
DESCRIPTION_KEY: Final = "version"  # in a head's config


@dataclass(frozen=True, slots=True, kw_only=True)
class TaughtRevision:
    """A correction that a version was taught or measured with."""

    image_digest: str
    number: int  # of the revision
    label: str
    held_out: bool  # it was measured with it, not taught


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Version:
    """A head that was taught, with where it comes from."""

    id: str  # SHA-256 of its file
    preset: str
    name: str  # "version 3": counted per preset
    parent: str  # id of the version it was taught from, or digest of another head, the shipped one
    mode: VersionMode
    created_at: datetime  # UTC
    author: str
    revisions: tuple[TaughtRevision, ...]
    settings: Mapping[str, Any]
    metrics: Mapping[str, Any]
    file_bytes: int


def describe(
    *,
    preset: str,
    name: str,
    parent: str,
    mode: VersionMode,
    author: str,
    revisions: Sequence[TaughtRevision] = (),
    settings: Mapping[str, Any] | None = None,
    metrics: Mapping[str, Any] | None = None,
    created_at: datetime | None = None,
) -> dict[str, Any]:
    """The value of config["version"] in a head file; JSON values only, where settings and metrics are.

    Args:
        preset: which one it belongs to.
        name: from `VersionShelf.next_name`.
        parent: id or digest of the head that it was taught from.
        mode: how it was made.
        author: who asked for it.
        revisions: what it was taught and measured with.
        settings: of the teaching.
        metrics: before and after.
        created_at: None = now.
    """
    return {
        "preset": preset,
        "name": name,
        "parent": parent,
        "mode": mode,
        "created_at": (created_at or datetime.now(UTC)).isoformat(),
        "author": author,
        "revisions": [[one.image_digest, one.number, one.label, one.held_out] for one in revisions],
        "settings": dict(settings or {}),
        "metrics": dict(metrics or {}),
    }


def read_version(path: Path, digest: str) -> Version:
    """The version in a head file.

    Args:
        path: of the file; no tensor is read.
        digest: SHA-256 of it.
    Raises:
        WeightsError: it is no head file.
        StoreError: it has no description of a version, or one that does not fit.
    """
    return version_of(read_description(path).get(DESCRIPTION_KEY), path, digest)


def version_of(description: object, path: Path, digest: str) -> Version:
    """A description as a record.

    Raises:
        StoreError: it is none.
    """
    try:
        fields = cast(Mapping[str, Any], description)
        mode = fields["mode"]
        if mode not in MODES:
            raise ValueError(mode)
        return Version(
            id=digest,
            preset=_text(fields["preset"]),
            name=_text(fields["name"]),
            parent=_text(fields["parent"]),
            mode=mode,
            created_at=datetime.fromisoformat(fields["created_at"]).astimezone(UTC),
            author=_text(fields["author"]),
            revisions=tuple(_revision(entry) for entry in fields["revisions"]),
            settings=dict(fields["settings"]),
            metrics=dict(fields["metrics"]),
            file_bytes=path.stat().st_size,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{path} does not describe a taught version; import it, or give another file.") from error


def require_fits(config: Mapping[str, Any], preset: str, path: Path) -> None:
    """Refuse a head that a preset cannot load.

    Raises:
        StoreError: the preset is unknown, or the head is of another method or backbone.
    """
    known = PRESETS.get(preset)
    if known is None:
        raise StoreError(f"{path} belongs to the preset {preset!r}, which this program does not know; update it.")
    method = config.get("method", "VisualAD")
    if method != known.method:
        raise StoreError(f"{path} is a head of {method}, and {known.title} needs one of {known.method}.")
    if config.get("backbone") != known.backbone:
        raise StoreError(
            f"{path} was trained on {config.get('backbone')!r}, and {known.title} needs a head for {known.backbone!r}."
        )


def preset_of(config: Mapping[str, Any], path: Path) -> str:
    """The preset that a head without a version's description belongs to.

    Raises:
        StoreError: there is none.
    """
    asked = (config.get("method", "VisualAD"), config.get("backbone"), config.get("text"))
    for preset in PRESETS.values():
        if preset.needs_head and not preset.needs_references and (preset.method, preset.backbone, preset.text) == asked:
            return preset.name
    raise StoreError(
        f"{path} is a head of {asked[0]} on {asked[1]!r}, for which there is no preset; give another file."
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _revision(entry: Sequence[Any]) -> TaughtRevision:
    digest, number, label, held_out = entry
    return TaughtRevision(image_digest=_text(digest), number=int(number), label=_text(label), held_out=bool(held_out))
