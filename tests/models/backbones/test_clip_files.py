from functools import cache
from typing import Any

import open_clip
import pytest
import torch
from open_clip.model import convert_to_custom_text_state_dict
from timm.models.vision_transformer import checkpoint_filter_fn
from torch import Tensor

from models.backbones.clip_files import has_text, text_tower, visual_projection
from models.backbones.towers import Towers
from models.backbones.vit import build_tiny_backbone
from models.errors import WeightsError

WORDS = ["a photo of a broken object", "object"]


@cache
def tiny_clip() -> Any:
    torch.manual_seed(6)
    model = open_clip.CLIP(
        embed_dim=32,
        vision_cfg=open_clip.CLIPVisionCfg(patch_size=14, image_size=56, width=64, layers=4, head_width=16),
        text_cfg=open_clip.CLIPTextCfg(context_length=77, vocab_size=49408, width=128, heads=2, layers=3),
        quick_gelu=True,
    ).eval()
    for parameter in model.parameters():  # biases start at zero and norms at one, so that swapped ones would not show
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, mean=0.5, std=0.3)
    return model


def openai_state() -> dict[str, Tensor]:
    """As OpenAI's file has it, its three scalars included."""
    scalars = {"input_resolution": 56, "context_length": 77, "vocab_size": 49408}
    return dict(tiny_clip().state_dict()) | {name: torch.tensor(value) for name, value in scalars.items()}


def other_layout() -> dict[str, Tensor]:
    state: dict[str, Tensor] = convert_to_custom_text_state_dict(dict(tiny_clip().state_dict()))
    return state


def load_pair(state: dict[str, Tensor]) -> Towers:
    backbone = build_tiny_backbone(like="clip", width=64)
    visual = checkpoint_filter_fn(dict(state), backbone.vit)
    visual = {name: value for name, value in visual.items() if not name.startswith("head.")}
    backbone.vit.load_state_dict(visual, strict=True)
    return Towers(backbone, text_tower(state), visual_projection(state))


@pytest.mark.parametrize("state", [openai_state, other_layout], ids=["openai", "text."])
def test_a_pair_out_of_a_clip_file_gives_what_open_clip_gives(state: Any) -> None:
    pictures = torch.randn(2, 3, 56, 56, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        image_features = tiny_clip().encode_image(pictures)
        text_features = tiny_clip().encode_text(open_clip.tokenize(WORDS))
    towers = load_pair(state())
    assert torch.allclose(towers.visual_features(pictures, (4,)).global_feature, image_features, atol=1e-5, rtol=0)
    assert torch.allclose(towers.text(towers.text.tokenize(WORDS)), text_features, atol=1e-5, rtol=0)


def test_half_precision_becomes_float32() -> None:
    state = {name: value.half() for name, value in openai_state().items()}
    tower = text_tower(state)
    assert visual_projection(state).dtype == torch.float32
    assert {value.dtype for value in tower.state_dict().values()} == {torch.float32}
    assert torch.equal(tower.text_projection, tiny_clip().text_projection.half().float())


def test_activation_and_head_width_are_the_callers_word() -> None:
    with torch.no_grad():
        expected = tiny_clip().encode_text(open_clip.tokenize(WORDS))
    for tower in (text_tower(openai_state(), quick_gelu=False), text_tower(openai_state(), head_width=32)):
        assert (tower(tower.tokenize(WORDS)) - expected).abs().max() > 1e-3


def test_the_state_is_left_as_it_was() -> None:
    state = openai_state()
    before = {name: value.clone() for name, value in state.items()}
    text_tower(state).state_dict()["token_embedding.weight"].zero_()
    assert state.keys() == before.keys()
    assert all(torch.equal(state[name], before[name]) for name in before)


def test_a_file_of_the_visual_half_alone_has_no_text() -> None:
    visual = {name: value for name, value in openai_state().items() if name.startswith("visual.")}
    assert has_text(openai_state())
    assert has_text(other_layout())
    assert not has_text(visual)
    with pytest.raises(WeightsError, match="lacks token_embedding.weight, positional_embedding, text_projection; give"):
        text_tower(visual)


@pytest.mark.parametrize(
    ("lost", "sentence"),
    [
        ("text_projection", "lacks text_projection; give the file of a whole CLIP"),
        ("transformer.resblocks.1.mlp.c_fc.bias", r"lacks transformer\.resblocks\.1\.mlp\.c_fc\.bias; give"),
        ("ln_final", r"lacks ln_final\.weight, ln_final\.bias; give"),
        ("transformer.resblocks.1", r"lacks transformer\.resblocks\.1\.\S+, \S+, \S+ and 9 more; give"),
        ("transformer.", r"lacks transformer\.resblocks\.0; give"),
    ],
)
def test_what_an_incomplete_text_half_lacks_is_named(lost: str, sentence: str) -> None:
    state = {name: value for name, value in openai_state().items() if not name.startswith(lost)}
    with pytest.raises(WeightsError, match=sentence):
        text_tower(state)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"token_embedding.weight": torch.ones(1000, 128)}, "knows 1000 words, CLIP's tokenizer 49408"),
        ({"transformer.resblocks.0.ls_1.gamma": torch.ones(128)}, "of another kind than CLIP's"),
        ({"ln_final.weight": torch.ones(64)}, "of another kind than CLIP's"),
        ({"text_projection": torch.ones(128)}, "of another kind than CLIP's"),
    ],
)
def test_a_text_half_of_another_kind_is_refused(changed: dict[str, Tensor], sentence: str) -> None:
    with pytest.raises(WeightsError, match=sentence):
        text_tower(openai_state() | changed)


@pytest.mark.parametrize("projection", [{}, {"visual.proj": torch.ones(64)}])
def test_a_checkpoint_without_the_visual_projection_is_refused(projection: dict[str, Tensor]) -> None:
    with pytest.raises(WeightsError, match=r"has no visual\.proj"):
        visual_projection(projection)
