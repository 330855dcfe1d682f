"""Reports end to end on a tiny random model: what is measured on which pictures, not how well."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
import torch
from PIL import Image

from app.commands.report_table import aligned, cells_of
from app.services import elpv_report
from app.services.elpv_report import ElpvRequest, evaluate_elpv
from app.services.layer_map_files import LayerMapSet, read_layer_maps, save_layer_maps
from app.services.reports import Engine, ReportRow, chosen_layers, map_and_score, resized
from app.services.synthetic_report import SyntheticRequest, evaluate_synthetic
from models.backbones.vit import build_tiny_backbone
from models.config import InspectionConfig
from models.errors import DataError
from models.evaluation.metrics import RankingMetrics
from models.loading import LoadedModel
from models.methods.visualad import VisualAD, VisualADConfig
from models.reading import PictureMaps
from models.registry import DEFAULT_PRESET, PRESETS, get_preset

Item = TypeVar("Item")
SETTINGS = InspectionConfig(blur_sigma=0.0, top_k=0.05)


def tiny_model() -> LoadedModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        method = VisualAD(build_tiny_backbone(depth=9), VisualADConfig(layers=(2, 4))).eval()
    return LoadedModel(
        preset=get_preset(DEFAULT_PRESET),
        layers=(2, 4),
        image_size=56,
        checkpoint_digest="ab" * 32,
        backbone_source="random",
        device="cpu",
        calibration=None,
        method=method,
    )


@pytest.fixture
def engine() -> Engine:
    return Engine(model=lambda _: tiny_model(), backbone=lambda _: tiny_model().method.backbone)


@pytest.fixture
def cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Eight cells: of each type two normal ones, flat grey, one anomalous with a bright bar, and one unsure."""
    folder = tmp_path / "data"
    folder.mkdir()
    lines = []
    for cell_type in ("mono", "poly"):
        for index, probability in enumerate((0.0, 0.0, 1.0, 0.3333)):
            pixels = np.full((40, 40), 100 + index, dtype=np.uint8)
            if probability == 1.0:
                pixels[:, 10:20] = 255
            name = f"{cell_type}{index}.png"
            Image.fromarray(pixels).save(folder / name)
            lines.append(f"{name} {probability} {cell_type}")
    (folder / "labels.csv").write_text("\n".join(lines))
    monkeypatch.setattr(elpv_report, "find_elpv", lambda: folder)
    return folder


@pytest.mark.usefixtures("cells")
def test_elpv_measures_each_cell_type_apart_and_leaves_unsure_cells_out(engine: Engine) -> None:
    report = evaluate_elpv(ElpvRequest(settings=SETTINGS), engine)

    assert [(row.method, row.group) for row in report.rows] == [("VisualAD", "mono"), ("VisualAD", "poly")]
    assert [(row.image.n_normal, row.image.n_anomalous) for row in report.rows] == [(2, 1), (2, 1)]
    assert (report.checkpoint, report.image_size, report.layers) == ("ab" * 32, 56, (2, 4))


@pytest.mark.usefixtures("cells")
def test_nearest_patch_finds_the_bright_bar_and_leaves_its_reference_out(engine: Engine) -> None:
    request = ElpvRequest(settings=SETTINGS, head=False, references=1, seeds=2, image_size=56, cell_types=("poly",))

    report = evaluate_elpv(request, engine)

    (row,) = report.rows
    assert row.method == "nearest patch, 1-shot, 2 draws"
    assert (row.image.n_normal, row.image.n_anomalous) == (1, 1)
    assert (row.image.auroc, row.auroc_range) == (1.0, (1.0, 1.0))
    assert report.checkpoint == ""


@pytest.mark.usefixtures("cells")
def test_kept_layer_maps_give_the_same_report_without_the_model(engine: Engine, tmp_path: Path) -> None:
    def unavailable(name: str) -> LoadedModel:
        raise AssertionError("the model must not be loaded")

    first = evaluate_elpv(ElpvRequest(settings=SETTINGS, save_maps=tmp_path), engine)
    again = evaluate_elpv(
        ElpvRequest(settings=SETTINGS, from_maps=tmp_path / "elpv.npz"),
        Engine(model=unavailable, backbone=engine.backbone),
    )

    assert again.rows == first.rows
    assert again.checkpoint == first.checkpoint


