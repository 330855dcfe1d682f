"""Eight people save into one workspace at the same time: nothing is lost, and everyone is told."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from app.store.check import check
from app.store.workspace import Workspace
from tests.app.store.processes import Acknowledged, forking, mask_of, picture, read_acknowledgements, write_in_turns

WRITERS = 8
IMAGES = 40


@pytest.mark.slow
def test_eight_processes_save_400_corrections(tmp_path: Path, database_url: str | None) -> None:
    folder = tmp_path / "workspace"
    with Workspace.open(folder, database_url) as workspace:
        for number in range(IMAGES):
            workspace.add_image(picture(number, (40, 60 + number)), f"{number}.png", author="test")

    acknowledged = _write_together(folder, database_url)

    assert len(acknowledged) == 400
    with Workspace.open(folder, database_url, create=False) as workspace:
        _assert_none_is_lost(workspace, acknowledged)
        assert check(workspace, min_age_s=0).problems == ()
    _assert_everyone_was_told(acknowledged)


def _write_together(folder: Path, database_url: str | None) -> list[Acknowledged]:
    context = forking()
    start = context.Barrier(WRITERS)
    files = [folder.with_name(f"acknowledged-{writer}") for writer in range(WRITERS)]
    processes = [
        context.Process(target=write_in_turns, args=(folder, database_url, writer, start, file))
        for writer, file in enumerate(files)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(300)
    try:
        assert [process.exitcode for process in processes] == [0] * WRITERS
    finally:
        for process in processes:
            process.kill()
    return [save for file in files for save in read_acknowledgements(file)]


def _assert_none_is_lost(workspace: Workspace, acknowledged: list[Acknowledged]) -> None:
    by_place = {(save.digest, save.number): save for save in acknowledged}
    assert len(by_place) == 400
    seen = 0
    for image in workspace.images():
        history = workspace.history(image.digest)
        assert [revision.number for revision in history] == list(range(len(history), 0, -1))
        for revision in history:
            save = by_place[image.digest, revision.number]
            assert revision.mask_digest is not None
            np.testing.assert_array_equal(workspace.mask(revision.mask_digest), mask_of(save.seed, image.size_hw))
            seen += 1
    assert seen == 400


def _assert_everyone_was_told(acknowledged: list[Acknowledged]) -> None:
    """Each save names exactly those that came between what its author saw and itself."""
    numbers_of = defaultdict(list)
    for save in acknowledged:
        numbers_of[save.digest].append(save.number)
    for digest, numbers in numbers_of.items():
        assert sorted(numbers) == list(range(1, len(numbers) + 1)), digest
    for save in acknowledged:
        assert save.overtaken == tuple(range(save.based_on + 1, save.number))
    assert any(save.overtaken for save in acknowledged), "no two writers met, so nothing was tested"
