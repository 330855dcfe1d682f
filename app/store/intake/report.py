"""What an import did, and what it could not take.  `Tally` counts while it goes on, `IntakeReport` is the end of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from app.store.errors import StoreError
from app.store.exchange.base import Refusal

_MOST_SAME_CONTENT_NOTES: Final = 100


@dataclass(frozen=True, slots=True)
class IntakeReport:
    """What an import did."""

    added: int  # images that the workspace did not have
    known: int  # images that it had, byte for byte
    annotations: int  # revisions that were saved
    unchanged: int  # annotations that equal the image's newest one; nothing was saved for them
    refused: tuple[Refusal, ...]
    notes: tuple[str, ...]  # sentences

    @property
    def images(self) -> int:
        """How many images were looked at and are in the workspace now."""
        return self.added + self.known


class IntakeStoppedError(StoreError):
    """An import ended before its end: the disk is full, the database is gone, or a person stopped it."""

    def __init__(self, why: str, report: IntakeReport, *, interrupted: bool = False) -> None:
        super().__init__(
            f"{why.rstrip('.')}; {count(report.added, 'new image')} and {count(report.annotations, 'annotation')} had "
            "come in before and stay, so run the same import again for the rest."
        )
        self.report = report
        self.interrupted = interrupted  # by a person


@dataclass(slots=True)
class Tally:
    """Counts of one import so far."""

    progress: Callable[[int, int], None] | None = None  # images done, and about how many there are
    added: int = 0
    known: int = 0
    annotations: int = 0
    unchanged: int = 0
    skipped: int = 0  # hidden files and those of an operating system
    expected: int = 0  # images, a guess from the names of the files
    _done: int = 0
    _refused: dict[tuple[str, str], Refusal] = field(default_factory=dict)
    _notes: list[str] = field(default_factory=list)
    _same_content: int = 0

    def refuse(self, refusal: Refusal) -> None:
        """Note what is not taken; the same twice is noted once."""
        self._refused.setdefault((refusal.name, refusal.why), refusal)

    def note(self, sentence: str) -> None:
        """Note something that people should know."""
        self._notes.append(sentence)

    def same_content(self, name: str, known_as: str) -> None:
        """Note that an image is there already under another name; beyond a hundred they are only counted."""
        self._same_content += 1
        if self._same_content <= _MOST_SAME_CONTENT_NOTES:
            self._notes.append(f"{name} has the same content as {known_as}, which the workspace has.")

    def looked_at_one(self) -> None:
        """One image is done."""
        self._done += 1
        self._tell()

    def source_done(self, expected: int) -> None:
        """A source is read to its end: what is expected so far is what was found."""
        self.expected = max(expected, self._done)
        self._tell()

    def report(self) -> IntakeReport:
        """The counts as they are now."""
        notes = list(self._notes)
        more = self._same_content - _MOST_SAME_CONTENT_NOTES
        if more > 0:
            notes.append(f"{count(more, 'more image')} had the same content as one of another name.")
        if self.skipped:
            notes.append(f"{count(self.skipped, 'hidden or system file')} passed over.")
        return IntakeReport(
            self.added, self.known, self.annotations, self.unchanged, tuple(self._refused.values()), tuple(notes)
        )

    def _tell(self) -> None:
        if self.progress is not None:
            self.progress(self._done, max(self.expected, self._done))


def count(number: int, what: str) -> str:
    """A number and its noun: "1 image", "1,200 images"."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
