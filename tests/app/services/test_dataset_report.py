"""A folder is measured class by class; the numbers are those of scikit-learn on the same maps."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import average_precision_score, roc_auc_score

from app.cli import main
from app.commands.report_table import as_csv, as_markdown, as_table
from app.services.dataset_report import FolderRequest, evaluate_folder
from app.services.reports import Engine, Report
from models.config import InspectionConfig
from models.errors import DataError, PictureError
from models.evaluation.published import MVTEC_AD_CLASSES
from models.reading import PictureMaps
from models.registry import DEFAULT_PRESET, PRESETS, Preset

GRID, PATCH_PX = 4, 14
SETTINGS = InspectionConfig(blur_sigma=0.0, top_k=0.02, layers=(2,))


@dataclass(frozen=True, slots=True)
class DarknessModel:
    """Its only layer's map is the darkness of a picture at 4 x 4."""

    preset: Preset = PRESETS[DEFAULT_PRESET]
    layers: tuple[int, ...] = (2,)
    image_size: int = GRID * PATCH_PX
    checkpoint_digest: str = "ab" * 32
    backbone_source: str = "none"
    trained_on: str | None = "synthetic"
    branches: tuple[str, ...] = ("map",)

    def picture_maps(self, rgb: NDArray[np.uint8]) -> PictureMaps:
        grey = Image.fromarray(rgb).convert("L").resize((GRID, GRID), Image.Resampling.BOX)
        return PictureMaps((1.0 - np.asarray(grey, dtype=np.float32) / 255.0)[None, None])


def engine(trained_on: str | None = "synthetic") -> Engine:
    model = cast(Any, DarknessModel(trained_on=trained_on))
    return Engine(model=lambda _: model, backbone=lambda _: cast(Any, None))


