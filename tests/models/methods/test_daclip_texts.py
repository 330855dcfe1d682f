"""When DA-CLIP encodes its texts, and that changing them is safe."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch
from torch import nn

from models.backbones.text import TextTokens
from models.backbones.towers import build_tiny_towers
from models.errors import DataError
from models.methods.daclip import DAClip, DAClipConfig
from models.methods.prompts import PromptSet
from tests.models.methods.tiny_daclip import LAYERS, images_of, strong_model, tiny_model

NUTS = PromptSet(object_name="nut", anomalous=("rusty {}",))


def count_encodings(model: DAClip) -> list[int]:
    """A list that grows by the number of texts whenever the text tower runs."""
    runs: list[int] = []

    def note(module: nn.Module, inputs: tuple[TextTokens, ...]) -> None:
        runs.append(len(inputs[0].ids))

    model.towers.text.register_forward_pre_hook(note)
    return runs


def test_texts_are_encoded_once_until_prompts_or_parameters_change() -> None:
    model = strong_model().eval()
    runs = count_encodings(model)
    first = model.maps(images_of()).branch_maps
    model.maps(images_of())
    assert runs == [16, 16]  # 6 normal and 10 anomalous, by either branch

    model.set_prompts(PromptSet())
    model.maps(images_of())
    assert runs == [16, 16]

    model.set_prompts(NUTS)
    changed = model.maps(images_of()).branch_maps
    assert runs[2:] == [8, 8]
    assert not torch.allclose(changed, first)

    model.head.load_state_dict(strong_model(seed=1).head.state_dict())
    assert not torch.allclose(model.maps(images_of()).branch_maps, changed)
    model.train().eval()
    with torch.no_grad():
        model.head.local_branch.adapter.scale.mul_(2.0)
    model.maps(images_of())
    model.double().maps(images_of().double())
    assert runs[4:] == [8] * 6


def test_training_mode_encodes_anew_with_gradients_and_evaluation_mode_without() -> None:
    model = tiny_model().train()
    runs = count_encodings(model)
    assert model.text_features()[0].normal.requires_grad
    assert model.text_features()[1].anomalous.requires_grad
    assert runs == [16] * 4
    assert not any(feature.requires_grad for text in model.eval().text_features() for feature in (text.pair,))


def test_the_same_model_with_other_words_shares_all_but_the_words() -> None:
    model = strong_model().eval()
    runs = count_encodings(model)
    before = model.maps(images_of()).branch_maps
    other = model.with_prompts(NUTS)
    changed = other.maps(images_of()).branch_maps

    assert (other.prompts, model.prompts) == (NUTS, PromptSet())
    assert (other.head, other.towers, other.training) == (model.head, model.towers, False)
    assert not torch.allclose(changed, before)
    torch.testing.assert_close(model.maps(images_of()).branch_maps, before, rtol=0, atol=1e-6)
    assert runs == [16, 16, 8, 8]  # each keeps its own texts
    with pytest.raises(DataError, match="too long"):
        model.with_prompts(replace(NUTS, normal=("very " * 90 + "{}",)))


def test_a_joint_branch_encodes_once_for_both_spaces() -> None:
    model = strong_model(decoupled=False).eval()
    runs = count_encodings(model)
    of_global, of_local = model.text_features()
    assert runs == [16]
    assert torch.equal(of_global.pair, of_local.pair)


def test_what_inference_cached_may_take_part_in_a_gradient() -> None:
    model = tiny_model().eval()
    model.maps(images_of())
    assert not any(text.pair.is_inference() or text.normal.is_inference() for text in model.text_features())
    model(images_of()).refined_logits.sum().backward()
    assert model.head.gate.grad is not None


def test_threads_that_change_the_prompts_never_leave_the_old_texts_behind() -> None:
    model = strong_model().eval()
    features = model.towers.visual_features(images_of(1), LAYERS)
    choices = (PromptSet(), NUTS)
    expected = []
    for prompts in choices:
        model.set_prompts(prompts)
        expected.append(model.from_features(features).static_maps.detach())

    def turn(number: int) -> bool:
        model.set_prompts(choices[number % 2])
        found = model.from_features(features).static_maps.detach()
        return any(torch.allclose(found, one, rtol=0, atol=1e-6) for one in expected)

    assert not torch.allclose(expected[0], expected[1], atol=1e-3)
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(turn, range(40)))
    model.set_prompts(NUTS)
    torch.testing.assert_close(model.from_features(features).static_maps.detach(), expected[1], rtol=0, atol=1e-6)


def test_prompts_that_the_tower_cannot_read_are_refused_and_the_old_ones_stay() -> None:
    model = tiny_model().eval()
    model.set_prompts(NUTS)
    with pytest.raises(DataError, match="too long"):
        model.set_prompts(replace(NUTS, normal=("very " * 90 + "{}",)))
    assert model.prompts == NUTS
    assert model.maps(images_of()).branch_maps.isfinite().all()


def test_building_reads_no_vocabulary(monkeypatch: pytest.MonkeyPatch) -> None:
    towers = build_tiny_towers()
    monkeypatch.setattr(towers.text, "tokenize", None)
    DAClip(towers, DAClipConfig(layers=LAYERS))
