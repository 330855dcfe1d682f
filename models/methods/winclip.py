"""WinCLIP: CLIP looks at every small window of the picture alone and at the whole; with references, WinCLIP+.

Source: Jeong et al., WinCLIP: Zero-/Few-Shot Anomaly Classification and Segmentation, CVPR 2023, arXiv:2303.14814.
B images, N = gh * gw patches, W windows, D width of the space that pictures and text share.  A window is encoded from
the class token and the window's own patches; all other patches are left out of the sequence, which is cheaper than
masking them in the attention and gives the same numbers.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from itertools import product
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from models.backbones import Backbone
from models.backbones.towers import Towers
from models.methods.base import MethodMaps
from models.methods.prompt_ensemble import EnsembleText, anomaly_probability, winclip_prompts
from models.methods.prompts import PromptSet

WINDOW_SIDES: Final = (2, 3)  # patches; the paper's small and middle scale
_QUERIES_AT_ONCE: Final = 512  # rows that are compared with the memory together


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """One picture as CLIP sees it, or all references together; unit length along the last axis."""

    windows: tuple[Tensor, ...]  # per window side: (W, D)
    patches: Tensor  # (N, width), before the projection: the paper's penultimate features

    def distances(self, references: _Seen) -> list[Tensor]:
        """To the nearest of the references, in [0, 1]: per window side (W,), then the patches' (N,)."""
        pairs = zip((*self.windows, self.patches), (*references.windows, references.patches), strict=True)
        return [nearest_distance(queries, memory) for queries, memory in pairs]


