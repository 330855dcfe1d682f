"""Testing on what a head was trained on is warned of, whatever the folders are called."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.services.overlap import overlap_warnings, trained_classes
from models.data.datasets import DataSet, Sample
from models.errors import WeightsError
from models.evaluation.published import MVTEC_AD_CLASSES, VISA_CLASSES
from models.head_files import save_head

MVTEC, VISA = tuple(sorted(MVTEC_AD_CLASSES)), tuple(sorted(VISA_CLASSES))
SAME = "which is what it is tested on here: this is not zero-shot"
SEEN = "has seen classes of the same names"


def data(name: str, classes: tuple[str, ...]) -> DataSet:
    return DataSet(name, tuple(Sample(Path(f"{kind}.png"), kind, "test", False) for kind in classes))


@pytest.mark.parametrize(
    ("trained_on", "classes", "tested_on", "tested_classes", "sentence"),
    [
        ("mvtec:mvtec", MVTEC, "mvtec-ad", MVTEC, SAME),
        ("mvtec:mine", MVTEC, "mvtec:renamed", MVTEC, SAME),
        ("mvtec-ad", MVTEC, "mvtec:mine", ("bottle", "cable"), f"{SEEN} (bottle, cable)"),
        ("mvtec-ad", (), "mvtec:mine", ("bottle", "bolt"), f"{SEEN} (bottle)"),
        ("mvtec-ad", (), "mvtec:mine", MVTEC, SAME),
        ("visa", VISA, "visa:v", ("candle",), SAME),
        ("visa:v", VISA, "visa", ("candle",), SAME),
        ("visa", (), "mvtec:mine", ("candle",), f"{SEEN} (candle)"),
        ("mvtec:shop", ("bolt", "nut"), "flat:nut", ("nut",), f"{SEEN} (nut)"),
        ("mvtec:mine", ("nut",), "mvtec:mine", ("bolt",), SAME),
        ("kvasir", ("a",), "kvasir", ("b",), SAME),
    ],
)
def test_a_set_that_was_trained_on_or_a_part_of_it_is_warned_of(
    trained_on: str, classes: tuple[str, ...], tested_on: str, tested_classes: tuple[str, ...], sentence: str
) -> None:
    (warning,) = overlap_warnings(trained_on, classes, data(tested_on, tested_classes))

    assert warning.startswith(f"The head was trained on {trained_on}, ")
    assert sentence in warning


@pytest.mark.parametrize(
    ("trained_on", "classes", "tested_on", "tested_classes"),
    [
        ("mvtec-ad", MVTEC, "visa", VISA),
        ("visa:v", VISA, "mvtec:mvtec", MVTEC),
        ("mvtec:nuts", ("nut",), "flat:mvtec", ("bolt",)),
        ("kvasir:kvasir", ("kvasir",), "kvasir:endo", ("endo",)),
        ("synthetic", (), "flat:synthetic", ("synthetic",)),
        ("nothing", VISA, "visa", VISA),
    ],
)
def test_another_set_is_not_warned_of(
    trained_on: str, classes: tuple[str, ...], tested_on: str, tested_classes: tuple[str, ...]
) -> None:
    assert overlap_warnings(trained_on, classes, data(tested_on, tested_classes)) == []


def test_a_head_that_does_not_say_is_warned_of() -> None:
    (warning,) = overlap_warnings(None, (), data("visa", VISA))

    assert warning.startswith("The head does not say what it was trained on")


@pytest.mark.parametrize(
    ("config", "classes"),
    [
        ({"training": {"data": "mvtec:mine", "classes": ["bolt", "nut"]}}, ("bolt", "nut")),
        ({"training": {"data": "synthetic"}}, ()),
        ({"training": None}, ()),
        ({}, ()),
    ],
)
def test_a_heads_file_names_the_classes_that_it_has_seen(
    tmp_path: Path, config: dict[str, object], classes: tuple[str, ...]
) -> None:
    save_head(tmp_path / "head.safetensors", {"token": np.zeros(2, np.float32)}, config)

    assert trained_classes(tmp_path / "head.safetensors") == classes


def test_no_head_has_seen_nothing_and_a_missing_one_is_named(tmp_path: Path) -> None:
    assert trained_classes(None) == ()
    with pytest.raises(WeightsError, match="There is no checkpoint at"):
        trained_classes(tmp_path / "gone.safetensors")
