"""Loading methods that compare with words, with small towers in the place of the large ones."""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models import text_loading
from models.backbones.towers import Towers, build_tiny_towers
from models.errors import DataError, WeightsError
from models.head_calibration import CALIBRATION_KEY, GLOBAL_SCORES_KEY
from models.head_files import save_head
from models.loading import LoadedModel, load_preset
from models.methods.daclip import DAClip, DAClipConfig
from models.methods.prompts import PromptSet
from models.presets import PRESETS
from models.text_loading import load_text_preset, load_towers, training_free
from models.weights import WeightsLocation

COMPACT = PRESETS["daclip-compact"]
CONFIG = DAClipConfig(layers=(2, 4), dar_grid=2)
RGB = np.random.default_rng(0).integers(0, 256, (56, 56, 3), dtype=np.uint8)


def compact(seed: int = 0) -> Towers:
    return build_tiny_towers(like="compact", seed=seed)


@pytest.fixture(autouse=True)
def tiny_towers(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(preset: Any, *_: Any, **__: Any) -> tuple[Towers, str]:
        return (compact() if preset.text == "minilm" else build_tiny_towers(like="clip")), "a test"

    monkeypatch.setattr(text_loading, "load_towers", load)


def tiny_model() -> DAClip:
    torch.manual_seed(3)
    return DAClip(compact(), CONFIG).eval()


def write_head(path: Path, change: Callable[[dict[str, Any]], None] = lambda _: None) -> Path:
    config = {
        "method": "DA-CLIP",
        "backbone": "dinov2-small",
        "text": "minilm",
        "layers": [2, 4],
        "image_size": 56,
        "config": {**asdict(CONFIG), "layers": [2, 4]},
        "training": {"data": "synthetic"},
    }
    change(config)
    tensors = {name: value.numpy() for name, value in tiny_model().head.state_dict().items()}
    tensors[CALIBRATION_KEY] = np.full((4, 2, 2, 4, 4), 0.25, np.float32)
    tensors[GLOBAL_SCORES_KEY] = np.array([0.1, 0.2, 0.3, 0.4], np.float32)
    save_head(path, tensors, config)
    return path


def loaded(path: Path) -> LoadedModel:
    return load_preset(COMPACT.name, WeightsLocation(weights_dir=path.parent, head_path=path))


def test_a_loaded_head_gives_the_maps_of_the_model_that_was_saved(tmp_path: Path) -> None:
    model = loaded(write_head(tmp_path / "head.safetensors"))
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = tiny_model().maps((((torch.from_numpy(RGB) / 255) - mean) / std).permute(2, 0, 1)[None])

    maps = model.picture_maps(RGB)

    np.testing.assert_allclose(maps.branch_maps, expected.branch_maps[0].numpy(), atol=1e-5)
    assert expected.global_scores is not None
    assert maps.global_score == pytest.approx(float(expected.global_scores[0]), abs=1e-5)
    assert (model.layers, model.branches, model.image_size) == ((2, 4), ("static", "refined"), 56)
    assert (model.trained_on, model.backbone_source) == ("synthetic", "a test")


def test_thresholds_are_those_of_the_heads_normal_pictures(tmp_path: Path) -> None:
    model = loaded(write_head(tmp_path / "head.safetensors"))
    assert model.calibration is not None

    found = model.calibration.thresholds((2, 4), top_k=0.01, blur_sigma=0.0, alpha=0.7, top_patches=3)

    # Every patch is 0.25, so the scores are 0.125 + half of 0.1 to 0.4; the 98 % quantile of four lies 2.94 steps up.
    assert found.anomalous == pytest.approx(0.125 + 0.5 * (0.1 + 0.1 * 2.94))
    assert found.normal_score == pytest.approx(0.125 + 0.5 * 0.25)
    assert [found.pixel, found.normal_level] == pytest.approx([0.25, 0.25])


def test_other_words_change_the_maps_and_the_methods_own_come_back(tmp_path: Path) -> None:
    model = loaded(write_head(tmp_path / "head.safetensors"))
    words = PromptSet(object_name="nut", anomalous=("rusty {}",))

    first, other, again = model.picture_maps(RGB), model.picture_maps(RGB, words), model.picture_maps(RGB)

    assert np.abs(first.branch_maps - other.branch_maps).max() > 1e-4
    np.testing.assert_array_equal(first.branch_maps, again.branch_maps)


def test_words_that_are_too_long_are_refused_and_change_nothing(tmp_path: Path) -> None:
    model = loaded(write_head(tmp_path / "head.safetensors"))
    before = model.picture_maps(RGB)

    with pytest.raises(DataError, match="too long"):
        model.picture_maps(RGB, PromptSet(anomalous=("very " * 600 + "broken {}",)))

    np.testing.assert_array_equal(model.picture_maps(RGB).branch_maps, before.branch_maps)


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("method", "VisualAD", "is a head of VisualAD, not of DA-CLIP"),
        ("backbone", "clip-large", "was trained on 'clip-large', not on 'dinov2-small'"),
        ("text", "clip-large", "was trained with the text tower 'clip-large', not with 'minilm'"),
    ],
)
def test_a_head_of_other_towers_is_refused(field: str, value: str, sentence: str, tmp_path: Path) -> None:
    path = write_head(tmp_path / "head.safetensors", lambda config: config.update({field: value}))
    with pytest.raises(WeightsError, match=sentence):
        loaded(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config["config"].update(dar=False),
        lambda config: config["config"].update(of_a_later_version=1),
        lambda config: config["config"].update(temperature=-1.0),
        lambda config: config.pop("config"),
        lambda config: config.update(prompts={"normal": []}),
        lambda config: config.update(prompts={"of_a_later_version": 1}),
        lambda config: config.update(prompts=3),
    ],
    ids=["tensors", "setting", "value", "no settings", "no words", "word field", "words"],
)
def test_a_head_that_does_not_fit_is_refused(change: Callable[[dict[str, Any]], None], tmp_path: Path) -> None:
    path = write_head(tmp_path / "head.safetensors", change)
    with pytest.raises(WeightsError, match="does not fit DA-CLIP compact"):
        loaded(path)


