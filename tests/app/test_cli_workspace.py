"""`python -m app workspace`: what is in it, what happened to a picture, and whether all is well."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from app.cli import main
from app.store.records import DefectClass, NewRevision, Source
from app.store.workspace import Workspace
from tests.app.store.damage import STRANGE, put
from tests.app.store.making import add, anomalous, proposal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A corrected picture with a long history, one that nobody is sure of, and two of the same name."""
    with Workspace.open(tmp_path / "workspace") as workspace:
        cell, odd, _, last = (
            add(workspace, *entry) for entry in enumerate(["cell.png", "o\x1b[1md.png", "two", "two"])
        )
        proposed = workspace.add_proposal(cell, proposal((0, 0)))
        source = Source(kind="proposal", preset="tiny", checkpoint="c" * 64, proposal_id=proposed.id)
        classes = (DefectClass((1, 1), "crack"),)
        workspace.save(cell, replace(anomalous((1, 1), (5, 3)), classes=classes, note="two\nlines", source=source))
        workspace.delete(cell, author="bob", based_on=1, note="by mistake")
        workspace.restore(cell, 1, author="cem", based_on=2)
        workspace.save(odd, NewRevision("unsure", None, "dora"))
        workspace.save(last, NewRevision("normal", None, "dora"))
    return tmp_path / "workspace"


def digests(folder: Path) -> list[str]:
    with Workspace.open(folder, create=False) as workspace:
        return [image.digest for image in workspace.images()]


def without_times(text: str) -> list[str]:
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", text).splitlines()


def test_list_counts_the_states_and_shows_every_picture(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cell, odd, first, second = (digest[:12] for digest in digests(folder))

    assert main(["workspace", "list", "--workspace", str(folder)]) == 0

    lines = [re.sub(r"  +", "  ", line) for line in without_times(capsys.readouterr().out)]
    assert lines[:2] == [
        "4 pictures: 1 new, 0 proposed, 2 corrected, 0 confirmed, 1 unsure",
        "digest  state  revision  saved (UTC)  author  name",
    ]
    assert lines[2:4] == [f"{cell}  corrected  3  TIME  cem  cell.png", f"{odd}  unsure  1  TIME  dora  o?[1md.png"]
    assert sorted(lines[4:]) == sorted([f"{first}  new  -  -  -  two", f"{second}  corrected  1  TIME  dora  two"])


def test_list_shows_more_pictures_than_are_read_at_once(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.commands.workspace._PAGE", 3)

    main(["workspace", "list", "--workspace", str(folder)])

    listed = {line[:12] for line in capsys.readouterr().out.splitlines()[2:]}
    assert listed == {digest[:12] for digest in digests(folder)}


def test_history_tells_who_did_what_newest_first(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["workspace", "history", "cell.png", "--workspace", str(folder)]) == 0

    lines = [line.strip() for line in without_times(capsys.readouterr().out)]
    assert lines == [
        f"cell.png  6 x 4 px  {digests(folder)[0]}",
        "added TIME by ann",
        "3  TIME  cem               anomalous; 2 regions, 2 px; crack; restore tiny cccccccccccc revision 1;"
        " after revision 2; two?lines",
        "2  TIME  bob               deleted; by mistake",
        "1  TIME  ann               anomalous; 2 regions, 2 px; crack; proposal tiny cccccccccccc; two?lines",
    ]


def test_history_takes_the_beginning_of_a_digest(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    digest = digests(folder)[1]

    assert main(["workspace", "history", digest[:6].upper(), "--workspace", str(folder)]) == 0

    header, _, revision = capsys.readouterr().out.splitlines()
    assert header.endswith(digest)
    assert revision.endswith("unsure; no mask; hand")


def test_a_name_that_two_pictures_have_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (digest[:12] for digest in digests(folder)[2:])

    assert main(["workspace", "history", "two", "--workspace", str(folder)]) == 2

    assert capsys.readouterr().err == (
        f"error: 2 pictures are called 'two'; name one by its digest: {first}, {second}.\n"
    )


def test_a_picture_that_is_not_there_is_one_sentence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["workspace", "history", digests(folder)[0][:5], "--workspace", str(folder)]) == 2

    assert re.match(
        r"error: No picture is called '.{5}'; `workspace list` shows the names and digests that there are.\n$",
        capsys.readouterr().err,
    )


def test_check_says_that_all_is_well(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["workspace", "check", "--workspace", str(folder)]) == 0

    assert capsys.readouterr().out == "4 pictures and 3 masks checked: all is well\n"


def test_check_finds_and_repair_moves(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(folder / "masks" / "00" / f"{STRANGE}.png")
    put(folder / "images" / "young", age_s=0)
    check = ["workspace", "check", "--workspace", str(folder)]
    orphan = f"orphan    masks/00/{STRANGE}.png  No row of the database names this file; nothing needs it."
    young = "1 file younger than 60 s passed over: a save may be on its way"

    assert main(check) == 1
    assert capsys.readouterr().out.splitlines() == [
        orphan,
        "4 pictures and 3 masks checked: 1 problem found",
        young,
        "`workspace check --repair` moves what nothing needs into lost+found",
    ]
    assert main([*check, "--repair"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        orphan,
        f"moved     masks/00/{STRANGE}.png  to lost+found/masks/00/{STRANGE}.png",
        "4 pictures and 3 masks checked: all is well",
        young,
    ]
    assert main([*check, "--min-age", "0"]) == 1
    assert capsys.readouterr().out.startswith("orphan    images/young  ")


def test_what_cannot_be_repaired_stays_a_problem(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    digest = digests(folder)[0]
    (folder / "images" / digest[:2] / digest).unlink()

    assert main(["workspace", "check", "--repair", "--workspace", str(folder)]) == 1

    assert capsys.readouterr().out.splitlines() == [
        f"missing   images/{digest[:2]}/{digest}  The file of cell.png ({digest[:12]}) is not there;"
        " add the picture again, or restore it from a backup.",
        "4 pictures and 3 masks checked: 1 problem left",
    ]


@pytest.mark.parametrize("action", [["check"], ["list"], ["history", "cell.png"]])
def test_a_workspace_is_not_made_by_looking(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], action: list[str]
) -> None:
    assert main(["workspace", *action, "--workspace", str(tmp_path / "none")]) == 2

    assert capsys.readouterr().err == f"error: There is no workspace in {tmp_path}/none; check the path.\n"
    assert not (tmp_path / "none").exists()


def test_the_environment_names_the_workspace_and_options_go_over_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ODDITY_WORKSPACE", str(folder))
    assert main(["workspace", "check"]) == 0

    monkeypatch.setenv("ODDITY_WORKSPACE", str(tmp_path / "none"))
    assert main(["workspace", "check", "--workspace", str(folder)]) == 0

    monkeypatch.setenv("ODDITY_DATABASE", "mysql://here")
    assert main(["workspace", "check", "--workspace", str(folder)]) == 2
    assert capsys.readouterr().err.startswith("error: The database address begins with mysql://; ")
