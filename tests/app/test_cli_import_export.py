"""`python -m app import-data` and `export-data`: what comes in, goes out and comes back the same; exit codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.cli import main
from app.store.workspace import Workspace
from tests.app.store.intake.zips import mask_png, png, write_zip

SCRATCH = np.zeros((20, 30), dtype=np.bool_)
SCRATCH[3, 2:28] = True
SPOTS = np.zeros((20, 30), dtype=np.bool_)
SPOTS[1:4, 1:4] = SPOTS[10:15, 20:29] = True
SPOTS[12, 22] = False  # a hole
NORMAL = np.zeros((20, 30), dtype=np.bool_)
MASKS = {"scratch.png": SCRATCH, "spots.png": SPOTS, "normal.png": NORMAL}


def import_data(workspace: Path, *arguments: object) -> int:
    return main(["import-data", *map(str, arguments), "--workspace", str(workspace), "--author", "Ada"])


def export_data(workspace: Path, format_name: str, out: Path) -> int:
    return main(["export-data", "--format", format_name, "--out", str(out), "--workspace", str(workspace)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "cells"
    (folder / "masks").mkdir(parents=True)
    for seed, (name, mask) in enumerate(MASKS.items()):
        (folder / name).write_bytes(png(20, 30, seed))
        (folder / "masks" / name).write_bytes(mask_png(mask))
    return folder


def stored(folder: Path) -> dict[str, tuple[bytes, str, np.ndarray]]:
    """From an image's name to its bytes, its label and its mask."""
    with Workspace.open(folder, create=False) as workspace:
        return {
            image.name: (
                workspace.image_bytes(image.digest),
                str(revision.label),
                workspace.mask(revision.mask_digest or ""),
            )
            for image, revision in workspace.annotated()
        }


@pytest.mark.parametrize("format_name", ["mvtec", "coco"])
@pytest.mark.parametrize("ending", ["", ".zip"])
def test_what_was_imported_and_exported_comes_back_bit_for_bit(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str], format_name: str, ending: str
) -> None:
    first, second, out = tmp_path / "first", tmp_path / "second", tmp_path / f"out{ending}"

    assert import_data(first, folder) == 0
    assert export_data(first, format_name, out) == 0
    assert import_data(second, out) == 0

    assert out.is_file() == (ending == ".zip")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "images: 3 new, 0 known; annotations: 3 saved, 0 unchanged; refused: 0"
    assert lines[1] == f"wrote 3 images as {format_name} to {out}"
    assert lines[2] == lines[0]
    before, after = stored(first), stored(second)
    assert set(before) == set(after) == set(MASKS)
    for name, mask in MASKS.items():
        assert np.array_equal(after[name][2], mask)
        assert after[name][:2] == before[name][:2]
        assert after[name][1] == ("normal" if name == "normal.png" else "anomalous")


def test_what_is_refused_is_named_on_stderr_and_the_exit_code_is_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = write_zip(tmp_path / "set.zip", ("a.png", png(6, 8)), ("../evil.png", b"x"), (".DS_Store", b"x"))

    assert import_data(tmp_path / "workspace", archive) == 1

    captured = capsys.readouterr()
    assert captured.out == "images: 1 new, 0 known; annotations: 0 saved, 0 unchanged; refused: 1\n"
    assert captured.err.splitlines()[-2:] == [
        "note: 1 hidden or system file passed over.",
        'refused: set.zip: ../evil.png: The path climbs out of its folder with ".."; '
        "rename it and pack the archive anew.",
    ]


def test_a_name_of_a_file_cannot_write_to_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "red\x1b[31m\n.png").write_bytes(b"no picture")

    assert import_data(tmp_path / "workspace", *tmp_path.glob("*.png")) == 1

    [line] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("refused")]
    assert line.startswith("refused: red?[31m?.png: ")


def test_an_interruption_says_how_far_it_got_and_is_exit_code_130(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save = Workspace.save

    def interrupted_at_the_second(self: Workspace, digest: str, *arguments: object) -> object:
        if self.image(digest).name == "scratch.png":
            raise KeyboardInterrupt
        return save(self, digest, *arguments)  # type: ignore[arg-type]  # passed on as it came

    monkeypatch.setattr(Workspace, "save", interrupted_at_the_second)

    assert import_data(tmp_path / "workspace", folder) == 130

    captured = capsys.readouterr()
    assert captured.out == "images: 2 new, 0 known; annotations: 1 saved, 0 unchanged; refused: 0\n"
    assert "interrupted: The import was interrupted; 2 new images and 1 annotation had come in" in captured.err
    assert list(stored(tmp_path / "workspace")) == ["normal.png"]


def test_an_import_into_something_that_is_no_workspace_is_one_line(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")

    assert import_data(tmp_path / "file", folder) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_an_export_of_no_workspace_is_one_line_and_makes_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export_data(tmp_path / "gone", "coco", tmp_path / "out") == 2

    assert capsys.readouterr().err.startswith("error: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["import-data", "export-data"])
def test_a_format_that_does_not_exist_is_refused_with_those_that_do(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([command, "x", "--format", "voc"])

    assert "mvtec" in capsys.readouterr().err


def test_what_to_know_of_turned_pictures_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (30, 20)).save(tmp_path / "turned.jpg", exif=exif)
    Image.fromarray(SCRATCH.T).save(tmp_path / "turned_mask.png")
    import_data(tmp_path / "w", tmp_path / "turned.jpg", tmp_path / "turned_mask.png")

    assert export_data(tmp_path / "w", "masks", tmp_path / "out") == 0

    assert "note: 1 pictures carry an EXIF orientation" in capsys.readouterr().err