@pytest.mark.parametrize("name", ["clip-zero-shot", "winclip", "april-gan-prompts"])
def test_presets_that_train_nothing_need_no_head_and_have_no_threshold(name: str, tmp_path: Path) -> None:
    preset = replace(PRESETS[name], layers=(4,), default_layers=(4,), image_size=56)

    model = load_text_preset(preset, WeightsLocation(weights_dir=tmp_path))

    maps = model.picture_maps(RGB)
    assert maps.branch_maps.shape == (1, 1, 4, 4)
    assert maps.global_score is not None
    assert 0.0 <= maps.global_score <= 1.0
    assert (model.calibration, model.trained_on) == (None, "nothing")
    other = load_text_preset(replace(preset, name="other"), WeightsLocation(weights_dir=tmp_path))
    assert model.checkpoint_digest != other.checkpoint_digest


def test_every_training_free_preset_has_its_own_method() -> None:
    towers = build_tiny_towers(like="clip")
    made = [
        type(training_free(replace(PRESETS[name], layers=(4,)), towers)).__name__
        for name in ("clip-zero-shot", "winclip", "april-gan-prompts")
    ]
    assert made == ["DAClip", "WinClip", "AprilGanPrompts"]


def test_a_clip_file_of_the_vision_half_alone_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    visual = build_tiny_towers(like="clip").visual
    monkeypatch.setattr(text_loading, "load_backbone_and_file", lambda *_, **__: (visual, {"visual.proj": 0}, "a file"))

    with pytest.raises(WeightsError, match=r"holds the vision half alone \(a file\)"):
        load_towers(PRESETS["clip-zero-shot"], WeightsLocation(weights_dir=tmp_path))
