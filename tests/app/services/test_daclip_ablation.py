"""Every row of a DA-CLIP ablation has the head it needs; rows that train alike share one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.services.ablation import AblationResult, as_report
from app.services.daclip_ablation import DACLIP_ABLATIONS, DAClipRow, ablate_daclip, heads_missing, rows_of
from app.services.daclip_training import DAClipRun
from app.services.reports import Report, ReportRow
from models.backbones.towers import Towers, build_tiny_towers
from models.config import InspectionConfig
from models.errors import WeightsError
from models.evaluation.metrics import ranking_metrics
from models.head_files import read_head
from models.methods.daclip import DAClipConfig
from models.training.daclip_loop import DAClipOptimisation


@pytest.fixture(autouse=True)
def little_calibration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.services.daclip_training.CALIBRATION_PICTURES", 2)


def tiny_run(tmp_path: Path) -> DAClipRun:
    return DAClipRun(
        preset="daclip-compact",
        method=DAClipConfig(layers=(2, 4), dar_grid=3, dar_state=4),
        image_px=56,
        optimisation=DAClipOptimisation(),
        cache=tmp_path / "cache",
        pictures=4,
        epochs=1,
        batch_size=2,
    )


class Bench:
    """Loads towers, measures heads, and remembers what it was asked."""

    def __init__(self) -> None:
        self.loads = 0
        self.measured: list[tuple[str, InspectionConfig]] = []
        self.steps: list[tuple[str, int, int]] = []
        self.cached: list[tuple[int, int]] = []

    def load(self) -> Towers:
        self.loads += 1
        return build_tiny_towers(like="compact")

    def measure(self, head: Path, settings: InspectionConfig) -> Report:
        self.measured.append((head.name, settings))
        metrics = ranking_metrics([0.1, 0.9], [0, 1])
        return Report(
            data="none", preset="daclip-compact", checkpoint=read_head(head).digest, backbone="tiny", image_size=56,
            layers=(2, 4), top_k=0.01, blur_sigma=4.0, seconds=2.0,
            rows=(ReportRow(method="DA-CLIP", group="all", image=metrics),),
        )  # fmt: skip

    def run(self, base: DAClipRun, name: str, out: Path, **more: Any) -> list[AblationResult]:
        self.measured, self.steps, self.cached = [], [], []
        return list(
            ablate_daclip(
                base,
                rows_of(name, text_depth=3),
                self.load,
                out,
                self.measure,
                lambda row, step, total: self.steps.append((row, step, total)),
                on_cached=lambda done, total: self.cached.append((done, total)),
                **more,
            )
        )


@pytest.mark.parametrize(
    ("name", "field", "values"),
    [
        ("daclip-branches", "decoupled", {"joint": False, "base": True}),
        ("daclip-residual", "residual", {"without-residual": False, "base": True}),
        ("daclip-dar", "dar", {"without-dar": False, "base": True}),
        ("daclip-depth", "adapter_layers", {"first-2": [1, 2], "base": None}),
    ],
)
def test_each_row_that_trains_differently_has_its_own_head(
    name: str, field: str, values: dict[str, Any], tmp_path: Path
) -> None:
    bench, out = Bench(), tmp_path / "out"

    results = bench.run(tiny_run(tmp_path), name, out)

    assert {path.stem: read_head(path).config["config"][field] for path in out.glob("*.safetensors")} == values
    assert [row.group for row in as_report(tuple(results)).rows] == [row.name for row in rows_of(name, 3)]
    assert (bench.loads, len(bench.cached), len(bench.steps)) == (1, 4, 4)  # two heads of two steps on four pictures


def test_a_row_is_what_its_name_says_whatever_the_base_is(tmp_path: Path) -> None:
    base, out = tiny_run(tmp_path), tmp_path / "out"

    Bench().run(replace(base, method=replace(base.method, dar=False)), "daclip-dar", out)

    heads = {path.stem: read_head(path).config["config"]["dar"] for path in out.glob("*.safetensors")}
    assert heads == {"without-dar": False, "base": True}


def test_several_ablations_share_the_base_and_train_it_once(tmp_path: Path) -> None:
    bench, base, out = Bench(), tiny_run(tmp_path), tmp_path / "out"
    bench.run(base, "daclip-branches", out)
    before = (out / "base.safetensors").stat().st_mtime_ns
    assert heads_missing(rows_of("daclip-dar", 3), out) == 1

    bench.run(base, "daclip-dar", out)

    assert (out / "base.safetensors").stat().st_mtime_ns == before
    assert {row for row, _, _ in bench.steps} == {"without DAR"}
    assert [head for head, _ in bench.measured] == ["without-dar.safetensors", "base.safetensors"]
    assert heads_missing(rows_of("daclip-dar", 3), out) == 0


@pytest.mark.parametrize(
    ("name", "field", "values"),
    [
        ("daclip-topk", "top_patches", [1, 10, 20, 30, 40, 50, 60, 70, 80, 90]),
        ("daclip-alpha", "alpha", [0.3, 0.4, 0.5, 0.6, 0.7, 0.8]),
    ],
)
def test_ablations_of_reading_measure_one_head_with_every_setting(
    name: str, field: str, values: list[Any], tmp_path: Path
) -> None:
    bench, out = Bench(), tmp_path / "out"
    settings = InspectionConfig(blur_sigma=2.0)

    bench.run(tiny_run(tmp_path), name, out, settings=settings)

    assert bench.measured == [("base.safetensors", replace(settings, **{field: value})) for value in values]
    assert len(bench.steps) == 2
    assert bench.steps[-1][1:] == (2, 2)
    assert [path.name for path in out.glob("*.safetensors")] == ["base.safetensors"]


def test_what_is_there_is_only_measured_and_needs_no_towers(tmp_path: Path) -> None:
    out = tmp_path / "out"
    Bench().run(tiny_run(tmp_path), "daclip-branches", out)

    again = Bench()
    again.run(tiny_run(tmp_path), "daclip-branches", out)

    assert (again.loads, again.steps, again.cached, len(again.measured)) == (0, [], [], 2)


def test_a_head_of_another_base_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "out"
    Bench().run(tiny_run(tmp_path), "daclip-branches", out)

    with pytest.raises(WeightsError, match="was trained with other settings; use those, or choose another --out"):
        Bench().run(replace(tiny_run(tmp_path), epochs=2), "daclip-branches", out)


def test_adapters_grow_by_two_layers_up_to_the_whole_text_tower() -> None:
    assert [(row.name, row.method.get("adapter_layers")) for row in rows_of("daclip-depth", 6)] == [
        ("first 2", (1, 2)), ("first 4", (1, 2, 3, 4)), ("all 6", None),
    ]  # fmt: skip
    assert len(rows_of("daclip-depth", 12)) == 6


def test_the_rows_of_an_ablation_differ_and_their_files_have_plain_names() -> None:
    for name in DACLIP_ABLATIONS:
        rows = rows_of(name, 12)
        assert len({row.name for row in rows}) == len(rows) > 1
        assert all("." not in row.head_name and " " not in row.head_name for row in rows)
        assert len({row.head_name for row in rows if row.method}) == sum(bool(row.method) for row in rows)
        assert sum(row.is_papers for row in rows) == any(row.method for row in rows)


def test_a_row_that_trains_as_the_paper_does_uses_the_base() -> None:
    assert DAClipRow("k = 1", settings={"top_patches": 1}).head_name == "base"
    assert DAClipRow("with DAR", {"dar": True}, is_papers=True).head_name == "base"
    assert DAClipRow("without DAR", {"dar": False}).head_name == "without-dar"


@pytest.mark.parametrize(("alphas", "named"), [((0.3, 0.4), None), ((0.3, 0.3), 0.3)])
def test_a_table_names_an_alpha_only_where_all_rows_have_it(alphas: tuple[float, ...], named: float | None) -> None:
    image = ranking_metrics([0.1, 0.9], [0, 1])
    results = tuple(
        AblationResult(f"row {index}", Path("head"), Report(
            data="none", preset="daclip-compact", checkpoint="", backbone="", image_size=56, layers=(), top_k=None,
            blur_sigma=4.0, seconds=1.0, rows=(ReportRow(method="m", group="all", image=image),), alpha=alpha,
            top_patches=10,
        ))
        for index, alpha in enumerate(alphas)
    )  # fmt: skip

    report = as_report(results)

    assert (report.alpha, report.top_patches) == (named, 10)
