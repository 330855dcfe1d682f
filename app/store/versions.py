"""The taught versions of a workspace: head files named by their SHA-256, and which of them counts.

A version's file is written whole before its name appears, and so is the note of the active one; what is cut off in
between leaves the old state.  Threads and processes may use one folder at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from app.store.activations import Activation, Ledger, read_ledger, write_ledger
from app.store.blobs import PART_SUFFIX, write_file_whole
from app.store.errors import StoreError, busy_sentence, read_only_failure, write_failure
from app.store.file_lock import FileLock
from app.store.version_files import SHOWN, SUFFIX, VersionFiles, find
from app.store.version_records import (
    DESCRIPTION_KEY,
    TaughtRevision,
    Version,
    VersionMode,
    describe,
    preset_of,
    read_version,
    require_fits,
)
from models.errors import ExpectedError
from models.head_files import read_head, save_head
from models.registry import get_preset

__all__ = ["TaughtRevision", "Version", "VersionMode", "VersionShelf", "describe"]

ACTIVE: Final = "active.json"
LOCK: Final = "lock"
_WAIT_S: Final = 30.0


class VersionShelf:
    """The versions of one workspace."""

    def __init__(self, folder: Path, *, read_only: bool = False) -> None:
        """Prepare; the folder is made with the first version.

        Args:
            folder: where the files lie.
            read_only: refuse every change.
        """
        self.folder = folder
        self.read_only = read_only
        self.files = VersionFiles(folder)

    def list(self, preset: str | None = None) -> tuple[Version, ...]:
        """All versions, or those of one preset, newest first; damaged ones are left out, see `faults`."""
        chosen = [version for version in self.files.all() if preset is None or version.preset == preset]
        return tuple(sorted(chosen, key=lambda version: (version.created_at, version.id), reverse=True))

    def faults(self) -> tuple[str, ...]:
        """A sentence about each version that cannot be used."""
        return tuple(sentence for _, sentence in self.files.faults())

    def get(self, wanted: str, preset: str | None = None) -> Version:
        """One version.

        Args:
            wanted: its id, 6 or more first digits of it, or its name ("version 3", or just "3").
            preset: look only among its versions; names are counted per preset.
        Raises:
            StoreError: there is none or more than one, or its file is damaged.
        """
        return find(self.files, wanted, preset)

    def path(self, version_id: str) -> Path:
        """The file of a version, its bytes checked.

        Raises:
            StoreError: it is missing or damaged.
        """
        return self.files.path(self.files.read(version_id).id)

    def next_name(self, preset: str) -> str:
        """The name for the preset's next version; deleted ones keep theirs."""
        names = frozenset(version.name for version in self.list(preset))
        return f"version {self._ledger().next_number(preset, names)}"

    def parent_name(self, version: Version) -> str:
        """What a version was taught from, in words; also where that is deleted or was never here."""
        if self.files.has(version.parent):
            try:
                return self.files.read(version.parent).name
            except ExpectedError:
                return f"damaged {version.parent[:SHOWN]}"
        known = self._ledger().known.get(version.parent)
        if known is not None:
            return f"{known[1]} (deleted)"
        if self.files.is_shipped(version.parent, version.preset):
            return "shipped head"
        return f"unknown {version.parent[:SHOWN]}"

    def add(self, head: Path) -> Version:
        """Take a head file in: it is moved to its place whole, or stays where it is.

        Args:
            head: its config holds the `describe`d version.
        Raises:
            WeightsError: it is no head file.
            StoreError: it describes no version, is of another preset, or the folder cannot be written.
        """
        self.require_writable()
        content = read_head(head)
        version = read_version(head, content.digest)
        require_fits(content.config, version.preset, head)
        with self._locked():
            added = self._put(head, version)
        head.unlink(missing_ok=True)
        return added

    def take_in(self, path: Path, author: str) -> Version:
        """Import a head from elsewhere; the file stays.

        A version keeps its bytes, its description and its lineage.  Another head of this program, such as `train`
        writes, becomes a version whose parent is that file.

        Raises:
            WeightsError: it is no head file.
            StoreError: it fits no preset, or the folder cannot be written.
        """
        self.require_writable()
        head = read_head(path)
        if DESCRIPTION_KEY in head.config:
            version = read_version(path, head.digest)
            require_fits(head.config, version.preset, path)
            with self._locked():
                return self._put(path, version)
        preset = preset_of(head.config, path)
        with self._locked():
            name = self.next_name(preset)
            description = describe(
                preset=preset,
                name=name,
                parent=head.digest,
                mode="import",
                author=author,
                settings={"file": path.name},
            )
            part = self.folder / f".import.{os.getpid()}{SUFFIX}{PART_SUFFIX}"
            try:
                digest = save_head(part, head.tensors, {**head.config, DESCRIPTION_KEY: description})
                return self._put(part, read_version(part, digest))
            finally:
                part.unlink(missing_ok=True)

    def delete(self, version_id: str) -> None:
        """Delete a version for good; what was taught from it goes on, and its name is remembered.

        Raises:
            StoreError: it is the active one or is not there, or the folder cannot be written.
        """
        self.require_writable()
        with self._locked():
            ledger = self._ledger()
            for preset in {activation.preset for activation in ledger.activations}:
                if ledger.path_taken(preset)[-1] == version_id:
                    raise StoreError(
                        f"{self._called(version_id)} is the active version of {preset}; activate another one or roll "
                        "back, then delete it."
                    )
            if not self.files.has(version_id):
                raise StoreError(f"There is no version {version_id!r}; `versions list` shows those there are.")
            try:
                self.files.path(version_id).unlink()
            except OSError as error:
                raise write_failure(self.folder, error) from error

    def export(self, version_id: str, to: Path) -> Path:
        """Write a copy of a version's file.

        Args:
            version_id: which one.
            to: a file that is not there yet, or a folder, in which it is named after its preset and name.
        Raises:
            StoreError: the version is damaged, or the place cannot be written or is taken.
        """
        version = self.files.read(version_id)
        target = to / f"{version.preset}-{version.name.replace(' ', '-')}-{version.id[:SHOWN]}{SUFFIX}"
        target = target if to.is_dir() else to
        if target.exists():
            raise StoreError(f"{target} is there already; choose another name, or delete it first.")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            write_file_whole(target, self.files.path(version.id).read_bytes())
        except OSError as error:
            raise write_failure(target, error) from error
        return target

    def active(self, preset: str) -> str | None:
        """The id of the version that a preset uses; None: the shipped head.  The file is not looked at."""
        return self._ledger().path_taken(preset)[-1]

    def active_path(self, preset: str) -> Path | None:
        """The head file that a preset uses; None: the shipped one.

        Raises:
            StoreError: it is missing or damaged; the sentence names it and the way back.
        """
        version_id = self.active(preset)
        if version_id is None:
            return None
        try:
            version = self.files.read(version_id)
            if version.preset == preset:
                return self.files.path(version_id)
            fault = f"belongs to {version.preset}"
        except ExpectedError:
            fault = "is damaged" if self.files.path(version_id).exists() else "is missing"
        raise StoreError(
            f"{self._called(version_id)}, the active version of {preset}, {fault}; roll back to the one before it, or "
            "import it again."
        )

    def activations(self, preset: str | None = None) -> tuple[Activation, ...]:
        """What was activated, oldest first."""
        return tuple(one for one in self._ledger().activations if preset is None or one.preset == preset)

    def activate(self, preset: str, version_id: str | None, author: str) -> None:
        """Let a preset use a version, or its shipped head again; at once, for everyone.

        Raises:
            StoreError: the version is of another preset, missing or damaged, or the folder cannot be written.
            UnknownModelError: there is no such preset.
        """
        self.require_writable()
        get_preset(preset)
        with self._locked():
            if version_id is not None and (version := self.files.read(version_id)).preset != preset:
                raise StoreError(f"{version.name} ({version_id[:SHOWN]}) belongs to {version.preset}, not {preset}.")
            ledger = self._ledger()
            if ledger.path_taken(preset)[-1] != version_id:
                self._activate(
                    ledger, Activation(preset=preset, version=version_id, at=datetime.now(UTC), author=author)
                )

    def roll_back(self, preset: str, author: str) -> str | None:
        """Let a preset use what it used before; deleted and damaged versions are passed over.

        Returns:
            The id of the version that is active now; None: the shipped head.
        Raises:
            StoreError: nothing was active before, or the folder cannot be written.
        """
        self.require_writable()
        with self._locked():
            ledger = self._ledger()
            if len(ledger.path_taken(preset)) == 1:
                raise StoreError(f"{preset} uses its shipped head; there is nothing to roll back to.")
            before = ledger.rolled_back(preset, frozenset(version.id for version in self.list(preset)))
            self._activate(
                ledger,
                Activation(preset=preset, version=before, at=datetime.now(UTC), author=author, kind="roll back"),
            )
            return before

    def require_writable(self) -> None:
        """Refuse to change what may only be read.

        Raises:
            StoreError: it may only be read.
        """
        if self.read_only:
            raise read_only_failure(self.folder)

    def _put(self, source: Path, version: Version) -> Version:
        added = self.files.put(source, version)
        self._write(self._ledger().with_known(version.id, version.preset, version.name))
        return added

    def _activate(self, ledger: Ledger, activation: Activation) -> None:
        self._write(ledger.with_activation(activation))

    def _ledger(self) -> Ledger:
        return read_ledger(self.folder / ACTIVE)

    def _write(self, ledger: Ledger) -> None:
        write_ledger(self.folder / ACTIVE, ledger)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with FileLock(self.folder / LOCK).held(_WAIT_S, busy_sentence(self.folder)):
            yield

    def _called(self, version_id: str) -> str:
        known = self._ledger().known.get(version_id)
        return version_id[:SHOWN] if known is None else f"{known[1]} ({version_id[:SHOWN]})"
