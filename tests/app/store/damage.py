"""Old files, and what a check says of them, for the tests of check and repair."""

from __future__ import annotations

import os
import time
from pathlib import Path

from app.store.check import CheckReport
from app.store.workspace import Workspace

STRANGE = "0" * 64  # the digest of nothing


def mask_path(workspace: Workspace, digest: str, number: int = 1) -> Path:
    mask_digest = workspace.revision(digest, number).mask_digest
    assert mask_digest is not None
    return workspace.mask_files.path(mask_digest)


def put(path: Path, data: bytes = b"x", age_s: float = 3600) -> Path:
    """Write a file that is an hour old."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    written_at = time.time() - age_s
    os.utime(path, (written_at, written_at))
    return path


def found(report: CheckReport) -> list[tuple[str, str]]:
    return sorted((problem.kind, problem.path.as_posix()) for problem in report.problems)
