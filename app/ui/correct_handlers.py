"""What happens when someone acts on the Correct tab's toolbar; plain values in, component values out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.services.annotating import Annotator
from app.services.beside_normals import asked_for
from app.services.next_to_label import LookingProgress
from app.services.proposing import ProposingProgress
from app.store.exchange.exporting import ExportReport, export_zip
from app.store.intake.report import IntakeReport
from app.store.intake.take_in import take_in
from app.ui.scratch import Scratch
from models.errors import DataError
from models.registry import get_preset

_MOST_LINES: Final = 40
_TELL_EVERY_S: Final = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class CorrectDesk:
    """What the tab's handlers work with; one for the whole process."""

    annotator: Annotator
    scratch: Scratch

    def take_in(self, paths: Sequence[str] | None, author: str, progress: Callable[[int, int], None]) -> str:
        """Import uploaded files: pictures, masks beside them, zips; returns the report.

        Raises:
            DataError: nothing was uploaded.
            StoreError: the import ended early; what came in before stays.
        """
        # A folder of uploads would hold those of other visitors too.
        if not paths or not all(Path(path).is_file() for path in paths):
            raise DataError("Nothing arrived; choose pictures, a zip or a folder again.")
        report = take_in(self.annotator.workspace, [Path(path) for path in paths], author=author, progress=progress)
        return intake_text(report)

    def propose_all(self, preset: str) -> Iterator[str]:
        """Propose for every image that has no proposal of this preset's model yet, and order the queue by benefit.

        Returns:
            What to show.

        Raises:
            WeightsError: the preset's weights are missing or damaged.
        """
        told_s, progress = 0.0, None
        for progress in self.annotator.proposer.propose_all(preset):
            if time.monotonic() - told_s >= _TELL_EVERY_S:
                told_s = time.monotonic()
                yield proposing_text(progress)
        for looking in self._look(preset):
            if time.monotonic() - told_s >= _TELL_EVERY_S:
                told_s = time.monotonic()
                yield looking_text(looking)
        if progress is not None:
            yield proposing_text(progress, finished=True)

    def _look(self, preset: str) -> Iterator[LookingProgress]:
        """The images as a preset sees them alone; one that knows nothing but references sees none."""
        name = asked_for(preset).preset
        return iter(()) if get_preset(name).needs_references else self.annotator.next_to_label.look(name)

    def export(self, format_name: str) -> tuple[str, str]:
        """Write the workspace's annotations as a zip; returns its path and the report.

        Raises:
            DataError: there is no such format, or nothing to export.
            StoreError: the disk is full or the workspace damaged.
        """
        path = self.scratch.folder() / f"oddity-{Path(format_name).name}.zip"
        report = export_zip(self.annotator.workspace, format_name, path)
        return str(path), export_text(report)


def intake_text(report: IntakeReport) -> str:
    """An import's report, a line each, for a plain text box."""
    counted = [
        (report.added, "added"),
        (report.known, "known already"),
        (report.annotations, "annotations taken in"),
        (report.unchanged, "annotations unchanged"),
        (len(report.refused), "refused"),
    ]
    first = ", ".join(f"{number:,} {what}" for number, what in counted if number or what == "added")
    lines = [*(f"{refusal.name}: {refusal.why}" for refusal in report.refused), *report.notes]
    return "\n".join([f"Import: {first}.", *_shortened(lines)])


def proposing_text(progress: ProposingProgress, *, finished: bool = False) -> str:
    """How far proposing for all images is."""
    how_far = "Proposals are there" if finished else "Proposing"
    first = f"{how_far}: {progress.done:,} of {progress.total:,} images, {progress.proposed:,} new."
    return "\n".join([first, *_shortened(progress.refused)])


def looking_text(progress: LookingProgress) -> str:
    """How far comparing the images is, for the queue's order by benefit."""
    return f"Looking for what to label next: {progress.done:,} of {progress.total:,} images."


def export_text(report: ExportReport) -> str:
    """An export's report."""
    noun = "image" if report.images == 1 else "images"
    return "\n".join(
        [f"Export as {report.format}: {report.images:,} {noun}.", *_shortened([*report.notes, *report.left_out])]
    )


def _shortened(lines: Sequence[str]) -> list[str]:
    """The first lines, and how many there are besides."""
    more = len(lines) - _MOST_LINES
    return [*lines[:_MOST_LINES], *([f"… and {more:,} more."] if more > 0 else [])]
