from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from app.cli import main
from app.commands.teach import parse_rule
from app.services import finetuning
from app.store.workspace import Workspace
from models.errors import ExpectedError
from tests.app.services.teaching_fakes import COUNTS, PRESET, labelled_workspace, ship_tiny_head


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ship_tiny_head(monkeypatch, tmp_path)
    monkeypatch.setattr(finetuning, "teach", partial(finetuning.teach, counts=COUNTS))


@pytest.mark.parametrize("better", [True, False])
def test_it_prints_losses_the_table_and_how_to_go_on(
    better: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.before_after.BeforeAfter.verdict", lambda _: (better, "So it is."))
    labelled_workspace(tmp_path / "w", 5, 5).close()
    code = main(["teach", str(tmp_path / "w"), "--steps", "10", "--author", "ann", "--device", "cpu", "--activate"])
    out, err = capsys.readouterr()
    with Workspace.open(tmp_path / "w") as workspace:
        version = workspace.versions.list(PRESET)[0]

    assert code == 0
    assert "step 10  loss " in err
    assert "kept back" in err
    assert "held-out    pixel AP" in out
    assert "So it is." in out
    assert ("It is used from now on" in out) == better
    assert (f"versions activate {tmp_path / 'w'} {version.id[:12]}" in out) == (not better)
    assert version.author == "ann"


def test_another_training_in_the_workspace_is_waited_for_by_the_person(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with labelled_workspace(tmp_path / "w", 2, 2) as workspace, workspace.jobs.training():
        assert main(["teach", str(tmp_path / "w"), "--device", "cpu"]) == 2

    assert "Another training runs in this workspace" in capsys.readouterr().err


def test_a_workspace_without_labels_ends_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Workspace.open(tmp_path / "w").close()

    assert main(["teach", str(tmp_path / "w"), "--device", "cpu"]) == 2
    assert "Nothing is labelled yet" in capsys.readouterr().err


def test_a_rule_is_read_from_its_option() -> None:
    assert parse_rule(None) is None
    assert parse_rule("f1") == {"kind": "f1"}
    assert parse_rule("false-alarms=0.05") == {"kind": "false_alarms", "rate": 0.05}
    for wrong in ("luck", "false-alarms", "false-alarms=2", "f1=3"):
        with pytest.raises(ExpectedError, match="--threshold is .* write f1"):
            parse_rule(wrong)
