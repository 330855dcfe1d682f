"""What every exchange format shares: what it is given to write, what it hands over when it reads.  Keeps no state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from app.store.records import DefectClass, Label, Mask, Revision, Source, StoredImage

_IMPORTED: Final = Source(kind="import")


@dataclass(frozen=True, slots=True, eq=False)
class Annotated:
    """One image of a workspace with what a person said of it."""

    image: StoredImage
    revision: Revision  # the newest live one
    path: Path  # the image's file, unchanged
    mask: Mask | None  # (H, W), upright; None: nobody marked the pixels


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """One image that a reader found.  The bytes and the mask are read when they are asked for, and not kept."""

    name: str  # the file's name, without folders
    data: Callable[[], bytes]  # raises an ExpectedError where the file cannot be read
    label: Label | None = None  # None: the image is there, but nobody annotated it
    mask: Callable[[], Mask | None] | None = None  # as `data`; None: no mask, see `label`
    classes: tuple[DefectClass, ...] = ()
    author: str = ""
    note: str = ""
    source: Source = _IMPORTED


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something that was not taken, and why."""

    name: str  # the file, relative to the folder
    why: str  # a sentence


class Format(Protocol):
    """One way to write annotated images to a folder and to read them again."""

    @property
    def name(self) -> str:
        """How the command line calls it."""

    @property
    def title(self) -> str:
        """How people call it."""

    def write(self, items: Iterable[Annotated], folder: Path, report: Callable[[str], None]) -> None:
        """Write to `folder`, which is there and empty.

        Args:
            items: read once, in order, one in memory at a time.
            folder: where to.
            report: gets a sentence for each thing that the format cannot hold and that was left out.
        """

    def recognises(self, folder: Path) -> bool:
        """Whether the folder looks like this format; looks at names and beginnings, never raises."""

    def read(self, folder: Path, refuse: Callable[[Refusal], None]) -> Iterator[Found]:
        """Find the images and annotations in a folder, this program's own or another's.

        Args:
            folder: untrusted; nothing outside it is opened, and no link is followed.
            refuse: gets what cannot be taken, file by file; the rest goes on.
        Raises:
            DataError: the folder as a whole cannot be read in this format.
        """
