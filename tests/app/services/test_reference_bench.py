"""The references' bench on tiny random models: the same numbers as the inspector's, nested draws, mutual scoring."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from torch import Tensor

from app.commands.bench_references import as_markdown, speed_text
from app.services.inspector import Inspector
from app.services.patch_tokens import PatchDescriber
from app.services.picture_features import PictureFeatures
from app.services.reference_bench import (
    Cells,
    ReferenceBenchRequest,
    ReferenceRow,
    measure_mutual,
    measure_references,
    read_features,
)
from app.services.reference_speed import time_references
from app.services.references import ReferenceBuilder
from models.config import InspectionConfig
from models.errors import DataError
from models.evaluation.metrics import ranking_metrics
from models.presets import NEAREST_PATCH_PRESET
from models.registry import DEFAULT_PRESET, PRESETS
from tests.app.fakes import nowhere
from tests.app.services.reference_bench_fakes import saved_cells, tiny_describer, tiny_model

REQUEST = ReferenceBenchRequest(cell_types=("mono",), shots=(0, 1, 3), seeds=2, mutual=8)


def tiny_cells(tmp_path: Path, square: int = 0) -> Cells:
    (tmp_path / "pictures").mkdir()
    features = PictureFeatures(tmp_path / "cache", tiny_describer(), tiny_model())
    return read_features(saved_cells(tmp_path / "pictures", square=square), "mono", features)


def test_rows_are_what_the_inspector_finds_picture_by_picture(tmp_path: Path) -> None:
    cells = tiny_cells(tmp_path, square=150)  # hard to see, so that no rank is certain

    rows = measure_references(cells, REQUEST, ReferenceBuilder(tiny_describer))

    inspector = Inspector(nowhere(), load=lambda _: tiny_model(), describe=tiny_describer)
    settings = InspectionConfig(top_k=PRESETS[DEFAULT_PRESET].top_k, blur_sigma=PRESETS[DEFAULT_PRESET].blur_sigma)
    expected: dict[tuple[str, int], list[float]] = {
        (preset, count): [] for preset in (DEFAULT_PRESET, NEAREST_PATCH_PRESET) for count in (1, 3)
    }
    for seed in (0, 1):
        drawn = np.random.default_rng(seed).permutation(np.flatnonzero(~cells.anomalous))[:3]
        tested = [index for index in range(len(cells.paths)) if index not in drawn]
        for (preset, count), found in expected.items():
            references = inspector.references.build([cells.picture(index) for index in drawn[:count]])
            maps = [inspector.input_map(cells.picture(index), preset, settings, references) for index in tested]
            scores = [float(np.sort(one.ravel())[-32:].mean()) for one in maps]  # 1 % of 56 x 56
            found.append(ranking_metrics(np.array(scores), cells.anomalous[tested]).auroc or 0.0)
    for method, preset in (("fused", DEFAULT_PRESET), ("references", NEAREST_PATCH_PRESET)):
        for count in (1, 3):
            row = next(row for row in rows if row.method == method and row.shots == count)
            assert (row.lowest, row.highest) == (min(expected[preset, count]), max(expected[preset, count]))
            assert (row.n_normal, row.n_anomalous) == (8 - 3, 4)
    assert any(0 < auroc < 1 for found in expected.values() for auroc in found)


def test_there_is_a_row_for_every_method_and_number_of_references(tmp_path: Path) -> None:
    rows = measure_references(tiny_cells(tmp_path), REQUEST, ReferenceBuilder(tiny_describer))

    found = {(row.method, row.shots) for row in rows}
    assert found == {("zero-shot", 0), ("references", 1), ("fused", 1), ("references", 3), ("fused", 3)}
    assert all(row.lowest <= row.auroc <= row.highest for row in rows)
    assert {row.n_normal for row in rows} == {5}  # whatever k is, the three of the draw are left out


def test_black_squares_are_found_by_the_others(tmp_path: Path) -> None:
    row = measure_mutual(tiny_cells(tmp_path), REQUEST)

    assert (row.n_normal, row.n_anomalous) == (6, 2)
    assert row.auroc == 1.0


def test_too_many_references_for_the_cells_are_refused(tmp_path: Path) -> None:
    request = ReferenceBenchRequest(cell_types=("mono",), shots=(8,), seeds=1)
    with pytest.raises(DataError, match="8 references leave no normal mono cell to test; take fewer"):
        measure_references(tiny_cells(tmp_path), request, ReferenceBuilder(tiny_describer))


def test_too_few_cells_for_mutual_scoring_are_refused(tmp_path: Path) -> None:
    request = ReferenceBenchRequest(mutual=40)
    with pytest.raises(DataError, match="too few mono cells for 40"):
        measure_mutual(tiny_cells(tmp_path), request)


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    known = saved_cells(pictures)
    first = PictureFeatures(tmp_path / "cache", tiny_describer(), tiny_model())
    read_features(known[:5], "mono", first)

    computed = []
    describe = PatchDescriber.describe

    def counted(describer: PatchDescriber, images: Tensor) -> Tensor:
        computed.append(1)
        return describe(describer, images)

    monkeypatch.setattr(PatchDescriber, "describe", counted)
    read_features(known, "mono", PictureFeatures(tmp_path / "cache", tiny_describer(), tiny_model()))

    assert len(computed) == len(known) - 5


def test_the_table_has_a_line_for_each_method_and_a_column_for_each_number() -> None:
    def row(method: str, shots: int, auroc: float) -> ReferenceRow:
        return ReferenceRow(
            method=method, group="mono", shots=shots, auroc=auroc, lowest=auroc - 0.01, highest=auroc + 0.01,
            n_normal=150, n_anomalous=50,
        )  # fmt: skip

    rows = [row("zero-shot", 0, 0.9), row("references", 4, 0.8), row("fused", 4, 0.95), row("mutual", 0, 0.7)]

    lines = as_markdown(rows).splitlines()

    assert lines[0] == "| cells | method | k = 0 | k = 4 |"
    assert lines[2] == "| mono | zero-shot | 0.900 (0.890..0.910) | n/a |"
    assert lines[3] == "| mono | references | n/a | 0.800 (0.790..0.810) |"
    assert lines[4] == "| mono | fused | n/a | 0.950 (0.940..0.960) |"
    assert lines[-1] == "Mutual scoring of 200 unlabelled mono cells, 50 with defects: 0.700."


def test_speed_is_told_as_ratios() -> None:
    report = time_references(tiny_describer(), repeats=1)

    assert report.bank_ratio.median > 0
    assert report.bank_patches == 10_000
    assert "bank of 8 references against as many passes" in speed_text(report)