class WinClip:
    """WinCLIP; WinCLIP+ once it has references.  Immutable, so it can be shared.

    Args:
        towers: that share a space; frozen.  CLIP's own stream alone is used, also where there is a V-V one.
        object_name: what is in the pictures, in a word or two.
        temperature: what the cosines are divided by, above 0.
        window_batch: how many windows are encoded together; bounds the memory.
    Raises:
        ValueError: the towers share no space, or a number is not above 0.
    """

    branches: tuple[str, ...] = ("map",)

    def __init__(
        self, towers: Towers, *, object_name: str = "object", temperature: float = 0.07, window_batch: int = 64
    ) -> None:
        if not towers.shares_space:
            raise ValueError("WinCLIP needs towers that share a space")
        if not temperature > 0 or window_batch < 1:
            raise ValueError(f"temperature and window_batch must be above 0, got {temperature} and {window_batch}")
        self.towers = towers
        self.temperature = temperature
        self.window_batch = window_batch
        self._text = EnsembleText(towers.text, winclip_prompts(object_name))
        self._references: _Seen | None = None

    @property
    def backbone(self) -> Backbone:
        """The vision transformer that looks."""
        return self.towers.visual

    @property
    def layers(self) -> tuple[int, ...]:
        """The last layer: there is one map, of what the whole tower gives."""
        return (self.towers.visual.depth,)

    @property
    def prompts(self) -> PromptSet:
        """The words that pictures are compared with."""
        return self._text.prompts

    def with_prompts(self, prompts: PromptSet) -> WinClip:
        """The same method with other words; nothing is encoded before the first picture."""
        other = copy(self)
        other._text = EnsembleText(self.towers.text, prompts)
        return other

    @torch.inference_mode()
    def with_references(self, images: Tensor) -> WinClip:
        """The same method with a memory of normal pictures (WinCLIP+), in the place of one that it may have had.

        Args:
            images: (K, 3, H, W), normalised, K at least 1; of any size, not only that of the pictures inspected later.
        Raises:
            ValueError: there is no picture, or it has fewer patches than a window.
        """
        if not len(images):
            raise ValueError("WinCLIP+ needs at least one reference image")
        seen = [self._look(image.unsqueeze(0))[1] for image in images]
        other = copy(self)
        other._references = _Seen(
            windows=tuple(torch.cat(scale) for scale in zip(*(each.windows for each in seen), strict=True)),
            patches=torch.cat([each.patches for each in seen]),
        )
        return other

    @torch.inference_mode()
    def maps(self, images: Tensor) -> MethodMaps:
        """Map pictures, one after the other.

        Args:
            images: (B, 3, H, W), normalised; at least 3 patches a side.
        Returns:
            Maps (B, 1, 1, gh, gw) and scores (B,), in [0, 1]: of the language alone, or with references the mean of
            it and of the distance to them, where the score takes the highest distance.
        Raises:
            DataError: a text is longer than the tower can read.
            ValueError: there are fewer patches than a window has, or the size is no multiple of the patch size.
        """
        grid_hw = (images.shape[-2] // self.towers.visual.patch_px, images.shape[-1] // self.towers.visual.patch_px)
        results = [self._inspect(image.unsqueeze(0), grid_hw) for image in images]
        maps = torch.stack([anomaly_map for anomaly_map, _ in results])
        return MethodMaps(maps[:, None, None], torch.stack([score for _, score in results]))

    def _inspect(self, image: Tensor, grid_hw: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """One picture's map (gh, gw) and score ()."""
        text = self._text.features()
        whole, seen = self._look(image)
        score = anomaly_probability(whole, text, self.temperature)
        scales = [score.expand(grid_hw)]
        for side, windows in zip(WINDOW_SIDES, seen.windows, strict=True):
            scales.append(spread(anomaly_probability(windows, text, self.temperature), grid_hw, side))
        language = len(scales) / torch.stack(scales).reciprocal().sum(dim=0)
        if self._references is None:
            return language, score
        *of_windows, of_patches = seen.distances(self._references)
        nearest = [of_patches.unflatten(0, grid_hw)]
        for side, distances in zip(WINDOW_SIDES, of_windows, strict=True):
            nearest.append(spread(distances, grid_hw, side))
        association = torch.stack(nearest).mean(dim=0)
        return (language + association) / 2, (score + association.max()) / 2

    def _look(self, image: Tensor) -> tuple[Tensor, _Seen]:
        """Encode one picture (1, 3, H, W) and all its windows: the whole's (D,), and what references are made of."""
        backbone = self.towers.visual
        features = backbone(image, (backbone.depth,))
        sequence = backbone.embed(image, None)[0]
        windows = tuple(self._window_features(sequence, features.grid_hw, side) for side in WINDOW_SIDES)
        patches = backbone.final_norm(features.patch_tokens[backbone.depth][0])
        return self._project(features.class_token)[0], _Seen(windows, F.normalize(patches.float(), dim=-1))

    def _window_features(self, sequence: Tensor, grid_hw: tuple[int, int], side: int) -> Tensor:
        """Encode every window of a sequence (1 + N, width) that enters block 1: (W, D), unit length."""
        members = F.pad(window_patches(grid_hw, side) + 1, (1, 0)).to(sequence.device)  # 0 is the class token
        blocks = self.towers.visual.vit.blocks
        encoded = [self._project(blocks(sequence[part])[:, 0]) for part in members.split(self.window_batch)]
        return F.normalize(torch.cat(encoded), dim=-1)

    def _project(self, class_tokens: Tensor) -> Tensor:
        """Take class tokens (n, width) behind the last block to the shared space: (n, D) float32."""
        assert self.towers.visual_projection is not None
        projected: Tensor = self.towers.visual.final_norm(class_tokens) @ self.towers.visual_projection
        return projected.float()


def window_patches(grid_hw: tuple[int, int], side: int) -> Tensor:
    """List the patches of every square window, windows and patches row by row: (W, side * side), counted from 0.

    Args:
        grid_hw: the patch grid.
        side: of the window, in patches; the stride is 1.
    Raises:
        ValueError: the grid is smaller than a window.
    """
    if min(grid_hw) < side:
        raise ValueError(f"a window of {side} x {side} patches does not fit a grid of {grid_hw[0]} x {grid_hw[1]}")
    numbers = torch.arange(grid_hw[0] * grid_hw[1]).reshape(grid_hw)
    return numbers.unfold(0, side, 1).unfold(1, side, 1).flatten(2).flatten(0, 1)


def spread(window_scores: Tensor, grid_hw: tuple[int, int], side: int) -> Tensor:
    """Give each patch the harmonic mean of the windows that hold it; one normal window counts for more than others.

    Args:
        window_scores: (W,), 0 or more, in the order of `window_patches`.
        grid_hw: the patch grid.
        side: of the window, in patches.
    Returns:
        (gh, gw); 0 where a window's score is 0.
    """
    rows, columns = grid_hw[0] - side + 1, grid_hw[1] - side + 1
    reciprocals = window_scores.reciprocal().unflatten(0, (rows, columns))
    total, count = reciprocals.new_zeros(2, *grid_hw)
    for row, column in product(range(side), repeat=2):
        total[row : row + rows, column : column + columns] += reciprocals
        count[row : row + rows, column : column + columns] += 1
    means: Tensor = count / total
    return means


def nearest_distance(queries: Tensor, memory: Tensor) -> Tensor:
    """Half the cosine distance to the nearest of the memory.

    Args:
        queries: (n, D), unit length.
        memory: (m, D), unit length.
    Returns:
        (n,), in [0, 1].
    """
    highest = [(part @ memory.T).amax(dim=1) for part in queries.split(_QUERIES_AT_ONCE)]
    return ((1.0 - torch.cat(highest)) / 2).clamp(0.0, 1.0)
