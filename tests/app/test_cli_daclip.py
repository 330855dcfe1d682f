"""Training, ablating and measuring DA-CLIP at the command line, with small random towers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from app.cli import main
from app.services.layer_map_files import read_layer_maps
from models import loading, text_loading
from models.backbones.towers import Towers, build_tiny_towers
from models.head_files import read_head

SMALL = ["--image-size", "56", "--layers", "2,4", "--batch-size", "2", "--threads", "1", "--device", "cpu"]
FEW = ["--pictures", "4", "--epochs", "1", *SMALL]


@pytest.fixture(autouse=True)
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pictures the vision tower saw, one entry each; the towers are tiny ones."""
    seen: list[int] = []

    def load(*_: object, **__: object) -> tuple[Towers, str]:
        towers = build_tiny_towers(like="compact")
        look = towers.visual_features

        def counted(images, layers):  # type: ignore[no-untyped-def]
            seen.extend([1] * len(images))
            return look(images, layers)

        monkeypatch.setattr(towers, "visual_features", counted)
        return towers, "the test"

    monkeypatch.setattr(text_loading, "load_towers", load)
    monkeypatch.setattr("app.services.daclip_training.CALIBRATION_PICTURES", 2)
    return seen


def test_a_preset_of_da_clip_is_trained_with_its_own_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "head.safetensors"

    done = main(
        ["train", "--preset", "daclip-compact", "--out", str(out), *FEW, "--joint", "--no-dar", "--loss-px", "28"]
    )

    assert done == 0
    assert capsys.readouterr().out == f"wrote {out}\n"
    config = read_head(out).config
    assert (config["method"], config["config"]["decoupled"], config["config"]["dar"]) == ("DA-CLIP", False, False)
    assert (config["training"]["optimisation"]["loss_px"], config["training"]["pictures"]) == (28, 4)
    assert (tmp_path / "head.features").is_dir()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--preset", "clip-zero-shot"], "has nothing to train here"),
        (["--preset", "daclip-compact", "--image-size", "50"], "--image-size 50 cannot be"),
        (["--preset", "daclip-compact", "--adapter-rate", "0"], "rates must be greater than 0"),
        (["--preset", "daclip-compact", "--watch", "5"], "cannot be watched"),
        (["--preset", "daclip-compact", "--layers", "13"], "layers of DINOv2 ViT-S/14 are 1 to 12"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_sentence(
    options: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--out", str(tmp_path / "head.safetensors"), "--device", "cpu", *options]) == 2
    assert sentence in capsys.readouterr().err


def test_an_ablation_prints_its_rows_and_a_second_call_measures_from_kept_maps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], looks: list[int]
) -> None:
    command = ["ablate", "daclip-alpha", "--out", str(tmp_path), *FEW, "--count", "6"]

    assert main(command) == 0
    first, seen = _rows(capsys.readouterr().out), len(looks)
    assert main(command) == 0

    assert len(first) == 6
    assert all(f"alpha = {alpha}" in row for alpha, row in zip((0.3, 0.4, 0.5, 0.6, 0.7, 0.8), first, strict=True))
    assert _rows(capsys.readouterr().out) == first
    assert len(looks) == seen == 4 + 2 + 6  # training, calibration, measured once for six rows
    assert "alpha = 0.7" in (tmp_path / "daclip-alpha.md").read_text()


def _rows(printed: str) -> list[str]:
    return [line for line in printed.splitlines() if "alpha = " in line]


