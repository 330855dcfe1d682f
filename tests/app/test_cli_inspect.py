"""`python -m app inspect`: lines on stdout, files in --out, exit codes; with a model whose maps are known."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.cli import main
from app.commands.inspect import result_names
from app.services.inspector import Inspector, LoadModel
from models.methods.prompts import PromptSet
from models.reading import PictureMaps
from models.registry import DEFAULT_PRESET, PRESETS, Preset


@dataclass(frozen=True)
class KnownModel:
    """Layer 3 is 0.25 everywhere, layer 6 is 0.5 everywhere, so their sum is 0.75."""

    preset: Preset = PRESETS[DEFAULT_PRESET]
    layers: tuple[int, ...] = (3, 6)
    default_layers: tuple[int, ...] = (3, 6)
    image_size: int = 28
    checkpoint_digest: str = "c0ffee"
    backbone_source: str = "a test"
    calibration: None = None
    branches: tuple[str, ...] = ("map",)

    def picture_maps(self, rgb: NDArray[np.uint8], prompts: PromptSet | None = None) -> PictureMaps:
        return PictureMaps(np.stack([np.full((2, 2), value, dtype=np.float32) for value in (0.25, 0.5)])[None])


@pytest.fixture(autouse=True)
def known_model(monkeypatch: pytest.MonkeyPatch) -> None:
    load = cast(LoadModel, lambda _: KnownModel())
    monkeypatch.setattr("app.services.inspector.Inspector", partial(Inspector, load=load))


def grey_picture(path: Path, size_wh: tuple[int, int] = (40, 30)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size_wh, 100).save(path)
    return path


def inspect(*arguments: object) -> int:
    return main(["inspect", *map(str, arguments), "--device", "cpu"])


def json_lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_json_prints_one_complete_line_for_each_picture_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = grey_picture(tmp_path / "cell.png")

    assert inspect(path, "--json", "--threshold", "0.7") == 0
    (record,) = json_lines(capsys)
    seconds = record.pop("seconds")
    assert record == {
        "path": str(path),
        "image_score": pytest.approx(0.75),
        "threshold": 0.7,
        "verdict": "anomalous",
        "size_hw": [30, 40],
        "preset": "visualad-dinov2-small",
        "checkpoint": "c0ffee",
        "backbone": "a test",
    }
    assert 0 <= seconds < 60


def test_without_a_calibration_there_is_no_threshold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert inspect(grey_picture(tmp_path / "cell.png"), "--json") == 0
    (record,) = json_lines(capsys)

    assert (record["threshold"], record["verdict"]) == (None, "uncalibrated")


def test_the_chosen_layers_make_the_score(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert inspect(grey_picture(tmp_path / "cell.png"), "--json", "--layers", "6") == 0

    assert json_lines(capsys)[0]["image_score"] == pytest.approx(0.5)


def test_a_folder_is_inspected_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("b.png", "a.png", "deep/c.png"):
        grey_picture(tmp_path / name)

    assert inspect(tmp_path, "--json") == 0
    assert [Path(record["path"]).name for record in json_lines(capsys)] == ["a.png", "b.png", "c.png"]


def test_a_bad_file_is_a_line_and_the_run_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"")
    good = grey_picture(tmp_path / "good.png")

    assert inspect(bad, tmp_path / "gone.png", good, "--json") == 1
    first, second, third = json_lines(capsys)
    assert first == {"path": str(bad), "error": "bad.png is empty (0 bytes); copy it again."}
    assert second["error"].startswith("There is no file")
    assert third["image_score"] == pytest.approx(0.75)


def test_a_bad_file_whose_name_is_no_valid_text_is_a_line_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / os.fsdecode(b"\xff.png")
    try:
        bad.write_bytes(b"")
    except OSError:
        pytest.skip("this file system takes valid names only")

    assert inspect(bad) == 1
    assert "error: \N{REPLACEMENT CHARACTER}.png is empty" in capsys.readouterr().out


def test_the_table_has_a_header_and_a_row_for_each_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = grey_picture(tmp_path / "good.png")
    (tmp_path / "text.png").write_text("words")

    assert inspect(good, tmp_path / "text.png", "--threshold", "0.8") == 1
    header, row, error = capsys.readouterr().out.splitlines()
    assert header.split() == ["picture", "score", "threshold", "verdict", "size", "(w", "x", "h)", "seconds"]
    assert row.split()[:-1] == [str(good), "0.7500", "0.8000", "normal", "40", "x", "30"]
    assert "error: text.png is not a picture in a known format" in error


def test_out_holds_the_raw_maps_at_their_sizes(tmp_path: Path) -> None:
    out = tmp_path / "out"

    assert inspect(grey_picture(tmp_path / "cell.png"), "--out", out, "--threshold", "0.7", "--layers", "6,3") == 0
    anomaly_map, layer_maps = np.load(out / "cell.map.npy"), np.load(out / "cell.layers.npy")
    assert (anomaly_map.shape, anomaly_map.dtype) == ((30, 40), np.float32)
    np.testing.assert_allclose(anomaly_map, 0.75, atol=1e-6)
    np.testing.assert_allclose(layer_maps, [np.full((2, 2), 0.25), np.full((2, 2), 0.5)])
    assert np.asarray(Image.open(out / "cell.mask.png")).tolist() == np.full((30, 40), 255).tolist()
    assert Image.open(out / "cell.overlay.png").size == (40, 30)


def test_equal_names_from_two_folders_do_not_overwrite_each_other(tmp_path: Path) -> None:
    paths = [grey_picture(tmp_path / "left/cell.png", (10, 10)), grey_picture(tmp_path / "right/cell.png", (20, 20))]

    assert inspect(*paths, "--out", tmp_path / "out") == 0
    assert np.load(tmp_path / "out/left__cell.png.map.npy").shape == (10, 10)
    assert np.load(tmp_path / "out/right__cell.png.map.npy").shape == (20, 20)


def test_result_names_are_short_where_they_can_be_and_never_alike() -> None:
    paths = [Path("/a/x.png"), Path("/a/y.png"), Path("/a/Y.jpg"), Path("/b/y.png"), Path("/c/b/y.png")]

    assert result_names(paths) == ["x", "a__y.png", "a__Y.jpg", "b__y.png", "b__y.png-2"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--layers", "3,9"], "visualad-dinov2-small has no layer 9; choose --layers from: 3, 6."),
        (["--layers", "three"], "--layers is 'three'; write layer numbers with commas between, such as 6,9,12."),
        (["--top-k", "5"], "--top-k is 5; give a share of the pixels above 0 and up to 1, such as 0.01."),
        (["--top-k", "nan"], "--top-k is nan; give a share"),
        (["--sigma", "-1"], "--sigma is -1; give 0 for no smoothing or a few pixels, such as 4."),
        (["--threshold", "inf"], "--threshold is inf; give a finite number"),
        (["--max-pixels", "0"], "--max-pixels is 0; give 1 or more."),
        (["--preset", "nope"], "nope"),
    ],
)
def test_an_option_out_of_range_is_one_sentence(
    options: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert inspect(grey_picture(tmp_path / "cell.png"), *options) == 2
    captured = capsys.readouterr()

    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert sentence in captured.err
    assert captured.err.count("\n") == 1


def test_max_pixels_refuses_a_larger_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert inspect(grey_picture(tmp_path / "cell.png"), "--json", "--max-pixels", "1199") == 1

    assert json_lines(capsys)[0]["error"].startswith("cell.png has 40 x 30 = ")


def test_a_folder_without_pictures_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert inspect(tmp_path) == 2

    assert f"error: There is no picture in {tmp_path}; give files" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_to_ends_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()

    assert inspect(grey_picture(tmp_path / "cell.png"), "--out", tmp_path / "file") == 2
    assert "choose another --out" in capsys.readouterr().err
