"""How much one import may bring, so that a crafted or mistaken source fills neither the disk nor the memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is refused beyond.  An archive inside an archive is never opened."""

    max_files: int = 20_000  # in one folder or archive
    max_file_bytes: int = 1_000_000_000  # of one file, unpacked
    max_total_bytes: int = 20_000_000_000  # of all files of one archive, unpacked
    max_ratio: int = 200  # unpacked bytes per packed byte, of an entry larger than `ratio_from_bytes`
    ratio_from_bytes: int = 100_000_000  # an empty mask saved as BMP packs 1000 to 1, and is small

    def __post_init__(self) -> None:
        for name in ("max_files", "max_file_bytes", "max_total_bytes", "max_ratio", "ratio_from_bytes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, got {getattr(self, name)}")


DEFAULT_LIMITS: Final = Limits()
