"""The ensembles against the papers' counts and against open_clip, text by text."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from models.errors import DataError
from models.methods.prompt_ensemble import EnsembleText, anomaly_probability, april_gan_prompts, winclip_prompts
from models.methods.prompts import PromptSet
from tests.models.methods.tiny_clip import build_tiny_clip, plain_text, towers_of

SMALL = PromptSet(
    object_name="solar cell",
    normal=("{}", "perfect {}"),
    anomalous=("damaged {}", "{} with a rather long flaw", "cracked {}"),
    templates=("a photo of a {}.", "a dark photo of the {}."),
)


def test_winclip_has_seven_and_four_states_in_twenty_two_templates() -> None:
    prompts = winclip_prompts("bottle")
    assert len(set(prompts.normal_texts())) == 7 * 22
    assert len(set(prompts.anomalous_texts())) == 4 * 22
    assert "a close-up photo of the bottle without defect." in prompts.normal_texts()
    assert "a photo of a damaged bottle for visual inspection." in prompts.anomalous_texts()
    assert "a photo of the small bottle with flaw." in prompts.anomalous_texts()


def test_april_gan_has_seven_and_five_states_in_thirty_five_templates() -> None:
    prompts = april_gan_prompts("bottle")
    assert len(set(prompts.normal_texts())) == 7 * 35
    assert len(set(prompts.anomalous_texts())) == 5 * 35
    assert "a low resolution photo of the unblemished bottle." in prompts.normal_texts()
    assert "this is one broken bottle in the scene." in prompts.anomalous_texts()
    assert "there is the bottle with damage in the scene." in prompts.anomalous_texts()


def test_no_name_means_object() -> None:
    assert "a photo of my perfect object." in april_gan_prompts().normal_texts()
    assert "a blurry photo of a damaged object." in winclip_prompts().anomalous_texts()


@pytest.mark.parametrize("prompts", [SMALL, winclip_prompts("bottle")], ids=["one batch", "several batches"])
def test_text_features_equal_open_clips_text_by_text(prompts: PromptSet) -> None:
    clip = build_tiny_clip()
    features = EnsembleText(towers_of(clip).text, prompts).features()
    expected = torch.stack([plain_text(clip, prompts.normal_texts()), plain_text(clip, prompts.anomalous_texts())])
    assert torch.allclose(features, expected, atol=1e-6)
    assert features.dtype == torch.float32


def test_texts_are_encoded_once_whoever_asks() -> None:
    tower = towers_of(build_tiny_clip()).text
    text = EnsembleText(tower, SMALL)
    first = text.features()
    calls: list[object] = []
    handle = tower.register_forward_hook(lambda *_: calls.append(None))
    assert text.features() is first
    handle.remove()
    assert not calls


def test_threads_that_come_together_get_the_same_features() -> None:
    tower = towers_of(build_tiny_clip()).text
    expected = EnsembleText(tower, SMALL).features()
    shared = EnsembleText(tower, SMALL)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: shared.features(), range(8)))
    assert all(torch.equal(result, expected) for result in results)


def test_a_name_that_the_tower_cannot_read_is_said() -> None:
    text = EnsembleText(towers_of(build_tiny_clip()).text, winclip_prompts("very " * 80 + "long name"))
    with pytest.raises(DataError, match="too long: it makes"):
        text.features()


def test_probability_is_the_softmax_of_the_cosines_over_the_temperature() -> None:
    text = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    features = torch.tensor([[[5.0, 0.0], [3.0, 4.0]]])  # cosines 1, 0 and 0.6, 0.8
    probability = anomaly_probability(features, text, temperature=0.5)
    assert probability.shape == (1, 2)
    assert probability[0].tolist() == pytest.approx([0.1192029, 0.5986877])  # 1 / (1 + e^2), 1 / (1 + e^-0.4)
