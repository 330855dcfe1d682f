"""A process that is killed at any step leaves what it did whole or not at all, and it can be done again."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.store.check import check
from app.store.workspace import Workspace
from tests.app.store.processes import forking, mask_of, open_and_die, picture, save, save_and_die

SIZE_HW = (30, 50)


@pytest.mark.slow
def test_a_save_that_was_cut_off_anywhere_can_be_sent_again(tmp_path: Path, database_url: str | None) -> None:
    folder = tmp_path / "workspace"
    was_there = []
    with Workspace.open(folder, database_url) as workspace:
        for number in range(256):  # so that every save takes the same steps
            (folder / "masks" / f"{number:02x}").mkdir(parents=True)
        digest = workspace.add_image(picture(0, SIZE_HW), "cell.png", author="test").image.digest

        for step in itertools.count(1):
            exit_code = _run(save_and_die, folder, database_url, digest, step, step)
            report = check(workspace, min_age_s=0)
            again = save(workspace, digest, step, based_on=0, author="short-lived")
            was_there.append(again.repeated)

            assert (report.missing, report.damaged) == ((), ()), step
            assert again.revision.number == step
            assert again.revision.mask_digest is not None
            np.testing.assert_array_equal(workspace.mask(again.revision.mask_digest), mask_of(step, SIZE_HW))
            if exit_code == 0:
                break
            assert exit_code == -signal.SIGKILL

        assert len(was_there) > 10
        assert was_there == [False] * (len(was_there) - 2) + [True] * 2  # there from the acknowledgement on, not before
        assert [revision.number for revision in workspace.history(digest)] == list(range(len(was_there), 0, -1))
        assert check(workspace, min_age_s=0).orphans == ()


@pytest.mark.slow
def test_a_workspace_whose_making_was_cut_off_anywhere_can_be_opened(tmp_path: Path) -> None:
    for step in itertools.count(1):
        folder = tmp_path / str(step)
        exit_code = _run(open_and_die, folder, step)

        with Workspace.open(folder) as workspace:
            added = workspace.add_image(picture(0, SIZE_HW), "cell.png", author="test")
            assert [image.digest for image in workspace.images()] == [added.image.digest], step
            assert {problem.kind for problem in check(workspace, min_age_s=0).problems} <= {"leftover"}, step
        if exit_code == 0:
            break
        assert exit_code == -signal.SIGKILL
    assert step > 10


def _run(act: Callable[..., None], *arguments: object) -> int | None:
    process = forking().Process(target=act, args=arguments)
    process.start()
    process.join(60)
    return process.exitcode
