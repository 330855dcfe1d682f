"""A workspace's folder: what lies where, which database belongs to it, and what is refused on opening.

images/ab/<digest>        the picture files, as they came
masks/ab/<digest>.png     one bit a pixel, at the picture's size
oddity.db                 the database, unless it is a PostgreSQL one
workspace.json            the folder's format and the identity of its database
versions/<digest>.safetensors, versions/active.json    taught heads, and which of them counts
teaching/                 jobs and what they keep between each other
cache/, lost+found/       may be deleted at any time
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.store.blobs import write_file_whole
from app.store.database import Database, open_postgresql, open_sqlite
from app.store.errors import StoreError, write_failure
from app.store.migrations import MIGRATIONS, DatabaseState, migrate, read_state, refuse_newer

IMAGES: Final = "images"
MASKS: Final = "masks"
CACHE: Final = "cache"
LOST: Final = "lost+found"
VERSIONS: Final = "versions"
TEACHING: Final = "teaching"
DATABASE: Final = "oddity.db"
MARKER: Final = "workspace.json"
FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class _Found:
    """What a folder holds before it is opened."""

    identity: str  # of its database, "" where no workspace was finished here
    has_sqlite: bool


def open_database(folder: Path, database_url: str | None, *, create: bool, busy_timeout_s: float) -> Database:
    """Open a workspace's database, make the workspace where there is none, and bring it up to date.

    Raises:
        StoreError: the folder or the database is missing, is something else, cannot be used, or is of a newer program.
    """
    _require_folder(folder, create=create)
    found = _look(folder)
    if database_url is None and not found.has_sqlite:
        _require_new(folder, found, create=create)
    read_only = _is_read_only(folder)
    if database_url is not None:
        database = open_postgresql(database_url, read_only=read_only, busy_timeout_s=busy_timeout_s)
    else:
        database = open_sqlite(folder / DATABASE, read_only=read_only, busy_timeout_s=busy_timeout_s)
    try:
        state = _bring_up_to_date(database, found, create=create)
        if not found.identity and state.version and not any((folder / IMAGES).glob("*")):
            raise StoreError(
                f"{database.place} belongs to a workspace whose images are not in {folder}; "
                "give that workspace's folder."
            )
        if not found.identity and not read_only:
            _write_marker(folder, state.identity)
    except BaseException:
        database.close()
        raise
    return database


def _require_folder(folder: Path, *, create: bool) -> None:
    try:
        if folder.is_dir():
            return
        if folder.exists():
            raise StoreError(f"{folder} is a file, and a workspace is a folder; choose another place.")
        if not create:
            raise StoreError(f"There is no workspace in {folder}; check the path.")
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_failure(folder, error) from error


def _look(folder: Path) -> _Found:
    marker = folder / MARKER
    try:
        has_sqlite = (folder / DATABASE).exists()
        text = marker.read_text(encoding="utf-8") if marker.exists() else ""
    except OSError as error:
        raise StoreError(f"{folder} cannot be read ({error.strerror}); check its permissions.") from error
    return _Found(_read_identity(marker, text) if text else "", has_sqlite)


def _read_identity(marker: Path, text: str) -> str:
    try:
        content = json.loads(text)
        number, identity = int(content["format"]), str(content["identity"])
    except (ValueError, TypeError, KeyError) as error:
        raise StoreError(
            f"{marker} is damaged; restore it from a backup, or delete it to have it made anew."
        ) from error
    if number > FORMAT:
        raise StoreError(
            f"{marker} was written by a newer version of this program (format {number}, this one knows {FORMAT}); "
            "update the program."
        )
    return identity


def _require_new(folder: Path, found: _Found, *, create: bool) -> None:
    """A folder without a database: may one be made in it?"""
    if found.identity:
        raise StoreError(
            f"The workspace {folder} has lost its database {DATABASE}; restore that file from a backup, or give the "
            "address of its PostgreSQL database."
        )
    if not create:
        raise StoreError(f"There is no workspace in {folder}; check the path.")
    for name in (IMAGES, MASKS):
        if any((folder / name).glob("*")):
            raise StoreError(f"{folder} holds other files in {name}/ and no workspace; choose an empty folder.")


def _is_read_only(folder: Path) -> bool:
    database = folder / DATABASE
    return not os.access(folder, os.W_OK | os.X_OK) or (database.exists() and not os.access(database, os.W_OK))


def _bring_up_to_date(database: Database, found: _Found, *, create: bool) -> DatabaseState:
    place = database.place
    with database.reading() as connection:
        state = read_state(connection, place)
    refuse_newer(state, place)
    if found.identity and state.identity != found.identity:
        raise StoreError(f"{place} belongs to another workspace; give the database that was used with this folder.")
    if state.schema_version == len(MIGRATIONS):
        return state
    if state.schema_version == 0 and not create:
        raise StoreError(f"{place} is empty; check the path or the address.")
    with database.writing() as connection:
        return migrate(connection, place)


def _write_marker(folder: Path, identity: str) -> None:
    text = json.dumps({"format": FORMAT, "identity": identity}, indent=2) + "\n"
    try:
        write_file_whole(folder / MARKER, text.encode())
    except OSError as error:
        raise write_failure(folder, error) from error
