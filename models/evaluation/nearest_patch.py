"""The simplest thing that knows what normal looks like: each patch's distance to the nearest patch of a few references.

It needs one to a few normal pictures of the same kind and no training, so it is what a zero-shot head is compared with.
B images, L layers, N patches, K references, D width.
Source: the patch memory of PatchCore (Roth et al., CVPR 2022, arXiv:2106.08265) without its subsampling, and the cosine
distance and top 1 % of AnomalyDINO (Damm et al., WACV 2025, arXiv:2405.14529).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from models.backbones import Backbone
from models.evaluation.metrics import RankingMetrics, ranking_metrics
from models.scoring import top_fraction_mean

# Middle layers of a 12-block backbone: the first see only texture, the last blur what is small.
NEAREST_PATCH_LAYERS: Final = (6, 9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What the nearest patch reaches, over several draws of references."""

    mean: RankingMetrics  # each metric's mean over the draws; the references themselves are not counted
    auroc_range: tuple[float, float]  # lowest and highest of the draws


def unit_tokens(backbone: Backbone, images: Tensor, layers: tuple[int, ...] = NEAREST_PATCH_LAYERS) -> Tensor:
    """Describe each patch by its tokens of some layers, scaled to length 1; no final LayerNorm.

    Args:
        backbone: frozen; no extra tokens are put in.
        images: (B, 3, H, W), normalised.
        layers: counted from 1.
    Returns:
        (B, L, N, D), unit length along D.
    """
    with torch.inference_mode():
        patch_tokens = backbone(images, layers).patch_tokens
        return F.normalize(torch.stack([patch_tokens[layer] for layer in layers], dim=1).float(), dim=-1)


def nearest_distances(tokens: Tensor, references: Tensor) -> Tensor:
    """Find how far each patch is from the nearest patch of each reference, layer by layer.

    Args:
        tokens: (L, N, D), unit length.
        references: (K, L, M, D), unit length; M patches each.
    Returns:
        (K, L, N), cosine distance in [0, 2].
    """
    # One reference at a time: all at once would hold K * L * N * M numbers.
    return torch.stack([1.0 - (tokens @ reference.transpose(1, 2)).amax(dim=-1) for reference in references])


def nearest_patch_score(distances: Tensor, fraction: float = 0.01) -> float:
    """Score an image against a set of references.

    Args:
        distances: (K, L, N) to the K references of the set, from `nearest_distances`.
        fraction: share of the patches whose mean is the score, in (0, 1].
    Returns:
        The score in [0, 2]: nearest of all references per layer, mean of the layers, mean of the highest patches.
    """
    patch_scores = distances.amin(dim=0).mean(dim=0)
    return float(top_fraction_mean(patch_scores.unsqueeze(0), fraction)[0])


def draw_references(normal: Sequence[int], count: int, seed: int) -> tuple[int, ...]:
    """Choose reference pictures at random, repeatably.

    Args:
        normal: indices of the normal pictures.
        count: K, at least 1.
        seed: of the choice.
    Returns:
        K different indices, ascending.
    Raises:
        ValueError: there are not enough normal pictures to leave one to be tested.
    """
    if not 1 <= count < len(normal):
        raise ValueError(f"need 1 to {len(normal) - 1} references of {len(normal)} normal pictures, got {count}")
    chosen = np.random.default_rng(seed).choice(np.asarray(normal), size=count, replace=False)
    return tuple(sorted(int(index) for index in chosen))


def compare(
    tokens_of: Callable[[int], Tensor],
    anomalous: Sequence[bool],
    *,
    references: int,
    seeds: int,
    indices: Iterable[int] | None = None,
) -> Comparison:
    """Measure how well the nearest patch tells anomalous pictures from normal ones.

    Args:
        tokens_of: gives the tokens (L, N, D) of the picture with an index, from `unit_tokens`.
        anomalous: (n,), the labels; both kinds occur.
        references: K, how many normal pictures are shown.
        seeds: how many draws of references, at least 1; their seeds are 0, 1, ...
        indices: 0 to n - 1, perhaps wrapped to show progress.
    Returns:
        Means over the draws; each draw's own references are left out of its test.
    Raises:
        ValueError: too few normal pictures, no anomalous one, or no draw.
    """
    if seeds < 1 or not any(anomalous):
        raise ValueError("need at least one draw and one anomalous picture")
    normal = [index for index, label in enumerate(anomalous) if not label]
    draws = [draw_references(normal, references, seed) for seed in range(seeds)]
    banks = [torch.stack([tokens_of(index) for index in draw]) for draw in draws]
    scores = np.zeros((len(anomalous), seeds))
    for index in range(len(anomalous)) if indices is None else indices:
        tokens = tokens_of(index)
        scores[index] = [nearest_patch_score(nearest_distances(tokens, bank)) for bank in banks]
    results = []
    for column, draw in enumerate(draws):
        tested = np.setdiff1d(np.arange(len(anomalous)), draw)
        results.append(ranking_metrics(scores[tested, column], np.asarray(anomalous)[tested]))
    return _averaged(results)


def _averaged(results: list[RankingMetrics]) -> Comparison:
    values = np.array([(result.auroc, result.average_precision, result.f1_max) for result in results], dtype=np.float64)
    auroc, average_precision, f1_max = values.mean(axis=0)
    return Comparison(
        mean=RankingMetrics(
            n_normal=results[0].n_normal,
            n_anomalous=results[0].n_anomalous,
            auroc=float(auroc),
            average_precision=float(average_precision),
            f1_max=float(f1_max),
        ),
        auroc_range=(float(values[:, 0].min()), float(values[:, 0].max())),
    )
