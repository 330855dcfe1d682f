"""What can go wrong with a workspace, each in one sentence for the person who meets it."""

from __future__ import annotations

import errno
from pathlib import Path

from models.errors import ExpectedError


class StoreError(ExpectedError):
    """A workspace cannot do what was asked of it; nothing was changed."""


class UnknownImageError(StoreError):
    """An image was asked for that the workspace does not hold."""


def write_failure(path: Path, error: OSError) -> StoreError:
    """The sentence for a file or folder that could not be written.

    Args:
        path: the workspace, or what in it was to be written.
        error: what the system said.
    """
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StoreError(f"The disk of {path} is full, so nothing was saved; make room, then save again.")
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return StoreError(f"{path} may not be written by this user; change its permissions or choose another folder.")
    if error.errno in {errno.EEXIST, errno.ENOTDIR}:
        return StoreError(f"{path} is a file or lies below one, and a folder is needed; choose another folder.")
    if error.errno == errno.ENOENT:
        return StoreError(f"{path} is no longer there; put it back where it was, or open it where it is now.")
    return StoreError(f"{path} cannot be written ({error.strerror or error}); check the disk, then try again.")


def read_only_failure(path: Path) -> StoreError:
    """The sentence for a change that was asked of something that may only be read."""
    return StoreError(
        f"{path} may not be written by this user; change its permissions, or work on a copy of the workspace."
    )


def busy_sentence(path: Path) -> str:
    """The sentence for who waited in vain until nobody else changes something."""
    return f"{path} is being changed by another program and did not come free in time; try again."