@pytest.mark.usefixtures("cells")
def test_more_references_than_normal_cells_are_refused(engine: Engine) -> None:
    with pytest.raises(DataError, match="2 references leave no normal mono cell to test; take fewer"):
        evaluate_elpv(ElpvRequest(head=False, references=2, image_size=56), engine)


def test_an_evaluation_of_nothing_is_refused(engine: Engine) -> None:
    with pytest.raises(DataError, match="nothing to measure without the head"):
        evaluate_elpv(ElpvRequest(head=False), engine)


@pytest.mark.usefixtures("cells")
def test_a_layer_that_the_head_lacks_is_refused_before_the_model_runs(engine: Engine) -> None:
    with pytest.raises(DataError, match="no maps of layer 3; choose among 2, 4"):
        evaluate_elpv(ElpvRequest(settings=InspectionConfig(layers=(2, 3))), engine)


def test_synthetic_report_counts_every_picture_and_pixel(engine: Engine) -> None:
    report = evaluate_synthetic(SyntheticRequest(settings=SETTINGS, count=12, seed=5), engine)

    overall, *families = report.rows
    assert overall.group == "all"
    assert overall.image.n_normal + overall.image.n_anomalous == 12
    assert sum(row.image.n_anomalous for row in families) == overall.image.n_anomalous
    assert overall.pixel is not None
    assert overall.pixel.n_normal + overall.pixel.n_anomalous == 12 * 56 * 56


def test_progress_passes_every_picture_through_once(engine: Engine) -> None:
    seen: list[tuple[str, int]] = []

    def track(items: Iterable[Item], /, *, desc: str, total: int) -> Iterable[Item]:
        seen.append((desc, total))
        return items

    evaluate_synthetic(SyntheticRequest(settings=SETTINGS, count=3), engine, track)

    assert seen == [("synthetic", 3), ("scores", 3)]


def test_kept_synthetic_maps_can_be_measured_with_another_layer(engine: Engine, tmp_path: Path) -> None:
    one_layer = InspectionConfig(layers=(4,), blur_sigma=0.0)
    evaluate_synthetic(SyntheticRequest(settings=SETTINGS, count=6, save_maps=tmp_path), engine)

    kept = evaluate_synthetic(SyntheticRequest(settings=one_layer, from_maps=tmp_path / "synthetic.npz"), engine)

    direct = evaluate_synthetic(SyntheticRequest(settings=one_layer, count=6), engine)
    assert kept.rows == direct.rows
    assert (kept.data, kept.layers) == ("synthetic, held out: 6 pictures, seed 0 to seed 5", (4,))


@pytest.mark.usefixtures("cells")
def test_maps_of_solar_cells_are_not_taken_for_synthetic_ones(engine: Engine, tmp_path: Path) -> None:
    evaluate_elpv(ElpvRequest(settings=SETTINGS, save_maps=tmp_path), engine)

    with pytest.raises(DataError, match=r"elpv\.npz holds no masks, so it is not of the synthetic world"):
        evaluate_synthetic(SyntheticRequest(from_maps=tmp_path / "elpv.npz"), engine)


@pytest.mark.usefixtures("cells")
def test_kept_maps_are_measured_for_the_asked_cell_type_only(engine: Engine, tmp_path: Path) -> None:
    evaluate_elpv(ElpvRequest(settings=SETTINGS, save_maps=tmp_path), engine)

    report = evaluate_elpv(ElpvRequest(cell_types=("poly",), from_maps=tmp_path / "elpv.npz"), engine)

    assert [row.group for row in report.rows] == ["poly"]


def test_score_is_the_mean_of_the_highest_pixels_of_the_chosen_layers() -> None:
    maps = PictureMaps(np.zeros((1, 2, 2, 2), dtype=np.float32))
    maps.branch_maps[0, 0, 0, 0], maps.branch_maps[0, 1] = 1.0, 5.0
    settings = InspectionConfig(top_k=0.5, blur_sigma=0.0)

    anomaly_map, score = map_and_score(maps, DEFAULT_PRESET, (3, 6), (3,), 2, settings)

    assert anomaly_map.tolist() == [[1.0, 0.0], [0.0, 0.0]]
    assert score == pytest.approx(0.5)  # the two highest of four pixels: 1 and 0


