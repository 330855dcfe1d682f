"""DA-CLIP against open_clip's own encoders and plain loops that share no code with it."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import open_clip
import pytest
import torch
from open_clip.transformer import LayerNorm
from torch import Tensor, nn

from models import scoring
from models.backbones.text import ClipTextTower
from models.backbones.towers import Towers, VisualFeatures, build_tiny_towers
from models.backbones.vit import build_tiny_backbone
from models.methods.daclip import DAClip, DAClipConfig
from models.methods.prompts import PromptSet

LAYERS = (2, 4)
TAU = 0.07
NORMAL = ("object", "a object", "the object")
ANOMALOUS = ("damaged object", "broken object", "object with flaw", "object with defect", "object with damage")
Pair = tuple[Tensor, Tensor]  # the normal text and the anomalous one


@pytest.fixture(scope="module")
def clip() -> Any:
    """A small random open_clip model; its gains and biases are random too, ones and zeros would hide a missing norm."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        model = open_clip.CLIP(
            embed_dim=32,
            vision_cfg=open_clip.CLIPVisionCfg(patch_size=14, image_size=56, width=64, layers=4, head_width=16),
            text_cfg=open_clip.CLIPTextCfg(context_length=77, vocab_size=49408, width=32, heads=2, layers=3),
            quick_gelu=True,
        ).eval()
        with torch.no_grad():
            for module in model.modules():
                if isinstance(module, LayerNorm):
                    module.weight.add_(torch.randn_like(module.weight) * 0.3)
                    module.bias.add_(torch.randn_like(module.bias) * 0.3)
    return model.requires_grad_(False)


def towers_of(clip: Any, vv_blocks: int) -> Towers:
    """The same model through this project's towers."""
    visual = clip.visual
    backbone = build_tiny_backbone(width=64, depth=4, like="clip")
    state = {
        "cls_token": visual.class_embedding.reshape(1, 1, -1),
        "pos_embed": visual.positional_embedding.unsqueeze(0),
        "patch_embed.proj.weight": visual.conv1.weight,
        **{f"norm_pre.{name}": value for name, value in visual.ln_pre.state_dict().items()},
        **{f"norm.{name}": value for name, value in visual.ln_post.state_dict().items()},
    }
    renamed = {
        "ln_1": "norm1",
        "ln_2": "norm2",
        "attn.in_proj_": "attn.qkv.",
        "attn.out_proj": "attn.proj",
        "mlp.c_fc": "mlp.fc1",
        "mlp.c_proj": "mlp.fc2",
    }
    for name, value in visual.transformer.resblocks.state_dict().items():
        number, rest = name.split(".", 1)
        theirs = next(old for old in renamed if rest.startswith(old))
        state[f"blocks.{number}.{rest.replace(theirs, renamed[theirs])}"] = value
    backbone.vit.load_state_dict(state, strict=True)
    return Towers(backbone, ClipTextTower(clip), visual.proj, vv_blocks=vv_blocks)


def plain_unit(vector: Tensor) -> Tensor:
    return vector / math.sqrt(sum(float(value) ** 2 for value in vector))


def plain_class(embeddings: Tensor) -> Tensor:
    total = torch.zeros_like(embeddings[0])
    for embedding in embeddings:
        total = total + plain_unit(embedding)
    return plain_unit(total / len(embeddings))


def plain_texts(encode: Callable[[list[str]], Tensor]) -> Pair:
    """Table 1's words, written out once more: the normal and the anomalous class embedding."""
    both = [[*states, *(f"a photo of a {state}" for state in states)] for states in (NORMAL, ANOMALOUS)]
    return plain_class(encode(both[0])), plain_class(encode(both[1]))


def plain_probability(feature: Tensor, texts: Pair) -> float:
    """That of "anomalous"."""
    unit = plain_unit(feature)
    normal, anomalous = (math.exp(float(unit @ text) / TAU) for text in texts)
    return anomalous / (normal + anomalous)


def plain_map(patches: Tensor, texts: Pair) -> Tensor:
    """(16, D) patches of a 4 x 4 grid, row by row."""
    return torch.tensor(
        [[plain_probability(patches[4 * row + column], texts) for column in range(4)] for row in range(4)]
    )


