"""The options of `inspect` for references and mutual scoring: what they mean, and each sentence."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from app.commands.options import add_engine_options
from app.commands.reference_options import (
    add_reference_options,
    mutual_records,
    reference_settings,
    references_from,
)
from models.config import InspectionConfig
from models.errors import ExpectedError
from models.registry import DEFAULT_PRESET
from tests.app.fakes import FakeModel
from tests.app.reference_fakes import FakeDescriber, as_describer, grey_picture, inspector_with_references


def parsed(*arguments: object) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("paths", nargs="*", type=Path)
    parser.add_argument("--preset", default=DEFAULT_PRESET)
    parser.add_argument("--max-pixels", type=int, default=10**8)
    parser.add_argument("--backbone-weights", type=Path)
    parser.add_argument("--out", type=Path)
    add_reference_options(parser)
    add_engine_options(parser)
    return parser.parse_args([str(argument) for argument in arguments])


def saved(folder: Path, levels: Sequence[int], spot: int | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    for level in levels:
        Image.fromarray(grey_picture(level, spot=spot).rgb).save(folder / f"{level}.png")
    return folder


def test_the_weight_goes_into_the_settings() -> None:
    assert reference_settings(parsed("a.png", "--reference", "refs", "--reference-weight", 0.3)) == {
        "reference_weight": 0.3
    }
    assert reference_settings(parsed("a.png")) == {"reference_weight": None}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["a.png", "--reference-weight", 0.3], "--reference-weight is about reference pictures; give some with"),
        (["a.png", "--rotations"], "--rotations is about reference pictures"),
        (["a.png", "--flips"], "--flips is about reference pictures"),
        (["a.png", "--reference", "r", "--reference-weight", 1.5], "is 1.5; give a share from 0 to 1"),
        (["a.png", "--preset", "nearest-patch"], r"Nearest patch needs reference pictures; .* \(--reference DIR\)"),
        ([], "There is nothing to inspect; give pictures, folders of them, or --mutual DIR"),
        (["a.png", "--mutual", "batch"], "--mutual inspects the pictures of its own folder"),
        (["--mutual", "batch", "--reference", "refs"], "leave other pictures and --reference out"),
        (["--mutual", "batch", "--preset", "winclip"], "--mutual compares patches; leave --preset winclip out"),
        (["a.png", "--compare-with", 5], "--compare-with is about --mutual"),
    ],
)
def test_what_does_not_fit_is_said_in_a_sentence(arguments: list[object], sentence: str) -> None:
    with pytest.raises(ExpectedError, match=sentence):
        reference_settings(parsed(*arguments))


def test_references_are_built_and_what_is_doubtful_goes_to_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = saved(tmp_path / "refs", [200, 204, 208, 30])
    (folder / "broken.png").write_bytes(b"nothing")
    inspector = inspector_with_references(FakeModel(), FakeDescriber())

    references = references_from(parsed("a.png", "--reference", folder, "--flips"), inspector)

    assert references is not None
    assert len(references) == 4
    assert references.bank.counts == (64,) * 4
    told = capsys.readouterr()
    assert told.out == ""
    assert "Note: broken.png is left out of the references" in told.err
    assert "Note: 30.png is far from the other references" in told.err


def test_without_the_option_there_are_no_references() -> None:
    assert references_from(parsed("a.png"), inspector_with_references(FakeModel(), FakeDescriber())) is None


def test_pictures_that_judge_each_other_give_records_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.services.patch_tokens.load_describer", lambda *_, **__: as_describer(FakeDescriber()))
    folder = saved(tmp_path / "batch", range(200, 206))
    saved(folder, [203], spot=20)
    paths = sorted(folder.iterdir())
    args = parsed("--mutual", folder, "--out", tmp_path / "out", "--compare-with", 4)

    records = list(mutual_records(args, paths, [path.stem for path in paths], InspectionConfig(blur_sigma=0.0)))

    assert [record["path"] for record in records] == [str(path) for path in paths]
    highest = max(records, key=lambda record: float(str(record["image_score"])))
    assert (highest["path"], highest["verdict"]) == (str(folder / "203.png"), "anomalous")
    assert (tmp_path / "out" / "203.overlay.png").is_file()


def test_a_batch_with_a_file_that_is_no_picture_tells_its_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.patch_tokens.load_describer", lambda *_, **__: as_describer(FakeDescriber()))
    folder = saved(tmp_path / "batch", range(200, 204))
    (folder / "x.png").write_bytes(b"nothing")
    paths = sorted(folder.iterdir())

    records = list(mutual_records(parsed("--mutual", folder), paths, [p.stem for p in paths], InspectionConfig()))

    assert "x.png" in str(records[-1]["error"])
    assert all("error" not in record for record in records[:-1])
