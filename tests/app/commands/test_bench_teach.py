"""The options of `bench teach` and its tables."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from app.commands import bench
from app.commands.bench_teach import cells_markdown, products_markdown
from app.services.teach_bench_cells import CurveRow
from app.services.teach_bench_products import ProductRow
from models.errors import ExpectedError
from models.weights import WeightsLocation
from tests.app.services.teaching_fakes import ship_tiny_head


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    bench.add_arguments(parser)
    return parser.parse_args(["teach", *arguments])


@pytest.fixture
def where(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> WeightsLocation:
    return ship_tiny_head(monkeypatch, tmp_path)


def curve_row(method: str, count: int, auroc: float, spread: float = 0.0) -> CurveRow:
    return CurveRow(
        group="mono", method=method, count=count, auroc=auroc, lowest=auroc - spread, highest=auroc + spread, better=1,
        n_normal=150, n_anomalous=140,
    )  # fmt: skip


def product_row(count: int, pixel_ap: float, product: str = "honeycomb, warp") -> ProductRow:
    return ProductRow(
        product=product, count=count, image_auroc=0.9, pixel_ap=pixel_ap, synthetic_image_auroc=0.8,
        synthetic_pixel_ap=0.2, better=True,
    )  # fmt: skip


def test_counts_that_teaching_would_refuse_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ExpectedError, match=r"--counts takes 0 and numbers from 3 to 150, got \(0, 2\)"):
        bench.run(parsed("--counts", "0,2", "--cache", str(tmp_path)))


def test_without_cells_and_products_nothing_is_measured(
    where: WeightsLocation, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench.run(parsed("--no-cells", "--products", "0", "--cache", str(tmp_path / "cache"), "--json")) == 0
    assert '"cells": {}' in capsys.readouterr().out


def test_each_cell_type_has_a_line_with_what_it_is_compared_with() -> None:
    rows = [
        curve_row("zero-shot", 0, 0.7),
        curve_row("nearest patch", 4, 0.84, 0.01),
        curve_row("taught", 5, 0.75, 0.02),
        curve_row("taught", 20, 0.9, 0.01),
    ]

    lines = cells_markdown({"normals": rows}).splitlines()

    assert lines[0] == 'Painted by the rule "normals":'
    assert lines[2] == "| cells | zero-shot | nearest patch, 4 shown | taught 5 | taught 20 |"
    assert lines[4] == (
        "| mono | 0.700 | 0.840 (0.830..0.850) | 0.750 (0.730..0.770) | 0.900 (0.890..0.910) |"
    )  # fmt: skip
    assert "mono: 150 normal, 140 anomalous" in lines[-1]


def test_products_are_told_one_by_one_and_in_the_mean_beside_what_is_forgotten() -> None:
    rows = [
        product_row(0, 0.05),
        product_row(20, 0.45),
        product_row(0, 0.25, "agate, melt"),
        product_row(20, 0.35, "agate, melt"),
    ]

    lines = products_markdown(rows).splitlines()

    assert lines[0] == "| product | 0 corrections | 20 corrections |"
    assert lines[2] == "| honeycomb, warp | 0.050 | 0.450 |"
    assert lines[4] == "| **mean pixel AP** | 0.150 | 0.400 |"
    assert lines[6] == "| **synthetic set, pixel AP** | 0.200 | 0.200 |"