def open_clip_texts(clip: Any) -> Callable[[list[str]], Tensor]:
    def encode(texts: list[str]) -> Tensor:
        features: Tensor = clip.encode_text(open_clip.tokenize(texts))
        return features

    return encode


def open_clip_patches(clip: Any, images: Tensor) -> dict[int, Tensor]:
    """Every block's patches (B, N, D) as `encode_image` computes them on its way, normed and projected."""
    kept: dict[int, Tensor] = {}

    def keep(layer: int) -> Callable[[Any, Any, Tensor], None]:
        def hook(module: Any, inputs: Any, output: Tensor) -> None:
            kept[layer] = clip.visual.ln_post(output[:, 1:]) @ clip.visual.proj

        return hook

    with ExitStack() as stack:
        for layer, block in enumerate(clip.visual.transformer.resblocks, start=1):
            stack.callback(block.register_forward_hook(keep(layer)).remove)
        clip.encode_image(images)
    return kept


def images_of(count: int = 2) -> Tensor:
    return torch.randn(count, 3, 56, 56, generator=torch.Generator().manual_seed(7))


def test_zero_effect_adapters_are_plain_clip_in_maps_and_score(clip: Any) -> None:
    images = images_of()
    model = DAClip.zero_shot(towers_of(clip, vv_blocks=0), LAYERS)
    result = model.maps(images)
    assert result.global_scores is not None
    assert result.branch_maps.std() > 0.02  # or a constant would pass
    fused = scoring.fuse_layers(scoring.blend_branches(result.branch_maps, 0.7), LAYERS, LAYERS, "mean")
    scores = scoring.patch_score(fused, result.global_scores, 5)

    texts = plain_texts(open_clip_texts(clip))
    wholes, patches = clip.encode_image(images), open_clip_patches(clip, images)
    assert model.branches == ("static",)
    for index in range(len(images)):
        maps = [plain_map(patches[layer][index], texts) for layer in LAYERS]
        for place, expected in enumerate(maps):
            torch.testing.assert_close(result.branch_maps[index, 0, place], expected, rtol=0, atol=1e-5)
        whole = plain_probability(wholes[index], texts)
        assert float(result.global_scores[index]) == pytest.approx(whole, abs=1e-5)
        highest = sorted(((maps[0] + maps[1]) / 2).flatten().tolist())[-5:]
        assert float(scores[index]) == pytest.approx(0.5 * whole + 0.5 * sum(highest) / 5, abs=1e-5)


def test_zero_effect_adapters_under_dar_are_plain_clip_as_well(clip: Any) -> None:
    config = DAClipConfig(layers=LAYERS, scale_init=0.0, gate_init=0.0, dar_grid=2)
    result = DAClip(towers_of(clip, vv_blocks=0), config).eval().maps(images_of(1))
    texts = plain_texts(open_clip_texts(clip))
    patches = open_clip_patches(clip, images_of(1))
    for branch in (0, 1):
        for place, layer in enumerate(LAYERS):
            expected = plain_map(patches[layer][0], texts)
            torch.testing.assert_close(result.branch_maps[0, branch, place], expected, rtol=0, atol=1e-5)


def test_with_v_v_attention_the_maps_compare_the_towers_features_with_open_clips_texts(clip: Any) -> None:
    towers = towers_of(clip, vv_blocks=3)
    result = DAClip.zero_shot(towers, LAYERS).maps(images_of())
    features = towers.visual_features(images_of(), LAYERS)
    texts = plain_texts(open_clip_texts(clip))

    plain = open_clip_patches(clip, images_of())[4]
    assert not torch.allclose(features.local_features[:, 1], plain, atol=0.01)
    for index in range(2):
        for place in range(2):
            expected = plain_map(features.local_features[index, place], texts)
            torch.testing.assert_close(result.branch_maps[index, 0, place], expected, rtol=0, atol=1e-5)


def randomise(model: nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.2)


