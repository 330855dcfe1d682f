"""`python -m app versions`, and `inspect` with the active version: lines, exit codes, sentences."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import cast

import pytest
from PIL import Image

from app.cli import main
from app.services.inspector import Inspector, LoadHead, LoadModel
from app.store.versions import TaughtRevision, Version
from app.store.workspace import Workspace
from models.data.pictures import Picture
from models.registry import DEFAULT_PRESET
from tests.app.fakes import FakeModel
from tests.app.teaching_fakes import add_version, write_head

METRICS = {
    "held_out": {"before": {"image_auroc": 0.5}, "after": {"image_auroc": 0.87654}, "pictures": 4, "how": "held out"},
    "sentence": "It got better.",
}
REVISIONS = (
    TaughtRevision(image_digest="a" * 64, number=2, label="anomalous", held_out=False),
    TaughtRevision(image_digest="b" * 64, number=1, label="normal", held_out=True),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "workspace"


@pytest.fixture
def versions(folder: Path, tmp_path: Path) -> list[Version]:
    with Workspace.open(folder) as workspace:
        first = add_version(workspace, tmp_path, seed=1, metrics=METRICS, revisions=REVISIONS, settings={"steps": 60})
        second = add_version(workspace, tmp_path, seed=2, parent=first.id, mode="full", author="b\x1b[2Job")
        workspace.versions.activate(DEFAULT_PRESET, first.id, "ann")
    return [first, second]


def run(*words: object) -> int:
    return main(["versions", *map(str, words)])


def test_the_list_is_a_table_with_the_active_one_marked(
    folder: Path, versions: list[Version], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("list", folder) == 0
    heading, newer, older = capsys.readouterr().out.splitlines()
    assert heading.split()[:6] == ["name", "id", "preset", "parent", "mode", "made"]
    assert newer.split()[:8] == [
        *("version", "2", versions[1].id[:12], DEFAULT_PRESET, "version", "1", "full"),
        versions[1].created_at.strftime("%Y-%m-%d"),
    ]
    assert "b?[2Job" in newer
    assert older.startswith("*  version 1")
    assert older.endswith("1            0.5000 -> 0.8765")


def test_json_holds_everything(folder: Path, versions: list[Version], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list", folder, "--json") == 0
    newer, older = json.loads(capsys.readouterr().out)
    assert (newer["id"], newer["parent_name"], newer["active"]) == (versions[1].id, "version 1", False)
    assert (older["active"], older["metrics"], older["settings"]) == (True, METRICS, {"steps": 60})
    assert older["revisions"][1] == {"image": "b" * 64, "number": 1, "label": "normal", "held_out": True}


def test_a_workspace_without_versions_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Workspace.open(folder).close()
    assert run("list", folder) == 0
    assert capsys.readouterr().out.startswith("There is no version yet: ")


def test_a_damaged_version_is_named_below_the_others_and_is_an_exit_code(
    folder: Path, versions: list[Version], capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = folder / "versions" / f"{versions[0].id}.safetensors"
    damaged.write_bytes(b"half")
    assert run("list", folder) == 1
    out = capsys.readouterr().out
    assert "version 2" in out
    assert f"The version {damaged} is damaged; import it again, or delete it." in out


def test_show_prints_lineage_corrections_and_what_came_of_it(
    folder: Path, versions: list[Version], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("show", folder, "1") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"version 1 of {DEFAULT_PRESET}  {versions[0].id}"
    assert lines[2:] == [
        "in use",
        "1 corrections taught, 1 held out",
        "held-out image AUROC before -> after: 0.5000 -> 0.8765",
        "  aaaaaaaaaaaa revision 2: anomalous",
        "  bbbbbbbbbbbb revision 1: normal (held out)",
        "setting steps: 60",
        "It got better.",
    ]


def test_activate_roll_back_and_delete_work_together(
    folder: Path, versions: list[Version], capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (version.id[:12] for version in versions)
    assert run("activate", folder, second[:6]) == 0
    assert run("delete", folder, second) == 2
    assert run("roll-back", folder) == 0
    assert run("delete", folder, second) == 0
    assert run("activate", folder, "shipped") == 0
    assert run("roll-back", folder) == 0
    assert run("roll-back", folder) == 0
    assert run("roll-back", folder) == 2
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        f"{DEFAULT_PRESET} uses version 2 ({second}) from now on.",
        f"{DEFAULT_PRESET} uses version 1 ({first}) again.",
        f"{second} is deleted.",
        f"{DEFAULT_PRESET} uses its shipped head from now on.",
        f"{DEFAULT_PRESET} uses version 1 ({first}) again.",
        f"{DEFAULT_PRESET} uses its shipped head again.",
    ]
    assert "is the active version of" in printed.err
    assert "there is nothing to roll back to" in printed.err


def test_export_and_import_carry_a_version_to_another_workspace(
    folder: Path, versions: list[Version], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Workspace.open(tmp_path / "another").close()
    assert run("export", folder, "2", tmp_path) == 0
    exported = capsys.readouterr().out.strip()
    assert run("import", tmp_path / "another", exported) == 0
    assert run("show", tmp_path / "another", "version 2", "--json") == 0
    *_, shown = capsys.readouterr().out.split("uses it.\n")
    assert json.loads(shown)["parent_name"] == f"unknown {versions[0].id[:12]}"


def test_import_refuses_what_is_no_head(
    folder: Path, versions: list[Version], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "picture.png"
    Image.new("L", (4, 4)).save(picture)
    assert run("import", folder, picture) == 2
    assert "is damaged or no safetensors file" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("list",), ("roll-back",)])
def test_a_folder_that_is_no_workspace_is_a_sentence(
    tmp_path: Path, words: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words, tmp_path) == 2
    assert f"There is no workspace in {tmp_path}; check the path." in capsys.readouterr().err


def test_compare_draws_the_versions_in_the_order_they_were_named(
    folder: Path, versions: list[Version], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[str, str, list[tuple[str, Path | None]]]] = []

    def sheet(_: Inspector, picture: Picture, preset: str, heads: list[tuple[str, Path | None]]) -> Image.Image:
        drawn.append((picture.name, preset, heads))
        return Image.new("RGB", (8, 8))

    monkeypatch.setattr("app.services.version_sheet.version_sheet", sheet)
    picture = tmp_path / "cell.png"
    Image.new("L", (40, 30), 100).save(picture)
    assert run("compare", folder, picture, "shipped", "2", "--out", tmp_path / "out" / "sheet.png") == 0
    second = versions[1]
    path = folder / "versions" / f"{second.id}.safetensors"
    heads = [("shipped head", None), (f"version 2 ({second.id[:12]})", path)]
    assert drawn == [("cell.png", DEFAULT_PRESET, heads)]
    assert (tmp_path / "out" / "sheet.png").exists()


def inspected(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """The exit code, the checkpoint and what was said beside it."""
    code = main(["inspect", *map(str, words), "--json", "--device", "cpu"])
    printed = capsys.readouterr()
    return code, json.loads(printed.out)["checkpoint"] if printed.out else "", printed.err


def test_inspect_uses_the_active_version_and_says_so(
    folder: Path,
    versions: list[Version],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    load = cast(LoadModel, lambda _: FakeModel(checkpoint_digest="5" * 64))
    load_version = cast(LoadHead, lambda _, head: FakeModel(checkpoint_digest=head.stem))
    patched = partial(Inspector, load=load, load_version=load_version)
    monkeypatch.setattr("app.services.inspector.Inspector", patched)
    picture, mine = tmp_path / "cell.png", tmp_path / "mine.safetensors"
    Image.new("L", (40, 30), 100).save(picture)
    write_head(mine)

    code, checkpoint, said = inspected(capsys, picture, "--workspace", folder)
    assert (code, checkpoint) == (0, versions[0].id)
    assert f"Note: version {versions[0].id[:12]}, taught in {folder}, is used; --shipped for the shipped head." in said
    assert inspected(capsys, picture, "--workspace", folder, "--shipped")[:2] == (0, "5" * 64)
    assert inspected(capsys, picture, "--workspace", folder, "--checkpoint", mine)[:2] == (0, "5" * 64)
    assert inspected(capsys, picture, "--workspace", tmp_path / "nowhere")[:2] == (0, "5" * 64)
    assert not (tmp_path / "nowhere").exists()

    (folder / "versions" / f"{versions[0].id}.safetensors").write_bytes(b"half")
    code, _, said = inspected(capsys, picture, "--workspace", folder)
    assert code == 2
    assert "is damaged; roll back to the one before it" in said
