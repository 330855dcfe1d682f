"""`--tile`, `--tile-px` and `--image-size` at the command line, with a model that knows nothing but darkness."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from app.cli import main
from app.services.inspector import Inspector
from app.services.reports import Engine
from tests.app.fakes import FakeModel, loader


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> FakeModel:
    """The model that both commands find."""
    model = FakeModel(image_size=100)
    engine = Engine(model=cast(Any, loader(model)), backbone=lambda _: cast(Any, None))
    monkeypatch.setattr("app.services.inspector.Inspector", partial(Inspector, load=loader(model)))
    monkeypatch.setattr("app.services.reports.local_engine", lambda *_: engine)
    return model


def picture(path: Path, size_wh: tuple[int, int] = (310, 180)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size_wh, 100).save(path)
    return path


def data_set(root: Path) -> Path:
    picture(root / "nut" / "test" / "good" / "0.png")
    picture(root / "nut" / "test" / "spot" / "0.png")
    picture(root / "nut" / "ground_truth" / "spot" / "0_mask.png")
    return root


@pytest.mark.parametrize(
    ("options", "calls", "tiles"),
    [([], 1, None), (["--tile"], 1 + 12, "12 tiles of 100 px"), (["--tile-px", "180"], 1 + 2, "2 tiles of 180 px")],
)
def test_inspect_sees_tiles_where_it_is_asked_to(
    options: list[str],
    calls: int,
    tiles: str | None,
    model: FakeModel,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["inspect", *options, str(picture(tmp_path / "long.png")), "--json", "--device", "cpu"]) == 0

    printed = capsys.readouterr()
    record = json.loads(printed.out)
    assert model.calls == calls
    assert ("calibrated on whole pictures, not on tiles" in printed.err) == (tiles is not None)
    assert ("note" in record) == (tiles is not None)
    assert tiles is None or record["note"].startswith(tiles)


def test_a_picture_of_too_many_tiles_gets_a_line_and_the_run_goes_on(
    model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [str(picture(tmp_path / "a.png")), str(picture(tmp_path / "b.png", (9, 9)))]

    assert main(["inspect", *paths, "--tile-px", "2", "--json", "--device", "cpu"]) == 1

    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert "310 x 180 pixels in tiles of 2 are 55,311 tiles" in first["error"]
    assert second["note"].startswith("64 tiles of 2 px")


def test_evaluate_folder_sees_tiles_and_says_so(
    model: FakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(data_set(tmp_path))
    assert main(["evaluate", "folder", folder, "--device", "cpu"]) == 0
    plain, calls = capsys.readouterr().out, model.calls

    assert main(["evaluate", "folder", folder, "--tile", "--device", "cpu"]) == 0

    assert (calls, model.calls) == (2, 2 + 2 * 13)
    assert "seen whole and in overlapping tiles" in capsys.readouterr().out
    assert "tiles" not in plain


@pytest.mark.parametrize("image_size", ["560", "500", "14"])
def test_evaluate_refuses_an_image_size_with_more_patches_than_positions(
    image_size: str,
    model: FakeModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sized = SimpleNamespace(image_size=518, method=SimpleNamespace(backbone=SimpleNamespace(patch_px=14)))
    engine = Engine(model=lambda _: cast(Any, sized), backbone=lambda _: cast(Any, None))
    monkeypatch.setattr("app.services.reports.local_engine", lambda *_: engine)

    assert main(["evaluate", "folder", str(data_set(tmp_path)), "--image-size", image_size, "--device", "cpu"]) == 2

    assert capsys.readouterr().err == (
        f"error: The image size {image_size} does not fit; take a multiple of 14 up to 546.\n"
    )


@pytest.mark.parametrize(("image_size", "sentence"), [("560", "at most 546"), ("500", "multiple of 14")])
def test_train_refuses_an_image_size_with_more_patches_than_positions(
    image_size: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", "--data", str(data_set(tmp_path)), "--out", str(tmp_path / "head.safetensors")]
    assert main([*command, "--image-size", image_size]) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("tile_px", ["0", "-5"])
def test_a_tile_below_one_pixel_is_refused(tile_px: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["inspect", str(picture(tmp_path / "a.png")), "--tile-px", tile_px])
    assert f"--tile-px: must be 1 or more, got {tile_px}" in capsys.readouterr().err


def test_the_picture_that_is_seen_in_tiles_keeps_its_size_in_the_files(model: FakeModel, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["inspect", str(picture(tmp_path / "a.png")), "--tile", "--out", str(out), "--device", "cpu"]) == 0
    assert np.load(out / "a.map.npy").shape == (180, 310)
    assert np.load(out / "a.layers.npy").shape == (4, 37, 37)  # single layers are the whole picture's
