"""Courses one after the other, each saved every few seconds, so that a job that was killed goes on where it was."""

from __future__ import annotations

import io
import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from app.services.early_stop import OnStep, Record
from app.services.teaching_course import Course

SAVE_EVERY_S: Final = 10.0  # a state of VisualAD on a small backbone has about 100 MB
_FORMAT: Final = 1
_DAMAGED: Final = (RuntimeError, KeyError, TypeError, ValueError, OSError, EOFError, pickle.UnpicklingError)


@dataclass(slots=True, eq=False)
class Runs:
    """The courses of one job, in the order in which they are asked for; the same one each time."""

    path: Path  # of the saved state
    key: str  # what decides the outcome; the state of another key is not taken up
    records: list[Record] = field(default_factory=list)  # of the courses that are finished
    _asked: int = 0
    _open: dict[str, Any] | None = None  # the course that was under way when the state was saved
    _saved_s: float = field(default_factory=time.monotonic)

    @classmethod
    def resume(cls, path: Path, key: str) -> Runs:
        """Go on from a saved state; from nothing where there is none, or one that is damaged or of another job."""
        import torch

        runs = cls(path, key)
        if not path.is_file():
            return runs
        try:
            saved = torch.load(path, map_location="cpu", weights_only=True)
            if (saved["format"], saved["key"]) == (_FORMAT, key):
                runs.records = [Record.from_values(values) for values in saved["records"]]
                runs._open = saved["open"]
        except _DAMAGED:
            return cls(path, key)
        return runs

    @property
    def resumed(self) -> bool:
        """Whether there was something to go on from."""
        return bool(self.records) or self._open is not None

    def run(self, begin: Callable[[], Course], go: Callable[[Course, Record, OnStep], None], on_step: OnStep) -> Record:
        """One course; at once where it was finished before.

        Args:
            begin: makes the course at its beginning.
            go: takes it to its end.
            on_step: told of every step; what it raises ends the course, after the state is saved.
        """
        index, self._asked = self._asked, self._asked + 1
        if index < len(self.records):
            return self.records[index]
        course, record = begin(), Record()
        if self._open is not None:
            course.restore(self._open["course"])
            record = Record.from_values(self._open["record"])
            self._open = None

        def noted(step: int, losses: dict[str, float] | None, held_out: float | None) -> None:
            if time.monotonic() - self._saved_s >= SAVE_EVERY_S:
                self._save(course, record)
            on_step(step, losses, held_out)

        go(course, record, noted)
        self.records.append(record)
        self._save(None, None)
        return record

    def forget(self) -> None:
        """Delete the saved state."""
        self.path.unlink(missing_ok=True)

    def _save(self, course: Course | None, record: Record | None) -> None:
        import torch

        from models.head_files import replace_file

        under_way = None
        if course is not None and record is not None:
            under_way = {"course": course.state(), "record": record.as_values()}
        buffer = io.BytesIO()
        state = {
            "format": _FORMAT,
            "key": self.key,
            "records": [one.as_values() for one in self.records],
            "open": under_way,
        }
        torch.save(state, buffer)
        replace_file(self.path, buffer.getvalue())
        self._saved_s = time.monotonic()
