"""Telling a disk that is full or fails from one file that is at fault."""

from __future__ import annotations

import errno
from typing import Final

_DISK_TROUBLE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE})


def is_disk_trouble(error: OSError) -> bool:
    """Whether going on with the next file is pointless: the disk is full, read-only or failing."""
    return error.errno in _DISK_TROUBLE
