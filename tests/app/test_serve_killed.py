"""Kill -9 of the server in the middle of a storm of saves: whatever it has acknowledged is there, whole."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from app.cli import main
from app.store.check import check
from app.store.workspace import Workspace
from tests.app.store.processes import picture
from tests.app.storm import Server, Storm, servers

pytestmark = pytest.mark.slow

KILLS = 30
SIZES_HW = [(61, 97), (240, 320)]
VISITORS = 4


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    with Workspace.open(folder) as workspace:
        for number, size_hw in enumerate(SIZES_HW):
            workspace.add_image(picture(number, size_hw), f"{number}.png", author="test")
    return folder


def storm_over(folder: Path) -> Storm:
    with Workspace.open(folder, create=False) as workspace:
        return Storm([(image.digest, image.size_hw) for image in workspace.images()])


def rage_and_kill(storm: Storm, server: Server, round_number: int) -> None:
    """Kill the server after a number of acknowledgements, and a moment more, of the seed's choice."""
    random = np.random.default_rng(round_number)
    enough = len(storm.acknowledged) + int(random.integers(1, 25))
    first_seed = 1_000_000 * (round_number + 1)
    visitors = storm.rage(server.url, [first_seed + 10_000 * visitor for visitor in range(VISITORS)])
    deadline = time.monotonic() + 60
    while len(storm.acknowledged) < enough:
        assert time.monotonic() < deadline, f"the saves stopped by themselves: {storm.refused}"
        assert any(visitor.is_alive() for visitor in visitors), f"the visitors gave up: {storm.refused}"
        time.sleep(0.001)
    time.sleep(random.uniform(0, 0.03))
    server.kill()
    for visitor in visitors:
        visitor.join(60)
    assert len(storm.pending) == VISITORS  # nobody had stopped: the kill came amid saves
    assert storm.refused == []


def assert_all_are_there(folder: Path, storm: Storm) -> None:
    with Workspace.open(folder, create=False) as workspace:
        found = {
            int(revision.save_id): revision
            for image in workspace.images()
            for revision in workspace.history(image.digest)
        }
        for digest, _ in storm.images:
            history = workspace.history(digest)
            assert [revision.number for revision in history] == list(range(len(history), 0, -1))
            assert Counter(revision.save_id for revision in history).most_common(1)[0][1] == 1
        for seed, (save, number) in storm.acknowledged.items():
            assert (found[seed].image_digest, found[seed].number) == (save.digest, number)
            mask_digest = found[seed].mask_digest
            assert mask_digest is not None
            assert np.array_equal(workspace.mask(mask_digest), save.mask())
        unanswered = {save.seed for save in storm.pending}
        assert set(found) - unanswered <= set(storm.acknowledged)


def files_without_a_row(folder: Path) -> set[Path]:
    """Every file below masks/ and images/ that no image and no revision names."""
    with Workspace.open(folder, create=False) as workspace:
        images = list(workspace.images())
        revisions = [revision for image in images for revision in workspace.history(image.digest)]
    known = {image.digest for image in images} | {f"{revision.mask_digest}.png" for revision in revisions}
    files = (path for part in ("images", "masks") for path in (folder / part).rglob("*") if path.is_file())
    return {path.relative_to(folder) for path in files if path.name not in known}


def assert_the_check_is_exact(folder: Path) -> None:
    """Nothing is missing or damaged, and what is left over is named file by file."""
    with Workspace.open(folder, create=False) as workspace:
        report = check(workspace, min_age_s=0)
    assert (report.missing, report.damaged, report.young) == ((), (), 0)
    assert {problem.path for problem in report.problems} == files_without_a_row(folder)


def test_what_the_server_acknowledged_outlives_30_kills(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    storm = storm_over(folder)
    with servers() as helper:
        for kill in range(KILLS):
            server = helper.start(folder)
            storm.send_again(server.url)
            rage_and_kill(storm, server, kill)
            assert_the_check_is_exact(folder)
    assert len(storm.acknowledged) > 5 * KILLS
    assert_all_are_there(folder, storm)

    orphans = files_without_a_row(folder)
    check_again = ["workspace", "check", "--min-age", "0", "--workspace", str(folder)]
    assert main(check_again) == (1 if orphans else 0)
    said = capsys.readouterr().out
    assert all(str(orphan) in said for orphan in orphans)
    assert main([*check_again, "--repair"]) == 0
    assert main(check_again) == 0
    assert "all is well" in capsys.readouterr().out
    assert_all_are_there(folder, storm)


def test_the_command_is_killed_and_started_again_on_its_workspace(folder: Path) -> None:
    storm = storm_over(folder)
    for kill in range(2):
        process, url = start_command(folder)
        try:
            storm.send_again(url)
            rage_and_kill(storm, Server(process.pid, url), kill)
        finally:
            process.kill()
        assert process.wait(60) == -signal.SIGKILL
    assert_all_are_there(folder, storm)
    assert_the_check_is_exact(folder)


def start_command(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """`python -m app serve`; the engine finds no weights, so that only the page is started."""
    command = [sys.executable, "-m", "app", "serve", "--port", "0", "--workspace", str(folder)]
    nothing = folder.with_name("no-weights")
    process = subprocess.Popen(
        [*command, "--weights-dir", str(nothing)], env=os.environ | {"HF_HUB_OFFLINE": "1"},
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    found = re.search(r"is open at (\S+)", process.stdout.readline())
    assert found is not None, "the server did not start"
    return process, found[1]