@pytest.mark.parametrize(
    ("ablation", "preset", "sentence"),
    [
        ("daclip-dar", "visualad-dinov2-large", "daclip-dar is an ablation of DA-CLIP, and VisualAD · DINOv2 ViT-L/14"),
        ("daclip-dar", "visualad-dinov2-small", "daclip-dar is an ablation of DA-CLIP, and VisualAD · DINOv2 ViT-S/14"),
        ("saf", "daclip-compact", "saf is an ablation of VisualAD, and DA-CLIP"),
    ],
)
def test_an_ablation_on_a_preset_of_another_method_is_refused(
    ablation: str, preset: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ablate", ablation, "--preset", preset, "--out", str(tmp_path / "out")]) == 2

    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_kept_features_give_the_same_maps_and_the_tower_looks_once(tmp_path: Path, looks: list[int]) -> None:
    head = tmp_path / "head.safetensors"
    assert main(["train", "--preset", "daclip-compact", "--out", str(head), *FEW]) == 0
    kept = ["--features", str(tmp_path / "kept")]
    runs = []
    for name, options in (("plain", []), ("first", kept), ("again", kept)):
        looks.clear()
        assert main(evaluation(head, "--save-maps", str(tmp_path / name), *options)) == 0
        runs.append((read_layer_maps(tmp_path / name / "synthetic.npz"), len(looks)))

    (plain, *others), seen = [maps for maps, _ in runs], [count for _, count in runs]
    assert seen == [6, 6, 0]
    assert np.ptp(plain.branch_maps) > 0.05
    assert plain.global_scores is not None
    for maps in others:
        assert maps.global_scores is not None
        np.testing.assert_allclose(maps.branch_maps, plain.branch_maps, rtol=0, atol=5e-3)  # kept in half precision
        np.testing.assert_allclose(maps.global_scores, plain.global_scores, rtol=0, atol=5e-3)


def test_features_are_kept_at_the_asked_image_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = tmp_path / "head.safetensors"
    assert main(["train", "--preset", "daclip-compact", "--out", str(head), *FEW]) == 0
    capsys.readouterr()

    assert main(evaluation(head, "--features", str(tmp_path / "kept"), "--image-size", "84")) == 0

    report = json.loads(capsys.readouterr().out)
    assert (report["image_size"], report["rows"][0]["image"]["n_normal"] > 0) == (84, True)
    assert [json.loads(key.read_text())["image_px"] for key in (tmp_path / "kept").glob("*/key.json")] == [84]


def evaluation(head: Path, *options: str) -> list[str]:
    return [
        "evaluate", "synthetic", "--preset", "daclip-compact", "--checkpoint", str(head), "--count", "6", "--json",
        "--device", "cpu", *options,
    ]  # fmt: skip


def test_a_report_says_with_which_alpha_and_patches_it_was_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = tmp_path / "head.safetensors"
    assert main(["train", "--preset", "daclip-compact", "--out", str(head), *FEW]) == 0
    capsys.readouterr()

    assert main(evaluation(head, "--alpha", "0.3", "--top-patches", "5")) == 0

    report = json.loads(capsys.readouterr().out)
    assert (report["alpha"], report["top_patches"], report["top_k"]) == (0.3, 5, None)


def test_an_alpha_for_a_method_without_refined_maps_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "synthetic", "--count", "2", "--alpha", "0.3", "--device", "cpu"]) == 2
    assert "has no refined maps, so alpha means nothing there" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["train", "ablate"])
@pytest.mark.parametrize(
    ("preset", "method", "options"),
    [
        *(
            ("daclip-compact", "VisualAD", options)
            for options in (
                ["--losses", "focal"], ["--stages", "70x1x2"], ["--bf16"], ["--accumulate", "2"],
                ["--checkpoint-blocks"], ["--module-rate", "1"], ["--token-rate", "1"], ["--dropout", "0.2"],
                ["--no-sca"], ["--saf", "none"], ["--anchors", "2"], ["--train-positions"], ["--workers", "0"],
            )
        ),
        *(
            ("visualad-dinov2-small", "DA-CLIP", options)
            for options in (
                ["--joint"], ["--no-dar"], ["--no-residual"], ["--refine-normal"], ["--adapter", "simple"],
                ["--adapter-rate", "1"], ["--dar-rate", "1"], ["--loss-px", "28"], ["--pictures", "3"],
                ["--cache", "here"],
            )
        ),
    ],
)  # fmt: skip
def test_an_option_of_the_other_method_is_refused(
    command: str,
    preset: str,
    method: str,
    options: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unwanted(*_: object, **__: object) -> None:
        raise AssertionError("nothing is to be loaded")

    monkeypatch.setattr(loading, "load_backbone", unwanted)
    what = {"train": "head.safetensors", "ablate": "out"}[command]
    name = [] if command == "train" else ["saf" if method == "DA-CLIP" else "daclip-dar"]

    done = main([command, *name, "--preset", preset, "--out", str(tmp_path / what), "--device", "cpu", *options])

    assert done == 2
    assert f"{options[0]} is for {method} alone and means nothing for" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_features_of_another_method_are_not_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["evaluate", "synthetic", "--count", "2", "--features", str(tmp_path), "--device", "cpu"]
    assert main(command) == 2
    assert "Only features of DA-CLIP can be kept" in capsys.readouterr().err
