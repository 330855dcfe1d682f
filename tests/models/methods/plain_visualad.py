"""VisualAD and its losses once more, written from the papers in loops over single tokens; shares no code with `models`.

All in float64.  A state dict of parameters goes in, by the names that timm and this project give them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

State = Mapping[str, Tensor]
HEADS, PATCH_PX = 4, 14


@dataclass(frozen=True)
class Kind:
    """In what CLIP's and DINOv2's vision transformers differ."""

    eps: float  # of the LayerNorms
    activation: Callable[[Tensor], Tensor]
    resize: Callable[[Tensor, int], Tensor]  # along the first axis, to a length


@dataclass(frozen=True)
class Plain:
    """One image's forward pass."""

    layer_maps: list[Tensor]  # (gh, gw) each
    anomalous: Tensor  # (d,), refined at the deepest layer
    normal: Tensor


def gelu(x: Tensor) -> Tensor:
    return x * 0.5 * (1.0 + torch.erf(x / math.sqrt(2.0)))


def quick_gelu(x: Tensor) -> Tensor:
    return x / (1.0 + torch.exp(-1.702 * x))


def bilinear(values: Tensor, length: int) -> Tensor:
    """Along the first axis, pixel centres at half numbers, the outermost values kept beyond the outermost centres."""
    old, rows = len(values), []
    for index in range(length):
        place = min(max((index + 0.5) * old / length - 0.5, 0.0), old - 1.0)
        below = math.floor(place)
        share = place - below
        rows.append((1.0 - share) * values[below] + share * values[min(below + 1, old - 1)])
    return torch.stack(rows)


def antialiased_bicubic(values: Tensor, length: int) -> Tensor:
    """Along the first axis: Keys' cubic with a = -0.5, widened where the axis gets shorter, weights adding up to 1."""
    old, rows = len(values), []
    scale = old / length
    wide = max(scale, 1.0)
    for index in range(length):
        centre = (index + 0.5) * scale
        weights = {}
        for place in range(old):
            distance = abs((place + 0.5 - centre) / wide)
            if distance < 1.0:
                weights[place] = 1.5 * distance**3 - 2.5 * distance**2 + 1.0
            elif distance < 2.0:
                weights[place] = -0.5 * (distance**3 - 5.0 * distance**2 + 8.0 * distance - 4.0)
        total = sum(weights.values())
        rows.append(sum((w / total * values[place] for place, w in weights.items()), torch.zeros_like(values[0])))
    return torch.stack(rows)


KINDS = {
    "clip": Kind(eps=1e-5, activation=quick_gelu, resize=bilinear),
    "dinov2": Kind(eps=1e-6, activation=gelu, resize=antialiased_bicubic),
}


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    centred = x - x.sum() / len(x)
    return centred / torch.sqrt((centred * centred).sum() / len(x) + eps) * weight + bias


def softmax(logits: list[Tensor]) -> list[Tensor]:
    powers = [torch.exp(logit - max(logits, key=float)) for logit in logits]
    return [power / sum(powers) for power in powers]


def cosine(left: Tensor, right: Tensor) -> Tensor:
    return (left * right).sum() / torch.sqrt((left * left).sum() * (right * right).sum())


def resized(grid: Tensor, size_hw: tuple[int, int], along: Callable[[Tensor, int], Tensor]) -> Tensor:
    """(h, w, ...) to (H, W, ...)."""
    if tuple(grid.shape[:2]) == size_hw:
        return grid
    return along(along(grid, size_hw[0]).transpose(0, 1), size_hw[1]).transpose(0, 1)


