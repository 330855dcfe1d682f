"""What text and picture look like to DA-CLIP before and after its head, point by point.

N = gh * gw patches, d width of the space that is looked at.  Unofficial reconstruction of the paper's Figure 2.
Source: DA-CLIP, CVPR 2026 Findings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from models.backbones.text import TextTokens
from models.methods.daclip import DAClip
from models.methods.daclip_parts import Branch
from models.methods.prompts import PromptSet
from models.methods.visualad import at_least_float32

Points = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class TextPoints:
    """The prompts as one encoder gives them, of unit length, and the mean of each class, of unit length again."""

    name: str  # of the branch, or of the tower
    normal: Points  # (d,)
    anomalous: Points  # (d,)
    normal_prompts: Points  # (n, d)
    anomalous_prompts: Points  # (m, d)


@dataclass(frozen=True, slots=True, eq=False)
class AlignmentSide:
    """All points of one picture and its prompts, of unit length."""

    patches: Points  # (N, d), the mean over the chosen layers
    global_feature: Points  # (d,)
    texts: tuple[TextPoints, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """One picture before the head (the towers as they are) and after it."""

    before: AlignmentSide
    after: AlignmentSide
    grid_hw: tuple[int, int]
    shares_space: bool  # of the towers; False: before, places of words beside patches mean nothing
    decoupled: bool  # the head has a space for the picture as a whole and another one for its patches


def compute_alignment(method: DAClip, image: Tensor, prompts: PromptSet, layers: tuple[int, ...]) -> Alignment:
    """Look at one picture and its prompts; without gradients, and without changing the method's own prompts.

    Where the towers share no space and differ in width, zeros fill up the narrower side before the head.

    Args:
        method: towers and head.
        image: (3, H, W), normalised.
        prompts: what the picture is compared with.
        layers: whose patches are averaged, counted from 1.
    Raises:
        DataError: a text is too long for the text tower.
        ValueError: the towers have no such layer.
    """
    normal = prompts.normal_texts()
    tokens = method.towers.text.tokenize(normal + prompts.anomalous_texts())
    head = method.head
    branches = {"global": head.global_branch, "local": head.local_branch}
    if not method.config.decoupled:
        branches = {"joint": head.local_branch}
    with torch.inference_mode():
        seen = method.towers.visual_features(image.unsqueeze(0), layers)
        patches, whole = seen.local_features[0], seen.global_feature[0]
        plain = F.normalize(at_least_float32(method.towers.text(tokens)), dim=-1)
        before = AlignmentSide(
            _array(_mean_over_layers(F.normalize(at_least_float32(patches), dim=-1))),
            _array(F.normalize(at_least_float32(whole), dim=-1)),
            (_text_points("text tower", plain, len(normal)),),
        )
        after = AlignmentSide(
            _array(_mean_over_layers(head.local_branch.embed_visual(patches))),
            _array(head.global_branch.embed_visual(whole)),
            tuple(_text_points(name, _embed(branch, method, tokens), len(normal)) for name, branch in branches.items()),
        )
    return Alignment(
        before=_same_width(before),
        after=after,
        grid_hw=seen.grid_hw,
        shares_space=method.towers.shares_space,
        decoupled=method.config.decoupled,
    )


def _embed(branch: Branch, method: DAClip, tokens: TextTokens) -> Tensor:
    """Every prompt in a branch's space, (n + m, d), of unit length."""
    return F.normalize(at_least_float32(branch.text_projection(method.towers.text(tokens, branch.adapter))), dim=-1)


def _mean_over_layers(patches: Tensor) -> Tensor:
    """(L, N, d), of unit length, to (N, d), of unit length."""
    return F.normalize(patches.mean(dim=0), dim=-1)


def _text_points(name: str, prompts: Tensor, normal_count: int) -> TextPoints:
    normal, anomalous = prompts[:normal_count], prompts[normal_count:]
    return TextPoints(
        name,
        _array(F.normalize(normal.mean(dim=0), dim=-1)),
        _array(F.normalize(anomalous.mean(dim=0), dim=-1)),
        _array(normal),
        _array(anomalous),
    )


def _same_width(side: AlignmentSide) -> AlignmentSide:
    """Fill up the narrower of picture and text with zeros, so that both can be drawn in one picture."""
    width = max(side.patches.shape[-1], *(text.normal.shape[-1] for text in side.texts))

    def widened(points: Points) -> Points:
        missing = width - points.shape[-1]
        return np.pad(points, [*[(0, 0)] * (points.ndim - 1), (0, missing)]) if missing else points

    return AlignmentSide(
        widened(side.patches),
        widened(side.global_feature),
        tuple(
            TextPoints(
                text.name,
                widened(text.normal),
                widened(text.anomalous),
                widened(text.normal_prompts),
                widened(text.anomalous_prompts),
            )
            for text in side.texts
        ),
    )


def _array(values: Tensor) -> Points:
    numbers: Points = values.float().cpu().numpy()
    return numbers
