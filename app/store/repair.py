"""Move what nothing needs out of a workspace's way, into lost+found.  Nothing is ever deleted."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.store.check import MIN_AGE_S, CheckReport, Problem, age_s
from app.store.errors import write_failure
from app.store.folder import LOST
from app.store.strays import is_stray
from app.store.workspace import Workspace

_BATCH: Final = 50  # files moved while nobody else can save


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What `repair` did."""

    moved: tuple[tuple[Path, Path], ...]  # from, to; within the workspace's folder
    remaining: tuple[Problem, ...]  # what only a person can mend


def repair(workspace: Workspace, report: CheckReport, *, min_age_s: float = MIN_AGE_S) -> RepairReport:
    """Move the orphans and leftovers that a check found into lost+found, below their own paths.

    A file that has got a row since, or has been touched, stays where it is.

    Args:
        workspace: others may save in it meanwhile.
        report: of `check`.
        min_age_s: younger files stay.
    Raises:
        StoreError: the folder or the database cannot be written.
    """
    useless = [*report.orphans, *report.leftovers]
    moved: list[tuple[Path, Path]] = []
    for start in range(0, len(useless), _BATCH):
        moved += _move(workspace, [problem.path for problem in useless[start : start + _BATCH]], min_age_s)
    return RepairReport(tuple(moved), (*report.missing, *report.damaged))


def _move(workspace: Workspace, paths: list[Path], min_age_s: float) -> list[tuple[Path, Path]]:
    moved = []
    with workspace.database.writing() as connection:  # no row can come up between the look and the move
        for path in paths:
            source = workspace.folder / path
            age = age_s(source)
            if age is None or age < min_age_s or not is_stray(workspace, connection, path):
                continue
            target = _free_place(workspace.folder / LOST / path)
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                source.rename(target)
            except OSError as error:
                raise write_failure(workspace.folder, error) from error
            moved.append((path, target.relative_to(workspace.folder)))
    return moved


def _free_place(path: Path) -> Path:
    """The path itself, or with a number behind it where there is such a file from an earlier repair."""
    place, number = path, 1
    while os.path.lexists(place):
        number += 1
        place = path.with_name(f"{path.name}.{number}")
    return place