def sequence_of(vit: State, kind: Kind, image: Tensor, tokens: list[Tensor]) -> tuple[list[Tensor], tuple[int, int]]:
    """[tokens, class, patches...] with positions and, for CLIP, the pre-norm: what enters block 1."""
    grid_hw = image.shape[1] // PATCH_PX, image.shape[2] // PATCH_PX
    table = vit["pos_embed"][0]
    side = math.isqrt(len(table) - 1)
    positions = resized(table[1:].reshape(side, side, -1), grid_hw, kind.resize)
    filters = vit["patch_embed.proj.weight"]
    patches = []
    for row in range(grid_hw[0]):
        for column in range(grid_hw[1]):
            top, left = row * PATCH_PX, column * PATCH_PX
            pixels = image[:, top : top + PATCH_PX, left : left + PATCH_PX]
            patch = torch.stack([(one * pixels).sum() for one in filters])
            patches.append(patch + vit.get("patch_embed.proj.bias", 0.0) + positions[row, column])
    sequence = [*(token + table[0] for token in tokens), vit["cls_token"][0, 0] + table[0], *patches]
    if "norm_pre.weight" in vit:
        sequence = [layer_norm(x, vit["norm_pre.weight"], vit["norm_pre.bias"], kind.eps) for x in sequence]
    return sequence, grid_hw


def block(vit: State, name: str, kind: Kind, sequence: list[Tensor]) -> list[Tensor]:
    """x + attention(norm x), then x + MLP(norm x), each sum's right side scaled where there is a LayerScale."""

    def norm(x: Tensor, which: str) -> Tensor:
        return layer_norm(x, vit[f"{name}.{which}.weight"], vit[f"{name}.{which}.bias"], kind.eps)

    def linear(x: Tensor, which: str) -> Tensor:
        return vit[f"{name}.{which}.weight"] @ x + vit[f"{name}.{which}.bias"]

    width = len(sequence[0])
    part = width // HEADS
    projected = [linear(norm(x, "norm1"), "attn.qkv") for x in sequence]
    after = []
    for x, asking in zip(sequence, projected, strict=True):
        heads = []
        for start in range(0, width, part):
            query = asking[start : start + part]
            keys = [one[width + start : width + start + part] for one in projected]
            values = [one[2 * width + start : 2 * width + start + part] for one in projected]
            shares = softmax([(query * key).sum() / math.sqrt(part) for key in keys])
            heads.append(sum((a * v for a, v in zip(shares, values, strict=True)), torch.zeros_like(query)))
        between = x + vit.get(f"{name}.ls1.gamma", 1.0) * linear(torch.cat(heads), "attn.proj")
        hidden = kind.activation(linear(norm(between, "norm2"), "mlp.fc1"))
        after.append(between + vit.get(f"{name}.ls2.gamma", 1.0) * linear(hidden, "mlp.fc2"))
    return after


def refined(sca: State, token: Tensor, patches: list[Tensor]) -> Tensor:
    """SCA of one token with the patches of one layer; its own LayerNorms have torch's eps of 1e-5."""
    mix = torch.zeros_like(token)
    for index, anchor in enumerate(sca["anchor_queries"]):
        query = layer_norm(sca["q_proj.weight"] @ anchor, sca["q_norm.weight"], sca["q_norm.bias"], 1e-5)
        logits = []
        for patch, position in zip(patches, sca["pos_encoding"][0], strict=False):
            key = sca["k_proj.weight"] @ (patch + position)
            key = layer_norm(key, sca["k_norm.weight"], sca["k_norm.bias"], 1e-5)
            logits.append((query * key).sum() / math.sqrt(len(token)))
        gate = 1.0 / (1.0 + torch.exp(-(sca["gate.0.weight"][index] @ token + sca["gate.0.bias"][index])))
        for share, patch in zip(softmax(logits), patches, strict=True):
            mix = mix + gate * share * (sca["v_proj.weight"] @ patch)
    return token + sca["res_scale"] * (sca["out_proj.weight"] @ mix + sca["out_proj.bias"])


def aligned(saf: State, patch: Tensor) -> Tensor:
    """SAF as in eq. 21."""
    return saf["mlp.3.weight"] @ gelu(saf["mlp.0.weight"] @ patch + saf["mlp.0.bias"]) + saf["mlp.3.bias"]


