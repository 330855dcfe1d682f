"""The bench on a tiny random model: the order of the pairs, and a complete report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from app.commands.bench import as_text
from app.services import bench
from app.services.bench import (
    BenchReport,
    BenchRequest,
    SliderTime,
    Spread,
    alternating,
    passes,
    run_bench,
    spread,
    words_time,
)
from models.backbones.towers import build_tiny_towers
from models.backbones.vit import build_tiny_backbone
from models.loading import LoadedModel
from models.methods.daclip import DAClip, DAClipConfig
from models.methods.visualad import VisualAD, VisualADConfig
from models.registry import DEFAULT_PRESET, get_preset
from models.weights import WeightsLocation


def tiny_model() -> LoadedModel:
    return LoadedModel(
        preset=get_preset(DEFAULT_PRESET),
        layers=(2, 4),
        image_size=56,
        checkpoint_digest="ab" * 32,
        backbone_source="random",
        device="cpu",
        calibration=None,
        method=VisualAD(build_tiny_backbone(), VisualADConfig(layers=(2, 4))).eval(),
    )


def test_pairs_are_run_in_changing_order_after_one_uncounted_pass_of_each() -> None:
    order: list[str] = []

    pairs = list(alternating(lambda: order.append("a"), lambda: order.append("b"), repeats=3))

    assert "".join(order) == "ab" + "ab" + "ba" + "ab"
    assert len(pairs) == 3


def test_each_pair_names_the_first_thing_first_whatever_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("app.services.bench.time.perf_counter", lambda: clock[0])

    def take(seconds: float) -> None:
        clock[0] += seconds

    pairs = list(alternating(lambda: take(1.0), lambda: take(3.0), repeats=2))

    assert [(first.wall_s, second.wall_s) for first, second in pairs] == [(1.0, 3.0), (1.0, 3.0)]


def test_a_spread_is_median_lowest_and_highest() -> None:
    assert spread([3.0, 1.0, 2.0, 10.0]) == Spread(median=2.5, lowest=1.0, highest=10.0)


def test_the_bare_pass_runs_every_block_and_no_extra_token(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model()
    lengths: list[int] = []
    for block in model.method.backbone.vit.blocks:
        block.register_forward_hook(lambda _module, _args, output: lengths.append(output.shape[1]))

    bare, whole = passes(model)
    bare()
    whole()

    assert lengths == [17] * 4 + [19] * 4  # 16 patches and the class token; then two tokens more


def test_a_report_holds_every_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "SLIDER_SIZES_WH", ((60, 40),))

    report = run_bench(BenchRequest(repeats=2), WeightsLocation(weights_dir=tmp_path), load=lambda _: tiny_model())

    assert (report.image_size, report.repeats, report.threads) == (56, 2, torch.get_num_threads())
    assert 0 < report.backbone_s.lowest <= report.backbone_s.median <= report.backbone_s.highest
    assert report.ratio.lowest > 0
    assert [slider.size_wh for slider in report.sliders] == [(60, 40)]
    assert report.sliders[0].inspect_s.lowest > 0


def test_the_sentences_say_what_the_method_adds() -> None:
    moment = Spread(median=0.5, lowest=0.4, highest=0.6)
    report = BenchReport(
        preset="tiny",
        device="cpu",
        image_size=518,
        threads=2,
        repeats=9,
        load_s=0.25,
        backbone_s=moment,
        method_s=moment,
        ratio=Spread(median=1.06, lowest=1.04, highest=1.09),
        cpu_ratio=Spread(median=1.05, lowest=1.05, highest=1.06),
        sliders=(SliderTime(size_wh=(300, 200), inspect_s=moment, overlay_s=moment),),
    )

    text = as_text(report)

    assert "ratio           1.060 (1.040..1.090), in processor time 1.050 (1.050..1.060)" in text
    assert "The method adds 6.0 % to its backbone." in text
    assert "slider change at 300 x 200: 500 ms (400..600)" in text


def test_words_are_timed_where_a_method_has_them() -> None:
    method = DAClip(build_tiny_towers(like="compact"), DAClipConfig(layers=(2, 4), dar_grid=2)).eval()

    found = words_time(replace(tiny_model(), method=method), repeats=3)

    assert found is not None
    assert 0 < found.lowest <= found.median <= found.highest
    assert words_time(tiny_model(), repeats=3) is None
