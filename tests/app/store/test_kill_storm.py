"""A process that is killed in the middle of a storm of saves loses none that it has acknowledged."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest

from app.store.check import check
from app.store.repair import repair
from app.store.workspace import Workspace
from tests.app.store.processes import Acknowledged, forking, mask_of, picture, read_acknowledgements, storm

KILLS = 30
SIZES_HW = [(61, 97), (240, 320), (600, 800)]
THREADS = 4


@pytest.mark.slow
def test_what_was_acknowledged_outlives_30_kills(tmp_path: Path) -> None:
    folder = tmp_path / "workspace"
    with Workspace.open(folder) as workspace:
        pictures = [picture(number, size_hw) for number, size_hw in enumerate(SIZES_HW)]
        digests = [workspace.add_image(data, "storm.png", author="test").image.digest for data in pictures]

    acknowledged = [save for kill in range(KILLS) for save in _storm_and_kill(folder, digests, kill)]

    assert len(acknowledged) > KILLS
    with Workspace.open(folder, create=False) as workspace:
        _assert_all_are_there(workspace, acknowledged)
        report = check(workspace, min_age_s=0)
        assert (report.missing, report.damaged) == ((), ())
        assert {problem.path for problem in report.problems} == _files_without_a_row(workspace)
        repair(workspace, report, min_age_s=0)
        assert check(workspace, min_age_s=0).problems == ()
        _assert_all_are_there(workspace, acknowledged)


def _storm_and_kill(folder: Path, digests: list[str], kill: int) -> list[Acknowledged]:
    """Start a process that saves, kill it at a moment of the seed's choice; what it acknowledged until then."""
    acknowledgements = folder.with_name(f"acknowledged-{kill}")
    seed = kill * 1_000_000
    process = forking().Process(
        target=storm, args=(folder, digests, seed, acknowledgements), kwargs={"threads": THREADS}
    )
    process.start()
    deadline = time.monotonic() + 60
    while not list(read_acknowledgements(acknowledgements)):
        assert process.is_alive(), f"the storm ended by itself, exit code {process.exitcode}"
        assert time.monotonic() < deadline, "nothing was saved within a minute"
        time.sleep(0.002)
    time.sleep(np.random.default_rng(seed).uniform(0, 0.35))
    assert process.is_alive(), f"the storm ended by itself, exit code {process.exitcode}"
    process.kill()
    process.join(10)
    return list(read_acknowledgements(acknowledgements))


def _assert_all_are_there(workspace: Workspace, acknowledged: list[Acknowledged]) -> None:
    histories = {image.digest: workspace.history(image.digest) for image in workspace.images()}
    for digest, history in histories.items():
        assert [revision.number for revision in history] == list(range(len(history), 0, -1)), digest
    by_image = {digest: {revision.number: revision for revision in history} for digest, history in histories.items()}
    assert Counter((save.digest, save.number) for save in acknowledged).most_common(1)[0][1] == 1
    for save in acknowledged:
        revision = by_image[save.digest][save.number]
        assert revision.save_id == str(save.seed)
        assert revision.mask_digest is not None
        stored = workspace.mask(revision.mask_digest)
        np.testing.assert_array_equal(stored, mask_of(save.seed, workspace.image(save.digest).size_hw))


def _files_without_a_row(workspace: Workspace) -> set[Path]:
    """By the workspace's own answers: every file below masks/ and images/ that no image and no revision names."""
    known: defaultdict[str, set[str]] = defaultdict(set)
    for image in workspace.images():
        known["images"].add(image.digest)
        known["masks"] |= {f"{revision.mask_digest}.png" for revision in workspace.history(image.digest)}
    return {
        path.relative_to(workspace.folder)
        for part in ("images", "masks")
        for path in (workspace.folder / part).rglob("*")
        if path.is_file() and path.name not in known[part]
    }