def under(state: State, prefix: str) -> State:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def forward(vit: State, head: State, kind: Kind, layers: tuple[int, ...], depth: int, image: Tensor) -> Plain:
    """One image (3, H, W) through the backbone and the head."""

    def norm(x: Tensor) -> Tensor:
        return layer_norm(x, head["final_norm.weight"], head["final_norm.bias"], kind.eps)

    sequence, grid_hw = sequence_of(vit, kind, image, [head["anomaly_token"], head["normal_token"]])
    kept = {}
    for layer in range(1, depth + 1):
        sequence = block(vit, f"blocks.{layer - 1}", kind, sequence)
        kept[layer] = [norm(x) for x in sequence[3:]]
    tokens = norm(sequence[0]), norm(sequence[1])
    maps = []
    for layer in layers:
        sca, saf = under(head, f"cross_attention.layer_{layer}."), under(head, f"self_alignment.layer_{layer}.")
        anomalous, normal = (refined(sca, token, kept[layer]) for token in tokens)
        patches = [aligned(saf, patch) for patch in kept[layer]]
        differences = torch.stack([cosine(patch, anomalous) - cosine(patch, normal) for patch in patches])
        maps.append(differences.reshape(grid_hw))
    return Plain(maps, anomalous, normal)


def anomaly_map(layer_maps: list[Tensor], size_hw: tuple[int, int], sigma: float) -> Tensor:
    """The sum of the layers' maps at the input size, smoothed: a kernel of four sigma, reflected at the last pixel."""
    fused = sum((resized(one, size_hw, bilinear) for one in layer_maps), torch.zeros(size_hw, dtype=torch.float64))
    radius = int(4.0 * sigma + 0.5)
    kernel = [math.exp(-0.5 * (offset / sigma) ** 2) for offset in range(-radius, radius + 1)]
    for _ in range(2):  # down, then across
        last = len(fused) - 1
        rows = []
        for row in range(len(fused)):
            places = [abs(row + offset) for offset in range(-radius, radius + 1)]
            places = [2 * last - place if place > last else place for place in places]
            weighed = (weight * fused[place] for weight, place in zip(kernel, places, strict=True))
            rows.append(sum(weighed, torch.zeros_like(fused[0])) / sum(kernel))
        fused = torch.stack(rows).T
    return fused


def image_score(anomaly_map: Tensor, fraction: float) -> float:
    values: list[float] = sorted(anomaly_map.flatten().tolist(), reverse=True)
    highest = values[: math.ceil(fraction * len(values))]
    return sum(highest) / len(highest)


def losses(images: list[Plain], masks: Tensor) -> dict[str, float]:
    """Eq. 14 to 19 for a batch, pixel by pixel."""
    size_hw = (masks.shape[1], masks.shape[2])
    classification, contrastive, focal, dice = 0.0, 0.0, 0.0, 0.0
    for image, mask in zip(images, masks.tolist(), strict=True):
        truth = [value for row in mask for value in row]
        maps = [resized(one, size_hw, bilinear) for one in image.layer_maps]
        score = image_score(sum(maps[1:], maps[0]), 0.01)
        classification += math.log1p(math.exp(-score if any(truth) else score)) / len(masks)
        contrastive += max(0.0, float(cosine(image.anomalous, image.normal)) + 0.5) / len(masks)
        for one in maps:
            overlap = predicted = 0.0
            for logit, target in zip(one.flatten().tolist(), truth, strict=True):
                p = 1.0 / (1.0 + math.exp(-logit))
                right = p if target else 1.0 - p
                focal += (1.0 - right) ** 2 * -math.log(right) / (len(masks) * len(truth))
                overlap += p * target
                predicted += p
            dice += (1.0 - (2.0 * overlap + 1.0) / (predicted + sum(truth) + 1.0)) / len(masks)
    return {"classification": classification, "focal": focal, "dice": dice, "contrastive": contrastive}
