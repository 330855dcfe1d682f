"""The figure shows the pictures that its rule names, on one scale, and keeps nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.cli import main
from app.services.colours import DEFAULT_COLOUR_MAP, ColourScale, colour_table, common_scale
from app.services.qualitative_sheet import CAPTION_PX, GAP_PX, LEFT_PX, TOP_PX, ModelRow, draw_sheet
from app.services.reports import Engine
from app.services.sheet_choice import PANEL_PX, SheetChoice
from models.calibration import Thresholds
from models.data.datasets import Sample
from models.reading import PictureMaps
from models.registry import DEFAULT_PRESET, PRESETS, Preset

STEP = PANEL_PX + GAP_PX


def sample(name: str, *, anomalous: bool = False, class_name: str = "nut") -> Sample:
    return Sample(Path(f"{name}.png"), class_name, "test", anomalous, "hole" if anomalous else "")


def names(choice: SheetChoice, class_name: str = "nut") -> list[str]:
    return [seen.sample.path.stem for seen in choice.chosen()[class_name]]


def gone_by(choice: SheetChoice) -> SheetChoice:
    """Four normal pictures and three anomalous ones; n2 and a0 are the worst errors."""
    blank = np.zeros((56, 56), np.float32)
    for place, score in enumerate((0.2, 0.1, 0.9, 0.3)):
        choice.add(sample(f"n{place}"), blank, score)
    for place, score in enumerate((0.1, 0.8, 0.5)):
        choice.add(sample(f"a{place}", anomalous=True), blank, score)
    return choice


@pytest.mark.parametrize(
    ("columns", "worst", "expected"),
    [
        (2, False, ["a0", "a1"]),
        (5, False, ["a0", "a1", "a2", "n0", "n1"]),
        (2, True, ["n2", "a0"]),
        (5, True, ["n2", "a0", "n3", "a2", "n0"]),
        (9, True, ["n2", "a0", "n3", "a2", "n0", "a1", "n1"]),
    ],
)
def test_the_rule_decides_what_is_drawn_and_in_which_order(columns: int, worst: bool, expected: list[str]) -> None:
    assert names(gone_by(SheetChoice(columns=columns, worst=worst))) == expected


def test_no_more_is_kept_than_can_be_drawn() -> None:
    choice = SheetChoice(columns=3, worst=True)
    for place in range(200):
        choice.add(sample(str(place), anomalous=place % 2 == 0), np.zeros((518, 518), np.float32), place / 200)

    kept = [seen for kind in choice._kept["nut"] for seen in kind]
    assert len(kept) == 6
    assert {seen.anomaly_map.shape for seen in kept} == {(PANEL_PX, PANEL_PX)}
    assert names(choice) == ["199", "0", "197"]


def test_classes_do_not_mix() -> None:
    choice = gone_by(SheetChoice(columns=1, worst=True))
    choice.add(sample("b", anomalous=True, class_name="bolt"), np.zeros((56, 56), np.float32), 0.05)

    assert (names(choice), names(choice, "bolt")) == (["n2"], ["b"])


def save(path: Path, pixels: NDArray[np.uint8]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def panel(sheet: NDArray[np.uint8], row: int, column: int) -> NDArray[np.uint8]:
    top = TOP_PX + row * STEP + max(0, row - 2) * CAPTION_PX
    left = LEFT_PX + column * STEP
    return sheet[top : top + PANEL_PX, left : left + PANEL_PX]


def test_each_panel_stands_in_its_row_and_column_with_the_colours_of_the_shared_scale(tmp_path: Path) -> None:
    picture = save(tmp_path / "p.png", np.full((40, 40, 3), (10, 200, 30), np.uint8))
    mask = np.zeros((40, 40), np.uint8)
    mask[:20] = 1
    marked = Sample(picture, "nut", "test", True, "hole", save(tmp_path / "m.png", mask))
    unmarked = Sample(save(tmp_path / "q.png", np.zeros((40, 40, 3), np.uint8)), "nut", "test", True)
    choice = SheetChoice()
    for one, value in ((marked, 0.5), (unmarked, 2.0)):
        choice.add(one, np.full((56, 56), value, np.float32), value)
    pictures = choice.chosen()["nut"]
    own = {seen.sample.path: (seen.anomaly_map, seen.score) for seen in pictures}
    other = {path: (anomaly_map + 1.0, score) for path, (anomaly_map, score) in own.items()}

    rows = [ModelRow("first", own, ColourScale(0.0, 1.0)), ModelRow("second", other, ColourScale(0.5, 4.0))]
    sheet = draw_sheet(pictures, rows)

    assert (panel(sheet, 0, 0) == (10, 200, 30)).all()
    assert panel(sheet, 1, 0)[:80].min() == 255
    assert panel(sheet, 1, 0)[80:].max() == 0
    assert (panel(sheet, 1, 1) == 200).all()  # nobody marked it
    table = colour_table(DEFAULT_COLOUR_MAP)
    for row, column, value in ((2, 0, 0.5), (2, 1, 2.0), (3, 0, 1.5), (3, 1, 3.0)):
        assert (panel(sheet, row, column) == table[int(value / 4.0 * 255 + 0.5)]).all()  # the scale of both: 0 to 4
    bar = sheet[TOP_PX + 2 * STEP :, LEFT_PX + 2 * STEP :]
    assert len(np.unique(bar.reshape(-1, 3), axis=0)) > 100


def test_the_shared_scale_is_wide_enough_for_every_model() -> None:
    assert common_scale([ColourScale(0.2, 1.0), ColourScale(0.0, 0.5)]) == ColourScale(0.0, 1.0)


class Calibration:
    def thresholds(
        self, layers: tuple[int, ...], *, top_k: float, blur_sigma: float, alpha: float = 0.0, top_patches: int = 1
    ) -> Thresholds:
        return Thresholds(0.3, 0.4, 0.1, 0.98)


@dataclass(slots=True, eq=False)
class DarknessModel:
    """Its only layer's map is the darkness of a picture at 4 x 4, times a factor."""

    factor: float = 1.0
    preset: Preset = PRESETS[DEFAULT_PRESET]
    layers: tuple[int, ...] = (2,)
    image_size: int = 56
    checkpoint_digest: str = "ab" * 32
    backbone_source: str = "none"
    trained_on: str | None = "synthetic"
    calibration: Calibration | None = field(default_factory=Calibration)
    calls: int = 0
    branches: tuple[str, ...] = ("map",)

    def picture_maps(self, rgb: NDArray[np.uint8]) -> PictureMaps:
        self.calls += 1
        grey = Image.fromarray(rgb).convert("L").resize((4, 4), Image.Resampling.BOX)
        return PictureMaps((self.factor * (1.0 - np.asarray(grey, dtype=np.float32) / 255.0))[None, None])


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> dict[str, DarknessModel]:
    """One model for each head file, None for the preset's own."""
    found: dict[str, DarknessModel] = {"own": DarknessModel(), "half": DarknessModel(factor=0.5)}

    def local_engine(where: Any, *_: Any) -> Engine:
        model = found["own" if where.head_path is None else where.head_path.stem]
        return Engine(model=lambda _: cast(Any, model), backbone=lambda _: cast(Any, None))

    monkeypatch.setattr("app.services.reports.local_engine", local_engine)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of four even pictures; of nut, normal 3 is the darkest and hole 0 the brightest."""
    for class_name in ("bolt", "nut"):
        for index, grey in enumerate((250, 230, 240, 130)):
            save(tmp_path / "set" / class_name / "test" / "good" / f"{index}.png", np.full((20, 20), grey, np.uint8))
        for index, grey in enumerate((190, 60)):
            save(tmp_path / "set" / class_name / "test" / "hole" / f"{index}.png", np.full((20, 20), grey, np.uint8))
    return tmp_path / "set"


def test_the_command_draws_a_figure_of_each_class_and_other_heads_see_only_what_is_drawn(
    folder: Path, tmp_path: Path, models: dict[str, DarknessModel], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "figures" / "sheet.png"
    options = ["--layers", "2", "--sigma", "0", "--sheet", str(out), "--columns", "2", "--worst"]

    assert main(["evaluate", "folder", str(folder), *options, "--presets", "half.safetensors"]) == 0

    assert sorted(path.name for path in out.parent.iterdir()) == ["sheet.bolt.png", "sheet.nut.png"]
    assert (models["own"].calls, models["half"].calls) == (12, 4)
    sheet = np.asarray(Image.open(out.with_name("sheet.nut.png")))
    assert (panel(sheet, 0, 0) == 130).all()
    assert (panel(sheet, 0, 1) == 190).all()
    table = colour_table(DEFAULT_COLOUR_MAP)
    darkness = 1 - 130 / 255
    for row, value in ((2, darkness), (3, darkness / 2)):  # normal level 0.1, threshold 0.4: from 0.1 to 0.7
        expected = table[int((value - 0.1) / 0.6 * 255 + 0.5)].astype(int)
        assert np.abs(panel(sheet, row, 0).astype(int) - expected).max() <= 3
    assert "sheet.nut.png" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--worst"], "say where it goes with --sheet FILE.png"),
        (["--sheet", "figure.jpg"], "--sheet figure.jpg is no PNG file"),
        (["--sheet", "figure.png", "--presets", "clip"], "There is no model 'clip'"),
    ],
)
def test_options_that_mean_nothing_end_in_a_sentence_before_anything_is_measured(
    folder: Path,
    models: dict[str, DarknessModel],
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    said: str,
) -> None:
    assert main(["evaluate", "folder", str(folder), "--layers", "2", *options]) == 2

    assert said in capsys.readouterr().err
    assert models["own"].calls == 0