def adapted_texts(clip: Any, weights: dict[str, Tensor], branch: str) -> Callable[[list[str]], Tensor]:
    """open_clip's `encode_text` with one branch's adapter, written anew, behind every block."""

    def adapted(layer: int) -> Callable[[Any, Any, Tensor], Tensor]:
        def hook(module: Any, inputs: Any, x: Tensor) -> Tensor:
            adapter = {name.split("adapter.")[1]: value for name, value in weights.items() if f"{branch}.ada" in name}
            keys = adapter[f"tokens.layer_{layer}"]
            mapped = [adapter["mlp.0.weight"] @ key + adapter["mlp.0.bias"] for key in keys]
            inner = x.clone()
            exponentials = [torch.exp((x * key).sum(dim=-1) / math.sqrt(32)) for key in keys]
            for exponential, value in zip(exponentials, mapped, strict=True):
                inner += (exponential / sum(exponentials)).unsqueeze(-1) * value
            return x + adapter["scale"] * (inner @ adapter["mlp.1.weight"].T + adapter["mlp.1.bias"])

        return hook

    def encode(texts: list[str]) -> Tensor:
        with ExitStack() as stack:
            for layer, block in enumerate(clip.transformer.resblocks, start=1):
                stack.callback(block.register_forward_hook(adapted(layer)).remove)
            return open_clip_texts(clip)(texts)

    return encode


@pytest.mark.parametrize("refine_normal", [False, True])
def test_trained_branches_equal_open_clip_with_adapters_and_a_refinement_in_loops(
    clip: Any, refine_normal: bool
) -> None:
    config = DAClipConfig(layers=LAYERS, scale_init=0.4, gate_init=0.6, dar_grid=2, refine_normal=refine_normal)
    model = DAClip(towers_of(clip, vv_blocks=0), config).eval()
    randomise(model.head, seed=5)
    result = model.maps(images_of(1))
    weights = model.head.state_dict()
    patches = {layer: values[0] for layer, values in open_clip_patches(clip, images_of(1)).items()}

    of_global = plain_texts(adapted_texts(clip, weights, "global"))
    of_local = plain_texts(adapted_texts(clip, weights, "local"))
    mean = [plain_unit(sum((plain_unit(patches[layer][n]) for layer in LAYERS), torch.zeros(32))) for n in range(16)]
    assert model.head.dar is not None
    with torch.no_grad():  # DAR itself has a reference of its own
        _, offsets = model.head.dar(torch.stack(mean).unsqueeze(0), (4, 4), torch.stack(of_local))
    moved = [plain_unit(text + weights["gate"] * offsets[0, place]) for place, text in enumerate(of_local)]
    refined = (moved[0] if refine_normal else of_local[0], moved[1])

    assert result.global_scores is not None
    whole = plain_probability(clip.encode_image(images_of(1))[0], of_global)
    assert float(result.global_scores[0]) == pytest.approx(whole, abs=1e-4)
    for branch, texts in enumerate((of_local, refined)):
        for place, layer in enumerate(LAYERS):
            found = result.branch_maps[0, branch, place]
            torch.testing.assert_close(found, plain_map(patches[layer], texts), rtol=0, atol=1e-4)
    assert float((result.branch_maps[0, 0] - result.branch_maps[0, 1]).abs().max()) > 0.01


def test_towers_without_a_shared_space_are_compared_through_each_branchs_own_projections() -> None:
    towers = build_tiny_towers(like="compact")
    model = DAClip(towers, DAClipConfig(layers=LAYERS, scale_init=0.0, dar=False)).eval()
    randomise(model.head.global_branch.text_projection, seed=1)
    randomise(model.head.global_branch.visual_projection, seed=2)
    randomise(model.head.local_branch.text_projection, seed=3)
    randomise(model.head.local_branch.visual_projection, seed=4)
    weights = model.head.state_dict()
    features: VisualFeatures = towers.visual_features(images_of(1), LAYERS)
    result = model.maps(images_of(1))

    def plain(branch: str, feature: Tensor) -> float:
        text, visual = (weights[f"branches.{branch}.{side}_projection.weight"] for side in ("text", "visual"))
        texts = plain_texts(lambda words: towers.text(towers.text.tokenize(words)) @ text.T)
        return plain_probability(visual @ feature, texts)

    assert PromptSet() == model.prompts
    assert result.global_scores is not None
    assert float(result.global_scores[0]) == pytest.approx(plain("global", features.global_feature[0]), abs=1e-5)
    for place, patch in ((0, 0), (0, 6), (1, 9), (1, 15)):
        expected = plain("local", features.local_features[0, place, patch])
        assert float(result.branch_maps[0, 0, place].flatten()[patch]) == pytest.approx(expected, abs=1e-5)
