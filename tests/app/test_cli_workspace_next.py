"""`python -m app workspace next`: the order, the reasons, and a look before."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.cli import main
from app.store.records import NewRevision
from app.store.workspace import Workspace
from models.registry import DEFAULT_PRESET
from tests.app.fakes import FakeModel
from tests.app.store.making import add, proposal

STEERING = "n\x1bear"  # with a character that a terminal obeys


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A picture on the threshold, one far above it, one that nobody looked at, and one that is labelled."""
    with Workspace.open(tmp_path / "workspace") as workspace:
        clear, near, _, done = (add(workspace, *entry) for entry in enumerate(["clear", STEERING, "new", "done"]))
        workspace.add_proposal(clear, proposal(image_score=1.5))
        workspace.add_proposal(near, proposal(image_score=0.5))
        workspace.save(done, NewRevision("normal", None, "ann"))
    return tmp_path / "workspace"


def digests(folder: Path) -> dict[str, str]:
    with Workspace.open(folder, create=False) as workspace:
        return {image.name: image.digest[:12] for image in workspace.images()}


def test_the_pictures_come_in_order_with_a_word_on_why(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["workspace", "next", "--workspace", str(folder)]) == 0

    printed, of = capsys.readouterr(), digests(folder)
    assert printed.out.splitlines() == [
        "benefit     score  digest        name: why",
        f"   1.00    0.5000  {of[STEERING]}  n?ear: its score lies next to the threshold",
        f"   0.20    1.5000  {of['clear']}  clear: its score is clear; not compared with the others yet",
        f"   0.00         -  {of['new']}  new: no model has looked at it yet",
    ]
    assert printed.err == "Not every picture was looked at; `workspace next --look PRESET` does it.\n"


def test_the_limit_holds(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["workspace", "next", "--limit", "1", "--workspace", str(folder)])

    assert len(capsys.readouterr().out.splitlines()) == 2


def test_a_look_runs_the_preset_and_orders_the_queue(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("app.services.heads.load_head", lambda *_: FakeModel())

    command = [
        "workspace",
        "next",
        "--look",
        DEFAULT_PRESET,
        "--workspace",
        str(folder),
        "--weights-dir",
        str(tmp_path),
    ]
    assert main(command) == 0

    printed = capsys.readouterr()
    assert printed.err.splitlines()[-1].endswith("Looked at 4 of 4 pictures")
    assert "no model has looked at it yet" not in printed.out
    with Workspace.open(folder, create=False) as workspace:
        assert {item.image.name: item.benefit is None for item in workspace.queue(sort="benefit").items} == {
            "clear": False, STEERING: False, "new": False, "done": True,
        }  # fmt: skip


def test_where_all_is_labelled_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Workspace.open(tmp_path).close()

    assert main(["workspace", "next", "--workspace", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "Every picture is labelled.\n"
