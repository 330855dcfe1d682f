"""APRIL-GAN's prompts on plain CLIP: a comparator, no reproduction.

Source: Chen et al., APRIL-GAN, arXiv:2305.17382.  There, a linear layer per stage, trained on labelled defects, takes
patch tokens to the space of the text.  Those trained layers are not part of this comparator: CLIP's own final LayerNorm
and projection stand in their place, so it shows what the prompt ensemble does alone, and nothing in it is trained.
Patches come as the towers give them; the paper has no V-V stream, so towers with `vv_blocks=0` are nearest to it.
B images, L layers, (gh, gw) patch grid.
"""

from __future__ import annotations

from copy import copy

import torch
from torch import Tensor

from models.backbones import Backbone
from models.backbones.towers import Towers
from models.methods.base import MethodMaps
from models.methods.prompt_ensemble import EnsembleText, anomaly_probability, april_gan_prompts
from models.methods.prompts import PromptSet


class AprilGanPrompts:
    """CLIP's patches and class token against APRIL-GAN's prompt ensemble; immutable, so it can be shared.

    Args:
        towers: that share a space; frozen.
        layers: whose patches are compared, counted from 1.
        object_name: what is in the pictures, in a word or two.
        temperature: what the cosines are divided by, above 0; the paper's is CLIP's own, 1/100.
    Raises:
        ValueError: the towers share no space, or the temperature is not above 0.
    """

    branches: tuple[str, ...] = ("map",)

    def __init__(
        self, towers: Towers, layers: tuple[int, ...], *, object_name: str = "object", temperature: float = 0.01
    ) -> None:
        if not towers.shares_space:
            raise ValueError("APRIL-GAN's prompts need towers that share a space")
        if not temperature > 0:
            raise ValueError(f"temperature must be above 0, got {temperature}")
        self.towers = towers
        self.layers = layers
        self.temperature = temperature
        self._text = EnsembleText(towers.text, april_gan_prompts(object_name))

    @property
    def backbone(self) -> Backbone:
        """The vision transformer that looks."""
        return self.towers.visual

    @property
    def prompts(self) -> PromptSet:
        """The words that pictures are compared with."""
        return self._text.prompts

    def with_prompts(self, prompts: PromptSet) -> AprilGanPrompts:
        """The same method with other words; nothing is encoded before the first picture."""
        other = copy(self)
        other._text = EnsembleText(self.towers.text, prompts)
        return other

    @torch.inference_mode()
    def maps(self, images: Tensor) -> MethodMaps:
        """Compare every patch of every layer, and the class token, with the two texts.

        Args:
            images: (B, 3, H, W), normalised.
        Returns:
            Probabilities of anomalous: maps (B, 1, L, gh, gw) and scores (B,), in [0, 1].
        Raises:
            DataError: a text is longer than the tower can read.
        """
        text = self._text.features()
        features = self.towers.visual_features(images, self.layers)
        maps = anomaly_probability(features.local_features, text, self.temperature).unflatten(2, features.grid_hw)
        return MethodMaps(maps.unsqueeze(1), anomaly_probability(features.global_feature, text, self.temperature))
