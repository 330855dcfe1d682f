"""VisualAD: two learnable tokens, one for anomalous and one for normal, inside a frozen vision transformer.

B images, N = gh * gw patches, L selected layers, d width.  Source: VisualAD, CVPR 2026, arXiv:2603.07952.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.backbones import Backbone
from models.methods.base import MethodMaps
from models.methods.saf import SafVariant, SelfAlignment
from models.methods.sca import SpatialAwareCrossAttention, resize_position_table


@dataclass(frozen=True, slots=True, kw_only=True)
class VisualADConfig:
    """What fixes the shape of a VisualAD head."""

    layers: tuple[int, ...]  # selected layers, ascending, counted from 1
    anchors: int = 4
    dropout: float = 0.1
    train_positions: bool = False  # the paper's wording; the released code keeps the class token's position
    sca: bool = True  # False: the tokens are compared as the backbone gives them (Table 9)
    saf: SafVariant = "mlp"  # "none": so are the patches

    def __post_init__(self) -> None:
        ascending = all(layer < following for layer, following in pairwise(self.layers))
        if not self.layers or self.layers[0] < 1 or not ascending:
            raise ValueError(f"layers must be one or more, strictly ascending and counted from 1, got {self.layers}")
        if self.anchors < 1:
            raise ValueError(f"anchors must be 1 or more, got {self.anchors}")
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"dropout must be in [0, 1), got {self.dropout}")


@dataclass(frozen=True, slots=True, eq=False)
class VisualADFeatures:
    """What the backbone leaves of B pictures, behind the final LayerNorm; SCA and SAF need nothing else."""

    patch_tokens: dict[int, Tensor]  # layer -> (B, N, d)
    tokens: Tensor  # (2, B, d), anomalous and normal, behind the last block
    grid_hw: tuple[int, int]  # (gh, gw)
    places: Tensor | None = None  # (N,), of the patches in the whole grid, where they are a part of it


@dataclass(frozen=True, slots=True, eq=False)
class VisualADOutput:
    """One forward pass."""

    layer_maps: Tensor  # (B, L, gh, gw), in [-2, 2]
    anomaly_token: Tensor  # (B, d), refined at the deepest selected layer
    normal_token: Tensor  # (B, d), likewise


class VisualADHead(nn.Module):
    """Everything that is trained: tokens, the shared final LayerNorm, and one SCA and one SAF per layer."""

    def __init__(self, width: int, config: VisualADConfig) -> None:
        super().__init__()
        self.config = config
        self.anomaly_token = nn.Parameter(torch.randn(width) * 0.02)
        self.normal_token = nn.Parameter(torch.randn(width) * 0.02)
        self.final_norm = nn.LayerNorm(width, eps=1e-6)
        names = [f"layer_{layer}" for layer in config.layers]
        self.cross_attention = nn.ModuleDict(
            {name: SpatialAwareCrossAttention(width, config.anchors, config.dropout) for name in names if config.sca}
        )
        self.self_alignment = nn.ModuleDict({name: SelfAlignment(width, config.saf, config.dropout) for name in names})
        if config.train_positions:
            self.token_positions = nn.Parameter(torch.zeros(2, width))

    def layer_map(
        self, layer: int, patch_tokens: Tensor, tokens: Tensor, places: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Compare one layer's patches with the two tokens.

        Args:
            layer: its number, one of the selected.
            patch_tokens: (B, N, d), after the final LayerNorm.
            tokens: (2, B, d), anomalous and normal, after the final LayerNorm.
            places: (N,), of the patches in the whole grid, where they are a part of it.
        Returns:
            The map (B, N) in [-2, 2], and the refined tokens (2, B, d).
        """
        refined = self._refine(layer, patch_tokens, tokens, places)
        aligned = at_least_float32(self.self_alignment[f"layer_{layer}"](patch_tokens))
        anomalous, normal = F.normalize(at_least_float32(refined), dim=-1)
        # cos(p, a) - cos(p, n) = p . (a - n) / |p| for unit a and n: one product, and p is never copied.
        projected = (aligned @ (anomalous - normal).unsqueeze(-1)).squeeze(-1)
        return projected / torch.linalg.vector_norm(aligned, dim=-1).clamp(min=1e-12), refined

    def _refine(self, layer: int, patch_tokens: Tensor, tokens: Tensor, places: Tensor | None) -> Tensor:
        if not self.config.sca:
            return tokens
        attention = self.cross_attention[f"layer_{layer}"]
        assert isinstance(attention, SpatialAwareCrossAttention)
        gathered = attention.gather(patch_tokens, places)
        return torch.stack([attention(token, gathered) for token in tokens])


