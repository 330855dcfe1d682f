"""`python -m app inspect` with a preset that compares with words."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.cli import main
from app.services.inspector import Inspector
from models.methods.prompts import PromptSet
from tests.app.text_fakes import TEXT_PRESET, FakeTextModel, by_method, tiny_daclip


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> FakeTextModel:
    model = FakeTextModel(method=tiny_daclip())
    monkeypatch.setattr("app.services.inspector.Inspector", partial(Inspector, load=by_method(model)))
    return model


@pytest.fixture
def black(tmp_path: Path) -> Path:
    path = tmp_path / "black.png"
    Image.new("RGB", (56, 56)).save(path)
    return path


def inspect(path: Path, *options: object) -> int:
    preset = () if "--preset" in options else ("--preset", TEXT_PRESET)
    return main(["inspect", str(path), *preset, *map(str, options), "--device", "cpu"])


def record_of(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(capsys.readouterr().out)
    return record


def test_alpha_and_the_count_of_patches_reach_the_score(
    model: FakeTextModel, black: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert inspect(black, "--alpha", "1", "--top-patches", "3", "--json") == 0
    # Half of 0.25, half of the refined mean over layers 6, 7 and 9: 10/16 * 1/2 * 1/2.
    assert record_of(capsys)["image_score"] == pytest.approx(0.125 + 0.5 * 0.15625)


def test_words_are_given_one_option_each(model: FakeTextModel, black: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = (
        "--object",
        "solar cell",
        "--normal",
        "intact {}",
        "--anomalous",
        "cracked",
        "--anomalous",
        "{} with a hole",
    )
    assert inspect(black, *words) == 0
    assert model.seen == [
        PromptSet(object_name="solar cell", normal=("intact {}",), anomalous=("cracked {}", "{} with a hole"))
    ]
    assert "were calibrated with the head's own words" in capsys.readouterr().err


def test_the_alignment_lies_beside_the_other_results(model: FakeTextModel, black: Path, tmp_path: Path) -> None:
    assert inspect(black, "--alignment", "--out", tmp_path / "out") == 0
    with Image.open(tmp_path / "out" / "black.alignment.png") as drawn:
        assert drawn.mode == "RGB"
    assert (tmp_path / "out" / "black.overlay.png").is_file()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--alpha", "1.5"], "--alpha is 1.5; give a share of the refined maps from 0 to 1, such as 0.7."),
        (["--alpha", "nan"], "--alpha is nan"),
        (["--alignment"], "--alignment draws a picture beside the result files; say where with --out DIR."),
        (["--normal", "{} {}"], "must hold {} exactly once"),
        (["--object", " "], "The object's name is empty"),
        (["--preset", "visualad-dinov2-small", "--alpha", "0.5"], "has no refined maps"),
        (["--preset", "visualad-dinov2-small", "--top-patches", "9"], "scores pixels, not patches"),
        (["--preset", "visualad-dinov2-small", "--object", "cell"], "takes no words"),
        (["--preset", "visualad-dinov2-small", "--alignment", "--out", "x"], "no text-visual alignment to show"),
    ],
)
def test_an_option_that_does_not_fit_is_one_sentence(
    model: FakeTextModel, black: Path, capsys: pytest.CaptureFixture[str], options: list[str], sentence: str
) -> None:
    assert inspect(black, *options) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert sentence in captured.err
    assert captured.err.count("\n") == 1


def test_a_text_that_is_too_long_is_the_pictures_line(
    model: FakeTextModel, black: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert inspect(black, "--object", "cell" * 20, "--json") == 1
    assert "is too long" in record_of(capsys)["error"]
