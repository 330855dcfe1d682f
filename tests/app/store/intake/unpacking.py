"""Unpacks a zip as `take_in` does, and sees that nothing lands elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from app.store.exchange.base import Refusal
from app.store.intake.archives import Unpacked, unpack
from app.store.intake.limits import Limits
from tests.app.store.intake.zips import (
    Entry,
)

GOOD: Entry = ("good.png", b"good")


@dataclass
class Result:
    unpacked: Unpacked
    files: dict[str, bytes]
    refused: dict[str, str] = field(default_factory=dict)


def unpack_all(archive: Path, limits: Limits | None = None) -> Result:
    """Unpack into the folder `out` beside the archive, and see that nothing else has changed around it."""
    out = archive.parent / "parent" / "out"
    out.mkdir(parents=True)
    before = {path for path in archive.parent.rglob("*") if out not in path.parents}
    refused: list[Refusal] = []

    unpacked = unpack(archive, out, refused.append, limits or Limits())

    assert {path for path in archive.parent.rglob("*") if out not in path.parents} == before
    files = {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert not any(path.is_symlink() for path in out.rglob("*"))
    assert unpacked.files == len(files)
    return Result(unpacked, files, {refusal.name: refusal.why for refusal in refused})