def at_least_float32(values: Tensor) -> Tensor:
    """What autocast made bfloat16 as float32; float64 stays as it is, so that gradients can be checked in it."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


class VisualAD(nn.Module):
    """A frozen backbone with a VisualAD head; maps images to layer maps."""

    def __init__(self, backbone: Backbone, config: VisualADConfig) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = VisualADHead(backbone.width, config)
        norm = backbone.final_norm
        self.head.final_norm.eps = norm.eps
        self.head.final_norm.load_state_dict(norm.state_dict())
        if config.train_positions:
            with torch.no_grad():
                self.head.token_positions.copy_(backbone.class_position.expand(2, -1))

    @property
    def layers(self) -> tuple[int, ...]:
        """The selected layers, counted from 1."""
        return self.head.config.layers

    def forward(self, images: Tensor) -> VisualADOutput:
        """Compare every patch of every selected layer with the two tokens.

        Args:
            images: (B, 3, H, W), normalised; sides multiples of the patch size, at most 1536 patches.
        Returns:
            VisualADOutput.
        """
        return self.from_features(self.features(images))

    def features(self, images: Tensor) -> VisualADFeatures:
        """Run the backbone with the two tokens in front; images as in `forward`."""
        seen = self.backbone(images, self.layers, self._tokens_in())
        return VisualADFeatures(
            patch_tokens={layer: self.head.final_norm(seen.patch_tokens[layer]) for layer in self.layers},
            tokens=self.head.final_norm(seen.extra_tokens).transpose(0, 1),
            grid_hw=seen.grid_hw,
        )

    def from_features(self, features: VisualADFeatures) -> VisualADOutput:
        """Compare patches with tokens where the backbone has run already."""
        maps = []
        for layer in self.layers:
            patches = features.patch_tokens[layer]
            layer_map, refined = self.head.layer_map(layer, patches, features.tokens, features.places)
            maps.append(layer_map.unflatten(1, features.grid_hw))
        return VisualADOutput(torch.stack(maps, dim=1), refined[0], refined[1])

    def layer_maps(self, images: Tensor) -> Tensor:
        """Layer maps alone, without gradients: (B, L, gh, gw), float32, in [-2, 2]."""
        with torch.inference_mode():
            output: VisualADOutput = self(images)
            return output.layer_maps.float()

    @property
    def branches(self) -> tuple[str, ...]:
        """One map a layer."""
        return ("map",)

    def maps(self, images: Tensor) -> MethodMaps:
        """`layer_maps` as every method gives them: (B, 1, L, gh, gw), no score of its own."""
        return MethodMaps(self.layer_maps(images).unsqueeze(1))

    def at_size(self, from_px: int, to_px: int) -> VisualAD:
        """The same model for another input size; only SCA's position tables differ, the backbone is shared.

        Args:
            from_px: side of the square input that the tables belong to.
            to_px: side of the square input wanted.
        """
        other = VisualAD(self.backbone, self.head.config)
        other.head.load_state_dict(self.head.state_dict())
        patch_px = self.backbone.patch_px
        for attention in other.head.cross_attention.values():
            assert isinstance(attention, SpatialAwareCrossAttention)
            resize_position_table(attention.pos_encoding, from_px // patch_px, to_px // patch_px)
        return other.to(self.head.anomaly_token.device).train(self.training)

    def _tokens_in(self) -> Tensor:
        tokens = torch.stack([self.head.anomaly_token, self.head.normal_token])
        if self.head.config.train_positions:
            return tokens + self.head.token_positions
        return tokens + self.backbone.class_position
