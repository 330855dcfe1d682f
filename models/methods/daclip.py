"""DA-CLIP: two text branches, one aligned to whole pictures and one to patches, on a frozen CLIP.

Unofficial reconstruction: the authors have published no code.  B images, L layers, N = gh * gw patches, d width of the
space that text and picture share.  Source: DA-CLIP, CVPR 2026 Findings, supplementary.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.backbones import Backbone
from models.backbones.towers import Towers, VisualFeatures
from models.methods.base import MethodMaps
from models.methods.daclip_parts import DAClipConfig, DAClipHead, DAClipOutput, TextFeatures
from models.methods.prompts import PromptSet

__all__ = ["DAClip", "DAClipConfig", "DAClipHead", "DAClipOutput", "TextFeatures"]

TextPair = tuple[TextFeatures, TextFeatures]


@dataclass(frozen=True, slots=True, eq=False)
class _Cached:
    """Text features and what they were computed from."""

    prompts: PromptSet
    trained: tuple[object, ...]
    features: TextPair


class DAClip(nn.Module):
    """Frozen towers with a DA-CLIP head; maps images to static and refined maps and a global score.

    Args:
        towers: the pair; what is here does not change it.
        config: of the head.
        head: one that exists already, built with the same towers and config; None: a new one, with random weights.
    """

    def __init__(self, towers: Towers, config: DAClipConfig, head: DAClipHead | None = None) -> None:
        super().__init__()
        self.towers = towers
        self.head = DAClipHead(towers, config) if head is None else head
        self._prompts = PromptSet()
        self._cached: _Cached | None = None

    @classmethod
    def zero_shot(cls, towers: Towers, layers: tuple[int, ...]) -> DAClip:
        """Plain CLIP in the same graph: adapters of no effect, no DAR, nothing trained.

        Raises:
            ValueError: the towers share no space, so that there is nothing to compare without training.
        """
        if not towers.shares_space:
            raise ValueError("zero-shot needs towers that share a space; these need trained projections")
        return cls(towers, DAClipConfig(layers=layers, scale_init=0.0, dar=False)).eval()

    @property
    def config(self) -> DAClipConfig:
        """The settings of the head."""
        return self.head.config

    @property
    def layers(self) -> tuple[int, ...]:
        """The selected layers, counted from 1."""
        return self.config.layers

    @property
    def branches(self) -> tuple[str, ...]:
        """The kinds of map that each layer has."""
        return ("static", "refined") if self.config.dar else ("static",)

    @property
    def backbone(self) -> Backbone:
        """The vision transformer that looks."""
        return self.towers.visual

    @property
    def prompts(self) -> PromptSet:
        """The prompts in use."""
        return self._prompts

    def train(self, mode: bool = True) -> DAClip:
        """Switch the head; the towers stay in evaluation mode."""
        self.training = mode
        self.head.train(mode)
        return self

    def set_prompts(self, prompts: PromptSet) -> None:
        """Compare with other words from the next use on; the same ones again cost nothing.

        Raises:
            DataError: a text is too long for the text tower; the prompts stay as they were.
        """
        if prompts == self._prompts:
            return
        self.towers.text.tokenize(prompts.normal_texts() + prompts.anomalous_texts())
        self._prompts = prompts

    def with_prompts(self, prompts: PromptSet) -> DAClip:
        """The same model with other words; towers and head are shared.

        Raises:
            DataError: a text is too long for the text tower.
        """
        other = DAClip(self.towers, self.config, self.head)
        other.set_prompts(prompts)
        return other.train(self.training)

    def text_features(self) -> TextPair:
        """The class embeddings of the global and of the local branch.

        In training mode with gradients.  In evaluation mode without, computed once for the prompts and parameters at
        hand; threads may ask at the same time.
        """
        prompts = self._prompts
        if self.training:
            return self._encode(prompts)
        trained = tuple((p.data_ptr(), p._version, p.device, p.dtype) for p in self.head.parameters())
        cached = self._cached
        if cached is None or cached.prompts != prompts or cached.trained != trained:
            # Tensors of inference mode could never take part in a gradient later.
            with torch.inference_mode(False), torch.no_grad():
                cached = _Cached(prompts, trained, self._encode(prompts))
            self._cached = cached
        return cached.features

    def from_features(self, features: VisualFeatures) -> DAClipOutput:
        """Compare the picture tower's features with the text.

        The global logits reach no parameter of the local branch and the maps none of the global one, unless the config
        joins them.

        Args:
            features: global (B, D), local (B, L, N, D).
        Returns:
            DAClipOutput.
        """
        global_text, local_text = self.text_features()
        pictures = self.head.global_branch.embed_visual(features.global_feature)
        patches = self.head.local_branch.embed_visual(features.local_features)
        static = self._patch_logits(patches, local_text.pair, features.grid_hw)
        refined = None
        if self.config.dar:
            text = self.head.refine(local_text, patches, features.grid_hw)
            refined = self._patch_logits(patches, text.unsqueeze(1), features.grid_hw)
        return DAClipOutput(
            static_maps=static.softmax(dim=-1)[..., 1],
            refined_maps=None if refined is None else refined.softmax(dim=-1)[..., 1],
            static_logits=static,
            refined_logits=refined,
            global_logits=pictures @ global_text.pair.T / self.config.temperature,
        )

    def forward(self, images: Tensor) -> DAClipOutput:
        """Compare images (B, 3, H, W), normalised, with the text."""
        return self.from_features(self.towers.visual_features(images, self.layers))

    def maps(self, images: Tensor) -> MethodMaps:
        """Probability maps of each branch, and each picture's anomaly probability, without gradients."""
        with torch.inference_mode():
            return self.maps_of(self.towers.visual_features(images, self.layers))

    def maps_of(self, features: VisualFeatures) -> MethodMaps:
        """`maps` of pictures whose features are known."""
        with torch.inference_mode():
            output = self.from_features(features)
            kinds = [maps for maps in (output.static_maps, output.refined_maps) if maps is not None]
            global_scores = output.global_logits.softmax(dim=-1)[:, 1]
            return MethodMaps(torch.stack(kinds, dim=1).float(), global_scores.float())

    def _encode(self, prompts: PromptSet) -> TextPair:
        normal = prompts.normal_texts()
        tower = self.towers.text
        tokens = tower.tokenize(normal + prompts.anomalous_texts())
        local = self.head.local_branch.embed_texts(tower, tokens, len(normal))
        if not self.config.decoupled:
            return local, local
        return self.head.global_branch.embed_texts(tower, tokens, len(normal)), local

    def _patch_logits(self, patches: Tensor, text: Tensor, grid_hw: tuple[int, int]) -> Tensor:
        """(B, L, N, d) with (..., 2, d) to (B, L, gh, gw, 2)."""
        logits: Tensor = patches @ text.transpose(-1, -2) / self.config.temperature
        by_place: Tensor = logits.unflatten(2, grid_hw)
        return by_place
