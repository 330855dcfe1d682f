"""A DA-CLIP run caches features, trains, calibrates and leaves a head that says how it came about."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from app.services.convergence import Watch
from app.services.daclip_pictures import step_count
from app.services.daclip_training import DAClipRun, train_daclip
from app.services.training import Conduct
from models.backbones.text import TextTokens
from models.backbones.towers import Towers, build_tiny_towers
from models.data import synthetic
from models.errors import DataError, WeightsError
from models.head_files import read_head
from models.methods.daclip import DAClipConfig, DAClipHead
from models.methods.prompts import PromptSet
from models.registry import get_preset
from models.text_loading import attach_daclip_head
from models.training.checkpoint import tensors_digest
from models.training.daclip_loop import DAClipOptimisation

PRESET = "daclip-compact"
METHOD = DAClipConfig(layers=(2, 4), dar_grid=3, dar_state=4)


@pytest.fixture(autouse=True)
def little_calibration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.services.daclip_training.CALIBRATION_PICTURES", 3)


def towers() -> Towers:
    return build_tiny_towers(like="compact")


def tiny_run(tmp_path: Path, **changes: Any) -> DAClipRun:
    run = DAClipRun(
        preset=PRESET,
        method=METHOD,
        image_px=56,
        optimisation=DAClipOptimisation(),
        cache=tmp_path / "cache",
        pictures=5,
        epochs=2,
        batch_size=2,
    )
    return replace(run, **changes)


def test_a_run_leaves_a_head_with_calibration_and_a_log(tmp_path: Path) -> None:
    out = tmp_path / "head.safetensors"
    cached: list[tuple[int, int]] = []
    reports = list(
        train_daclip(tiny_run(tmp_path), towers(), out, on_cached=lambda done, total: cached.append((done, total)))
    )
    head = read_head(out)

    assert (
        [report.step for report in reports] == [1, 2, 3, 4, 5, 6] == list(range(1, step_count(tiny_run(tmp_path)) + 1))
    )
    assert cached == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]
    assert head.tensors["calibration.normal_maps"].shape == (3, 2, 2, 4, 4)  # pictures, branches, layers, grid
    assert head.tensors["calibration.normal_maps"].dtype == np.float16
    assert head.tensors["calibration.global_scores"].shape == (3,)
    rows = list(csv.DictReader(out.with_suffix(".csv").open()))
    assert [row["step"] for row in rows] == ["1", "2", "3", "4", "5", "6"]
    assert float(rows[0]["refined_dice"]) == pytest.approx(reports[0].losses["refined_dice"], abs=1e-4)


def test_the_head_in_the_file_is_the_trained_one_and_its_calibration_is_what_it_says(tmp_path: Path) -> None:
    out = tmp_path / "head.safetensors"
    optimisation = DAClipOptimisation(adapter_rate=0.05, schedule="constant", average_decay=0.9)
    list(train_daclip(tiny_run(tmp_path, optimisation=optimisation), towers(), out))
    head = read_head(out)
    model, calibration = attach_daclip_head(towers(), get_preset(PRESET), head, out)
    model.eval()

    held_out = synthetic.World(split="held_out", anomalous_share=0.0)
    picture = synthetic.sample(7_000_000_000_001, held_out, 56).image
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    images = torch.from_numpy((picture / 255.0 - mean) / std).permute(2, 0, 1).unsqueeze(0).float()
    found = model.maps(images)

    assert calibration is not None
    torch.testing.assert_close(calibration.normal_maps[1], found.branch_maps[0], atol=5e-3, rtol=0)
    assert found.global_scores is not None
    assert calibration.global_scores is not None
    torch.testing.assert_close(calibration.global_scores[1], found.global_scores[0], atol=5e-3, rtol=0)


def test_head_and_state_name_the_run_the_versions_and_both_towers(tmp_path: Path) -> None:
    out = tmp_path / "head.safetensors"
    prompts = PromptSet(object_name="nut", normal=("{}",), anomalous=("bent {}",), templates=("{}",))
    list(train_daclip(tiny_run(tmp_path, seed=7, prompts=prompts), towers(), out))

    config = read_head(out).config
    state = torch.load(out.with_suffix(".progress.pt"), weights_only=True)
    method = {
        "layers": [2, 4], "adapter": "rein", "residual": True, "adapter_tokens": 10, "adapter_layers": None,
        "decoupled": True, "dar": True, "dar_grid": 3, "dar_state": 4, "refine_normal": False, "temperature": 0.07,
        "scale_init": 1e-3, "gate_init": 1e-3,
    }  # fmt: skip
    words = {"object_name": "nut", "normal": ["{}"], "anomalous": ["bent {}"], "templates": ["{}"]}
    assert config["training"] == state["run"] == {
        "preset": PRESET, "method": method, "image_px": 56, "epochs": 2, "batch_size": 2,
        "optimisation": {
            "adapter_rate": 5e-4, "dar_rate": 1e-4, "schedule": "cosine", "final_share": 0.1, "average_decay": 0.0,
            "loss_px": None,
        },
        "seed": 7, "prompts": words, "features": "float16",
        "data": "synthetic", "pictures": 5, "photographs": 0, "photographs_sha256": hashlib.sha256(b"").hexdigest(),
    }  # fmt: skip
    assert (config["method"], config["backbone"], config["text"]) == ("DA-CLIP", "dinov2-small", "minilm")
    assert (config["layers"], config["image_size"]) == ([2, 4], 56)
    assert (config["config"], config["prompts"]) == (method, words)
    assert config["versions"] == state["versions"]
    assert config["backbone_sha256"] == tensors_digest(towers().visual.state_dict())
    assert config["text_sha256"] == tensors_digest(towers().text.state_dict())


def test_a_stopped_run_goes_on_and_ends_with_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.services.training_log.SAVE_EVERY_STEPS", 2)
    run = tiny_run(tmp_path)
    list(train_daclip(run, towers(), tmp_path / "whole.safetensors"))
    for report in train_daclip(run, towers(), tmp_path / "stopped.safetensors"):
        if report.step == 3:
            break  # the state of step 2 is the last one saved
    torch.manual_seed(99)  # whatever another process would have had
    rest = [report.step for report in train_daclip(run, towers(), tmp_path / "stopped.safetensors")]

    assert rest == [3, 4, 5, 6]
    rows = list(csv.DictReader((tmp_path / "stopped.csv").open()))
    assert [row["step"] for row in rows] == ["1", "2", "3", "4", "5", "6"]
    assert (tmp_path / "stopped.safetensors").read_bytes() == (tmp_path / "whole.safetensors").read_bytes()


def test_the_state_of_a_run_with_other_settings_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "head.safetensors"
    list(train_daclip(tiny_run(tmp_path), towers(), out))
    with pytest.raises(WeightsError, match="belongs to a run with other settings"):
        list(train_daclip(tiny_run(tmp_path, seed=1), towers(), out))


def test_what_cannot_be_is_refused_before_anything_is_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "head.safetensors"
    with pytest.raises(DataError, match="leave --watch out"):
        list(train_daclip(tiny_run(tmp_path), towers(), out, Conduct(watch=Watch(every=1))))
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "1")
    with pytest.raises(DataError, match="start it without torchrun"):
        list(train_daclip(tiny_run(tmp_path), towers(), out))
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("visual_dim", "text", "shares_space", "grid"),
    [
        (384, SimpleNamespace(width=384, depth=6, embed_dim=384), False, 28),  # the compact pair at 392 px
        (768, SimpleNamespace(width=768, depth=12, embed_dim=768), True, 37),  # CLIP ViT-L/14 at 518 px
    ],
)
def test_a_head_of_full_size_stays_under_16_mb(visual_dim: int, text: Any, shares_space: bool, grid: int) -> None:
    pair: Any = SimpleNamespace(visual_dim=visual_dim, text=text, shares_space=shares_space)
    head = DAClipHead(pair, DAClipConfig(layers=(6, 12, 18, 24)))

    weights = 2 * sum(value.numel() for value in head.state_dict().values())
    calibration = 128 * (2 * 2 * 4 * grid**2 + 4)

    assert weights + calibration + 100_000 < 16e6  # 100 kB for the description


def test_the_prompts_of_a_run_are_those_it_is_trained_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pair, read = towers(), []
    tokenize = pair.text.tokenize

    def noted(texts: Sequence[str]) -> TextTokens:
        read.append(tuple(texts))
        return tokenize(texts)

    monkeypatch.setattr(pair.text, "tokenize", noted)
    prompts = PromptSet(object_name="nut", normal=("{}",), anomalous=("bent {}",), templates=("{}",))

    list(train_daclip(tiny_run(tmp_path, epochs=1, prompts=prompts), pair, tmp_path / "head.safetensors"))

    assert set(read) == {("nut", "bent nut")}
    assert len(read) >= 3  # in each of the steps
