"""Files in a workspace's folder that its database does not know: half-written ones, and ones that no row names.

They are looked for folder by folder, so that memory does not grow with the workspace.  Only reads.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Column, Connection, select

from app.store.blobs import PART_SUFFIX, BlobFolder, is_digest
from app.store.errors import StoreError
from app.store.folder import TEACHING, VERSIONS
from app.store.schema import IMAGES, PROPOSALS, REVISIONS
from app.store.workspace import Workspace

_BATCH: Final = 500
_PARTS: Final = ("*", f"{VERSIONS}/*", f"{TEACHING}/jobs/*", f"{TEACHING}/jobs/*/*")


@dataclass(frozen=True, slots=True)
class Stray:
    """A file that the database does not know."""

    path: Path  # within the workspace's folder
    is_part: bool  # half-written


def strays(workspace: Workspace) -> Iterator[Stray]:
    """Every such file below images/ and masks/, and the half-written ones beside them and among versions and jobs.

    Raises:
        StoreError: a folder or the database cannot be read.
    """
    for pattern in _PARTS:
        for path in sorted(workspace.folder.glob(pattern + PART_SUFFIX)):
            yield Stray(path.relative_to(workspace.folder), is_part=True)
    for blobs, columns in _blob_folders(workspace):
        for names in _batches(blobs.root):
            whole = [path for path in names if not path.name.endswith(PART_SUFFIX)]
            with workspace.database.reading() as connection:
                unknown = set(_unknown(connection, blobs, columns, whole))
            for path in names:
                if path in unknown or path.name.endswith(PART_SUFFIX):
                    yield Stray(path.relative_to(workspace.folder), path not in unknown)


def is_stray(workspace: Workspace, connection: Connection, path: Path) -> bool:
    """Whether the database does not know a file.

    Args:
        workspace: whose file it is.
        connection: a transaction of its database.
        path: within the workspace's folder.
    """
    if path.name.endswith(PART_SUFFIX):
        return True
    absolute = workspace.folder / path
    return all(
        absolute in _unknown(connection, blobs, columns, [absolute])
        for blobs, columns in _blob_folders(workspace)
        if absolute.is_relative_to(blobs.root)
    )


def _blob_folders(workspace: Workspace) -> tuple[tuple[BlobFolder, tuple[Column[Any], ...]], ...]:
    """The folders of files, each with the columns that name its files."""
    return (
        (workspace.image_files, (IMAGES.c.digest,)),
        (workspace.mask_files, (REVISIONS.c.mask_digest, PROPOSALS.c.mask_digest)),
    )


def _batches(root: Path) -> Iterator[list[Path]]:
    """All files below a folder, in order, some at a time."""

    def refuse(error: OSError) -> None:
        if isinstance(error, FileNotFoundError):  # it comes with the first file
            return
        raise StoreError(f"{error.filename} cannot be read ({error.strerror}); check its permissions and the disk.")

    for folder, subfolders, names in os.walk(root, onerror=refuse):
        subfolders.sort()
        names.sort()
        for start in range(0, len(names), _BATCH):
            yield [Path(folder, name) for name in names[start : start + _BATCH]]


def _unknown(
    connection: Connection, blobs: BlobFolder, columns: Sequence[Column[Any]], paths: Sequence[Path]
) -> Iterator[Path]:
    """Those of the paths that no row stands for, files with another name than a row's among them."""
    digests = [path.name.removesuffix(blobs.suffix) for path in paths]
    known: set[str] = set()
    for column in columns:
        known.update(connection.scalars(select(column).where(column.in_(filter(is_digest, digests))).distinct()))
    for path, digest in zip(paths, digests, strict=True):
        if not (digest in known and path == blobs.path(digest)):
            yield path