def draw(path: Path, pixels: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def make_class(root: Path, name: str, *, seed: int = 0, masks: bool = True, normal: int = 4) -> None:
    """Noisy pictures of 40 x 40; the anomalous ones have a dark square, which is harder to see in each next one."""
    rng = np.random.default_rng(seed)
    for index in range(normal):
        draw(root / name / "test" / "good" / f"{index}.png", rng.integers(120, 256, (40, 40), dtype=np.uint8))
    for index in range(3):
        picture = rng.integers(120, 256, (40, 40), dtype=np.uint8)
        picture[10:20, 10:30] = 60 + 60 * index
        draw(root / name / "test" / "spot" / f"{index}.png", picture)
        mask = np.zeros((40, 40), dtype=np.uint8)
        mask[10:20, 10:30] = 7  # any value above 0 is anomalous
        if masks:
            draw(root / name / "ground_truth" / "spot" / f"{index}_mask.png", mask)


def measured(root: Path, **changes: Any) -> Report:
    return evaluate_folder(replace(FolderRequest(folder=root, settings=SETTINGS), **changes), engine())


def test_pixel_and_image_metrics_are_those_of_scikit_learn(tmp_path: Path) -> None:
    make_class(tmp_path, "nut")
    side = GRID * PATCH_PX
    maps, masks, scores, labels = [], [], [], []
    for path in sorted((tmp_path / "nut" / "test").rglob("*.png")):
        grid = DarknessModel().picture_maps(np.asarray(Image.open(path).convert("RGB"))).branch_maps[0, 0]
        anomaly_map = np.asarray(Image.fromarray(grid).resize((side, side), Image.Resampling.BILINEAR), np.float64)
        anomalous = path.parent.name == "spot"
        mask = np.zeros((side, side), bool)
        if anomalous:
            saved = Image.open(tmp_path / "nut" / "ground_truth" / "spot" / f"{path.stem}_mask.png")
            mask = np.asarray(saved.resize((side, side), Image.Resampling.NEAREST)) > 0
        maps.append(anomaly_map.ravel())
        masks.append(mask.ravel())
        scores.append(np.sort(anomaly_map.ravel())[-63:].mean())  # 63 = ceil(0.02 * 56 * 56)
        labels.append(anomalous)

    (row,) = measured(tmp_path).rows

    assert (row.method, row.group, row.image.n_normal, row.image.n_anomalous) == ("VisualAD", "nut", 4, 3)
    assert row.image.auroc == pytest.approx(roc_auc_score(labels, scores), abs=1e-6)
    assert row.image.average_precision == pytest.approx(average_precision_score(labels, scores), abs=1e-6)
    assert row.pixel is not None
    pixels, marked = np.concatenate(maps), np.concatenate(masks)
    assert row.pixel.n_anomalous == marked.sum()
    assert row.pixel.auroc == pytest.approx(roc_auc_score(marked, pixels), abs=1e-3)
    assert row.pixel.average_precision == pytest.approx(average_precision_score(marked, pixels), abs=1e-3)
    assert row.aupro is not None
    assert 0.5 < row.aupro < 1.0


def test_the_mean_weighs_every_class_the_same(tmp_path: Path) -> None:
    make_class(tmp_path, "bolt", seed=1, normal=9)
    make_class(tmp_path, "nut", seed=2, normal=2)

    bolt, nut, mean = measured(tmp_path).rows

    assert (bolt.group, nut.group, mean.group) == ("bolt", "nut", "mean")
    assert mean.image.auroc == pytest.approx(((bolt.image.auroc or 0) + (nut.image.auroc or 0)) / 2)
    assert mean.pixel is not None
    assert mean.image.n_normal == 11


def test_what_does_not_apply_is_not_a_number(tmp_path: Path) -> None:
    make_class(tmp_path, "masked", seed=3)
    make_class(tmp_path, "unmasked", seed=4, masks=False)
    make_class(tmp_path, "sick", seed=5, normal=0)

    report = measured(tmp_path)

    masked, sick, unmasked, mean = report.rows
    assert unmasked.pixel is None
    assert (sick.image.auroc, unmasked.pro, unmasked.aupro) == (None, None, None)
    assert sick.pixel is not None
    assert mean.image.auroc == pytest.approx(((masked.image.auroc or 0) + (unmasked.image.auroc or 0)) / 2)
    line = next(line for line in as_table(report).splitlines() if "unmasked" in line)
    assert line.split()[-5:] == ["n/a"] * 5


def test_the_papers_numbers_stand_beside_a_whole_set_only(tmp_path: Path) -> None:
    for name in MVTEC_AD_CLASSES:
        make_class(tmp_path, name, normal=1)

    published = [row for row in measured(tmp_path).rows if row.method.startswith("published")]
    part = measured(tmp_path, class_names=("bottle", "cable"))

    assert published[0].method == "published: VisualAD DINOv2 ViT-L/14"
    assert (published[0].image.auroc, published[0].pro) == pytest.approx((0.901, 0.886))
    assert len(published) == 6
    assert [row.group for row in part.rows] == ["bottle", "cable", "mean"]
    assert "–" in as_table(measured(tmp_path))


def test_only_the_test_split_is_measured(tmp_path: Path) -> None:
    make_class(tmp_path, "nut")
    draw(tmp_path / "nut" / "train" / "good" / "0.png", np.zeros((40, 40), np.uint8))

    assert measured(tmp_path).rows[0].image.n_normal == 4


@pytest.mark.parametrize(
    ("trained_on", "warned"),
    [
        ("synthetic", False),
        (None, "does not say what it was trained on"),
        ("mvtec:mine", "was trained on mvtec:mine, which is what it is tested on"),
    ],
)
def test_a_head_that_may_have_seen_the_classes_is_warned_of(
    tmp_path: Path, trained_on: str | None, warned: str | bool
) -> None:
    make_class(tmp_path / "mine", "nut")

    report = evaluate_folder(FolderRequest(folder=tmp_path / "mine", settings=SETTINGS), engine(trained_on))

    assert bool(report.warnings) == bool(warned)
    assert all(str(warned) in warning for warning in report.warnings)
    assert as_table(report).count("warning: ") == len(report.warnings)


def test_a_set_of_the_papers_is_known_by_its_classes_whatever_its_folder_is_called(tmp_path: Path) -> None:
    for name in MVTEC_AD_CLASSES:
        make_class(tmp_path / "renamed", name, normal=1)

    report = evaluate_folder(FolderRequest(folder=tmp_path / "renamed", settings=SETTINGS), engine("mvtec-ad"))

    assert "this is not zero-shot" in report.warnings[0]


def test_bad_folders_and_pictures_end_in_a_sentence(tmp_path: Path) -> None:
    make_class(tmp_path, "nut")
    (tmp_path / "nut" / "test" / "good" / "0.png").write_bytes(b"no picture")
    with pytest.raises(PictureError, match=r"0\.png"):
        measured(tmp_path)
    with pytest.raises(DataError, match="has no class bolt"):
        measured(tmp_path, class_names=("bolt",))
    (tmp_path / "nut" / "ground_truth" / "spot" / "0_mask.png").write_bytes(b"no mask")
    make_class(tmp_path / "other", "nut")
    (tmp_path / "other" / "nut" / "ground_truth" / "spot" / "0_mask.png").write_bytes(b"no mask")
    with pytest.raises(PictureError, match=r"The mask .*0_mask\.png cannot be read"):
        measured(tmp_path / "other")


def test_the_command_writes_json_csv_and_markdown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_class(tmp_path / "set", "nut")
    monkeypatch.setattr("app.services.reports.local_engine", lambda *_: engine())
    command = ["evaluate", "folder", str(tmp_path / "set"), "--layers", "2"]

    for ending in ("json", "csv", "md"):
        assert main([*command, "--out", str(tmp_path / f"out.{ending}")]) == 0

    assert "nut" in capsys.readouterr().out
    assert json.loads((tmp_path / "out.json").read_text())["rows"][0]["group"] == "nut"
    header, row = (tmp_path / "out.csv").read_text().splitlines()
    assert (header.split(",")[:4], row.split(",")[1:4]) == (
        ["method", "group", "normal", "anomalous"],
        ["nut", "4", "3"],
    )
    assert (tmp_path / "out.md").read_text().splitlines()[1] == "|---" * 12 + "|"
    assert main([*command, "--save-maps", str(tmp_path)]) == 2


def test_a_csv_leaves_empty_what_does_not_apply(tmp_path: Path) -> None:
    make_class(tmp_path, "masked")
    make_class(tmp_path, "unmasked", masks=False)

    report = measured(tmp_path)

    assert as_csv(report).splitlines()[2].endswith(",,,,,")
    assert "n/a" in as_markdown(report)
