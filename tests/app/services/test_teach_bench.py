"""The bench of teaching on tiny random models: what is labelled, what is tested, and that nothing is taught twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from app.services.patch_tokens import PatchDescriber
from app.services.picture_features import PictureFeatures
from app.services.teach_bench import Classroom, Exam, Labelled, Outcome, Results, in_turn
from app.services.teach_bench_cells import Cells, measure_cells, read_cells_apart
from app.services.teach_bench_person import difference_from_normals, resized_mask, top_region
from app.services.teach_bench_products import measure_products
from app.store.workspace import Workspace
from models.backbones.vit import build_tiny_backbone
from models.data.synthetic.products import Product
from models.errors import DataError
from models.loading import load_preset
from models.registry import get_backbone_spec
from models.weights import WeightsLocation
from tests.app.services.reference_bench_fakes import saved_cells
from tests.app.services.teaching_fakes import COUNTS, PRESET, SIDE, picture, ship_tiny_head, spot_mask

HONEYCOMB = Product(normal_family="honeycomb", anomaly_family="thread_loop", seed=3)


@pytest.fixture
def where(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> WeightsLocation:
    return ship_tiny_head(monkeypatch, tmp_path)


@pytest.fixture
def classroom(where: WeightsLocation, tmp_path: Path) -> Iterator[Classroom]:
    with Workspace.open(tmp_path / "bench") as workspace:
        room = Classroom(workspace, load_preset(PRESET, where), where, "cpu", COUNTS)
        yield room
        room.close()


def few_cells(folder: Path, classroom: Classroom) -> Cells:
    (folder / "pictures").mkdir()
    describer = PatchDescriber(
        build_tiny_backbone(image_px=SIDE), get_backbone_spec("dinov2-small"), SIDE, (2, 3), "random"
    )
    features = PictureFeatures(folder / "cache", describer, classroom.model)
    return read_cells_apart(saved_cells(folder / "pictures", normal=15, anomalous=12), "mono", features)


def test_the_painted_region_is_the_largest_above_the_value_that_two_percent_exceed() -> None:
    anomaly_map = np.arange(10_000, dtype=np.float32).reshape(100, 100) / 1e6
    anomaly_map[10:20, 10:20] = 2.0  # 100 pixels
    anomaly_map[50:58, 50:60] = 3.0  # 80 pixels, higher and smaller
    expected = np.zeros((100, 100), dtype=np.bool_)
    expected[10:20, 10:20] = True

    painted = top_region(anomaly_map)

    assert np.array_equal(painted, expected)


def test_somebody_who_knows_the_normal_patches_paints_what_is_none_of_them() -> None:
    normal = torch.zeros(1, 16, 2)
    normal[..., 0] = 1.0
    tokens = normal.clone()
    tokens[0, 5] = torch.tensor([0.0, 1.0])  # row 1, column 1 of the 4 x 4 grid

    difference = difference_from_normals(tokens, [normal], 8, 0.0)

    assert difference.shape == (8, 8)
    assert difference.max() == difference[2:4, 2:4].max()
    assert difference[4:].max() < difference.max()
    assert difference.min() == 0.0


def test_a_painted_region_is_carried_to_the_size_of_the_picture() -> None:
    mask = np.array([[True, False], [False, False]])

    assert np.array_equal(resized_mask(mask, (2, 4)), [[True, True, False, False], [False, False, False, False]])


def test_normal_and_anomalous_pictures_are_labelled_by_turns() -> None:
    normal, anomalous = ([Labelled(name, None) for name in names] for names in ("ab", "xy"))

    assert [one.image for one in in_turn(normal, anomalous)] == ["a", "x", "b", "y"]


def test_only_the_asked_labels_count_and_the_version_does_not_stay(classroom: Classroom) -> None:
    def labels(first: int) -> list[Labelled]:
        normal = [Labelled(classroom.add(picture(n), f"{n}.png"), None) for n in range(first, first + 2)]
        spots = [Labelled(classroom.add(picture(n, spot=True), f"{n}.png"), spot_mask()) for n in (50, 51)]
        return [*normal, *spots]

    tested = {"spots": Exam(tuple(
        classroom.tested(classroom.add(picture(number, spot=spot), f"{number}.png"), anomalous=spot)
        for number, spot in ((90, False), (91, True))
    ))}  # fmt: skip
    before = classroom.untaught(tested)

    outcomes = [classroom.teach(labels(first), 0, tested) for first in (0, 10)]

    wanted = {one.image for one in labels(10)}
    assert {image.digest for image, _ in classroom.workspace.annotated()} == wanted
    assert classroom.workspace.versions.list() == ()
    assert classroom.workspace.versions.active(PRESET) is None
    assert all(outcome.sentence for outcome in outcomes)
    for outcome in (before, *outcomes):
        assert (outcome.measures["spots"].normal, outcome.measures["spots"].anomalous) == (1, 1)


def test_cells_that_are_shown_are_never_tested(classroom: Classroom, tmp_path: Path) -> None:
    cells = few_cells(tmp_path, classroom)

    assert not set(cells.pool) & set(cells.tested)
    assert [int(cells.anomalous[cells.pool].sum()), len(cells.pool)] == [4, 8]  # a third of 12, and as many normal
    assert len(cells.tested) == 27 - 5 - 4  # a third of the 15 normal ones is set apart too


def test_a_curve_has_what_it_is_compared_with_on_the_same_cells(
    classroom: Classroom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = few_cells(tmp_path, classroom)
    results = Results(tmp_path / "results.jsonl", preset=PRESET)

    rows = measure_cells(cells, classroom, results, counts=(0, 4), seeds=2, rule="normals")

    assert [(row.method, row.count) for row in rows] == [("zero-shot", 0), ("nearest patch", 4), ("taught", 4)]
    assert {(row.n_normal, row.n_anomalous) for row in rows} == {(10, 8)}
    assert all(row.lowest <= row.auroc <= row.highest for row in rows)

    monkeypatch.setattr(Classroom, "teach", lambda *_: pytest.fail("it was measured before"))
    again = measure_cells(
        cells, classroom, Results(tmp_path / "results.jsonl", preset=PRESET), counts=(0, 4), seeds=2, rule="normals"
    )
    assert again == rows


def test_more_corrections_than_cells_set_apart_are_refused(classroom: Classroom, tmp_path: Path) -> None:
    cells = few_cells(tmp_path, classroom)
    results = Results(tmp_path / "results.jsonl")

    with pytest.raises(DataError, match="Only 8 mono cells are set apart to be shown, not 10; take fewer"):
        measure_cells(cells, classroom, results, counts=(0, 10), seeds=1, rule="map")


def test_a_line_that_was_cut_off_is_measured_again(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    outcome = Outcome(measures={}, sentence="It got better.", stopped_at=7)
    assert Results(path).get_or_measure(lambda: outcome, seed=1) == outcome
    path.write_text(path.read_text() + '{"key": "ab', encoding="utf-8")

    other = Outcome(measures={}, sentence="", stopped_at=0)

    assert Results(path).get_or_measure(lambda: other, seed=1) == outcome
    assert Results(path).get_or_measure(lambda: other, seed=2) == other
    assert Results(path, preset="another").get_or_measure(lambda: other, seed=1) == other


def test_products_are_taught_with_true_masks_and_tested_beside_the_synthetic_set(
    classroom: Classroom, tmp_path: Path
) -> None:
    results = Results(tmp_path / "results.jsonl")

    rows = measure_products([HONEYCOMB], classroom, results, counts=(4,), tested=4, others=4)

    assert [(row.product, row.count) for row in rows] == [("honeycomb, thread_loop", 0), ("honeycomb, thread_loop", 4)]
    assert rows[0].pixel_ap != rows[1].pixel_ap
    masks = [revision.area_px > 0 for _, revision in classroom.workspace.annotated()]
    assert sorted(masks) == [False, False, True, True]