def test_layers_are_summed_once_each() -> None:
    assert chosen_layers(InspectionConfig(layers=(6, 3, 6)), (3, 6, 9), DEFAULT_PRESET) == (3, 6)


def test_without_a_choice_the_presets_own_layers_are_summed_and_all_where_a_head_lacks_one() -> None:
    usual = PRESETS[DEFAULT_PRESET].default_layers
    assert chosen_layers(InspectionConfig(), (*usual, 12), DEFAULT_PRESET) == usual
    assert chosen_layers(InspectionConfig(), (2, 4), DEFAULT_PRESET) == (2, 4)


@pytest.mark.parametrize("image_size", [57, 14, 560])
def test_an_image_size_that_does_not_fit_is_refused(image_size: int) -> None:
    with pytest.raises(DataError, match=rf"size {image_size} does not fit; take a multiple of 14 up to 546"):
        resized(tiny_model(), image_size)


def test_a_model_looks_at_pictures_at_the_asked_size() -> None:
    model = resized(tiny_model(), 84)

    assert model.picture_maps(np.zeros((30, 50, 3), dtype=np.uint8)).branch_maps.shape == (1, 2, 6, 6)


def test_layer_maps_survive_being_written_and_read(tmp_path: Path) -> None:
    maps = LayerMapSet(
        branch_maps=np.arange(48, dtype=np.float32).reshape(2, 2, 3, 2, 2),
        global_scores=np.array([0.25, 0.5], dtype=np.float32),
        layers=(3, 6, 9),
        image_size=518,
        names=("a.png", "ü.png"),
        groups=("mono", "poly"),
        anomalous=np.array([True, False]),
        gt_masks=np.random.default_rng(0).random((2, 518, 518)) < 0.5,
        preset="visualad-dinov2-small",
        checkpoint="cd" * 32,
        backbone="a file",
    )

    save_layer_maps(tmp_path / "new" / "maps.npz", maps)
    read = read_layer_maps(tmp_path / "new" / "maps.npz")

    assert np.array_equal(read.branch_maps, maps.branch_maps)
    assert read.picture(1).global_score == 0.5
    assert np.array_equal(read.anomalous, maps.anomalous)
    assert read.gt_masks is not None
    assert maps.gt_masks is not None
    assert np.array_equal(read.gt_masks, maps.gt_masks)
    assert (read.layers, read.image_size, read.names, read.groups) == (
        maps.layers,
        maps.image_size,
        maps.names,
        maps.groups,
    )
    assert (read.preset, read.checkpoint, read.backbone) == (maps.preset, maps.checkpoint, maps.backbone)


def test_a_file_that_holds_no_layer_maps_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "maps.npz"
    path.write_bytes(b"PK\x03\x04 not a zip after all")

    with pytest.raises(DataError, match=r"maps\.npz holds no layer maps or is damaged"):
        read_layer_maps(path)


def test_missing_layer_maps_say_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="make them with --save-maps DIR"):
        read_layer_maps(tmp_path / "none.npz")


def test_the_table_says_what_does_not_apply() -> None:
    nothing = RankingMetrics(n_normal=0, n_anomalous=3, auroc=None, average_precision=None, f1_max=None)
    some = RankingMetrics(n_normal=10, n_anomalous=3, auroc=0.875, average_precision=0.5, f1_max=0.8)

    cells = [
        cells_of(ReportRow(method="m", group="g", image=metrics, pixel=nothing), True) for metrics in (nothing, some)
    ]

    assert cells[0] == ("m", "g", "0", "3", *["n/a"] * 8)
    assert cells[1] == ("m", "g", "10", "3", "0.875", "0.500", "0.800", *["n/a"] * 5)


def test_columns_of_a_table_are_aligned() -> None:
    assert aligned([("method", "group", "AUROC"), ("m", "mono", "0.9")]) == [
        "method  group  AUROC",
        "m       mono     0.9",
    ]
