"""Which version counts: the history of activations of a workspace, one small file that is replaced whole."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from app.store.blobs import is_digest, write_file_whole
from app.store.errors import StoreError, write_failure

FORMAT: Final = 1
_NUMBER: Final = re.compile(r"version (\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """One change of what a preset uses."""

    preset: str
    version: str | None  # id; None: the shipped head
    at: datetime  # UTC
    author: str
    kind: Literal["activate", "roll back"] = "activate"


@dataclass(frozen=True, slots=True)
class Ledger:
    """All activations, and every version that there ever was: a name is never given twice."""

    activations: tuple[Activation, ...] = ()
    known: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # id -> (preset, name); deleted ones too

    def path_taken(self, preset: str) -> tuple[str | None, ...]:
        """What one would roll back through, the active one last; it begins with the shipped head."""
        taken: list[str | None] = [None]
        for activation in self.activations:
            if activation.preset != preset:
                continue
            if activation.kind == "roll back":
                while len(taken) > 1 and taken[-1] != activation.version:
                    taken.pop()
                if taken[-1] != activation.version:
                    taken.append(activation.version)
            else:
                taken.append(activation.version)
        return tuple(taken)

    def rolled_back(self, preset: str, usable: frozenset[str]) -> str | None:
        """The one active before, those passed over that are gone; the same id twice in a row is one step."""
        taken = list(self.path_taken(preset))
        now = taken.pop()
        while taken and (taken[-1] == now or (taken[-1] is not None and taken[-1] not in usable)):
            taken.pop()
        return taken[-1] if taken else None

    def next_number(self, preset: str, names: frozenset[str]) -> int:
        """One more than the highest number of the preset's versions, those of `names` among them."""
        all_names = {name for its_preset, name in self.known.values() if its_preset == preset} | names
        found = [match for match in map(_NUMBER.fullmatch, all_names) if match]
        return 1 + max((int(match[1]) for match in found), default=0)

    def with_known(self, version_id: str, preset: str, name: str) -> Ledger:
        """With a version noted."""
        return replace(self, known={**self.known, version_id: (preset, name)})

    def with_activation(self, activation: Activation) -> Ledger:
        """With one more activation."""
        return replace(self, activations=(*self.activations, activation))


def read_ledger(path: Path) -> Ledger:
    """Read the file; an empty ledger where there is none.

    Raises:
        StoreError: it is damaged, or of a newer program.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        number = int(content["format"])
        if number <= FORMAT:
            known = {str(key): (str(preset), str(name)) for key, (preset, name) in content["known"].items()}
            return Ledger(tuple(map(_activation, content["activations"])), known)
    except FileNotFoundError:
        return Ledger()
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror}); check its permissions.") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StoreError(
            f"{path} is damaged; restore it from a backup, or delete it to go on with the shipped heads."
        ) from error
    raise StoreError(
        f"{path} was written by a newer version of this program (format {number}, this one knows {FORMAT}); "
        "update the program."
    )


def write_ledger(path: Path, ledger: Ledger) -> None:
    """Replace the file whole.

    Raises:
        StoreError: it cannot be written; the old one stays.
    """
    content = {
        "format": FORMAT,
        "known": {key: list(value) for key, value in ledger.known.items()},
        "activations": [
            {
                "preset": one.preset,
                "version": one.version,
                "at": one.at.isoformat(),
                "author": one.author,
                "kind": one.kind,
            }
            for one in ledger.activations
        ],
    }
    try:
        write_file_whole(path, (json.dumps(content, indent=1) + "\n").encode())
    except OSError as error:
        raise write_failure(path.parent, error) from error


def _activation(entry: Mapping[str, Any]) -> Activation:
    version, kind = entry["version"], entry["kind"]
    if (version is not None and not is_digest(version)) or kind not in ("activate", "roll back"):
        raise ValueError(entry)
    return Activation(
        preset=str(entry["preset"]),
        version=version,
        at=datetime.fromisoformat(entry["at"]).astimezone(UTC),
        author=str(entry["author"]),
        kind=kind,
    )
