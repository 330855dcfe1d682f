"""One loop over timm's blocks for CLIP and DINOv2 alike, which can put extra tokens before the class token.

B images, N = gh * gw patches, K extra tokens, D width.  Layers are counted from 1: layer l is the output of block l.
Building makes random weights and touches no file.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import timm
import torch
import torch.nn.functional as F
from timm.layers.activations import QuickGELU
from timm.layers.pos_embed import resample_abs_pos_embed
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from models.registry import BackboneSpec, PositionResizing


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """What one pass through the backbone leaves, all before the final LayerNorm."""

    patch_tokens: dict[int, Tensor]  # layer -> (B, N, D)
    extra_tokens: Tensor  # (B, K, D) at the last block that ran
    class_token: Tensor  # (B, D) at the last block that ran
    grid_hw: tuple[int, int]  # (gh, gw)


class Backbone(nn.Module):
    """A vision transformer whose sequence may begin with tokens of the caller's.

    The sequence is [extra tokens, class token, patches]; it runs through the blocks by ordinary self-attention, so
    extra tokens see patches and patches see extra tokens.  Without extra tokens it computes what timm computes.
    """

    def __init__(self, vit: VisionTransformer, position_resizing: PositionResizing) -> None:
        super().__init__()
        self.vit = vit
        self.position_resizing = position_resizing
        self.patch_px: int = vit.patch_embed.patch_size[0]
        self.checkpoint_blocks = False  # True: with gradients, keep each block's input only and run it again going back

    @property
    def width(self) -> int:
        """D, the length of a token."""
        return int(self.vit.embed_dim)

    @property
    def depth(self) -> int:
        """How many blocks there are; the last layer's number."""
        return len(self.vit.blocks)

    @property
    def final_norm(self) -> nn.LayerNorm:
        """The LayerNorm behind the last block (`ln_post` in CLIP, `norm` in DINOv2)."""
        norm = self.vit.norm
        assert isinstance(norm, nn.LayerNorm)
        return norm

    @property
    def position_table(self) -> Tensor:
        """(1, 1 + N, D), the pretrained position embeddings, the class token's first."""
        assert self.vit.pos_embed is not None
        return self.vit.pos_embed

    @property
    def class_position(self) -> Tensor:
        """(D,), the class token's position embedding."""
        return self.position_table[0, 0]

    def patch_positions(self, grid_hw: tuple[int, int]) -> Tensor:
        """Interpolate the patches' position embeddings to a grid: (1, gh * gw, D)."""
        table = self.position_table
        trained_hw = self.vit.patch_embed.grid_size
        if tuple(trained_hw) == grid_hw:
            return table[:, 1:]
        if self.position_resizing == "antialiased-bicubic":
            resampled: Tensor = resample_abs_pos_embed(table, list(grid_hw), list(trained_hw), num_prefix_tokens=1)
            return resampled[:, 1:]
        square = table[:, 1:].unflatten(1, trained_hw).permute(0, 3, 1, 2)
        resized = F.interpolate(square, size=grid_hw, mode="bilinear", align_corners=False)
        return resized.flatten(2).transpose(1, 2)

    def embed(self, images: Tensor, extra_tokens: Tensor | None) -> Tensor:
        """Make the sequence that enters block 1: (B, K + 1 + N, D), position embeddings added, pre-norm applied."""
        patches = self.vit.patch_embed.proj(images)
        grid_hw = (patches.shape[2], patches.shape[3])
        tokens = patches.flatten(2).transpose(1, 2) + self.patch_positions(grid_hw)
        assert self.vit.cls_token is not None
        class_token = self.vit.cls_token + self.class_position
        front = [class_token.expand(images.shape[0], -1, -1)]
        if extra_tokens is not None:
            front.insert(0, extra_tokens.to(tokens.dtype).expand(images.shape[0], -1, -1))
        sequence: Tensor = self.vit.norm_pre(torch.cat([*front, tokens], dim=1))
        return sequence

    def forward(self, images: Tensor, layers: tuple[int, ...], extra_tokens: Tensor | None = None) -> Features:
        """Run the blocks and keep the patch tokens of some layers.

        Args:
            images: (B, 3, H, W), normalised; H and W multiples of the patch size.
            layers: which layers' patch tokens to keep, counted from 1.
            extra_tokens: (K, D), position already added; None puts none in front.
                With extra tokens every block runs, else only those up to the last layer asked for.
        Returns:
            Features, before the final LayerNorm.
        Raises:
            ValueError: a layer does not exist, or the size is no multiple of the patch size.
        """
        height, width = images.shape[-2:]
        if height % self.patch_px or width % self.patch_px:
            raise ValueError(f"image sides must be multiples of {self.patch_px}, got {height} x {width}")
        if not layers or min(layers) < 1 or max(layers) > self.depth:
            raise ValueError(f"layers must lie in 1..{self.depth}, got {layers}")
        count = 0 if extra_tokens is None else len(extra_tokens)
        sequence = self.embed(images, extra_tokens)
        kept: dict[int, Tensor] = {}
        last = max(layers) if extra_tokens is None else self.depth
        for layer, block in enumerate(self.vit.blocks[:last], start=1):
            if self.checkpoint_blocks and sequence.requires_grad:
                sequence = checkpoint(block, sequence, use_reentrant=False, preserve_rng_state=False)
            else:
                sequence = block(sequence)
            if layer in layers:
                kept[layer] = sequence[:, count + 1 :]
        return Features(
            patch_tokens=kept,
            extra_tokens=sequence[:, :count],
            class_token=sequence[:, count],
            grid_hw=(height // self.patch_px, width // self.patch_px),
        )


def build_backbone(spec: BackboneSpec) -> Backbone:
    """Build a backbone with random weights, frozen and in evaluation mode; nothing is downloaded."""
    vit = timm.create_model(spec.timm_name, pretrained=False, num_classes=0)
    assert isinstance(vit, VisionTransformer)
    return freeze(Backbone(vit, spec.position_resizing))


def build_tiny_backbone(
    *, width: int = 32, depth: int = 4, image_px: int = 56, seed: int = 0, like: Literal["dinov2", "clip"] = "dinov2"
) -> Backbone:
    """Build a small random backbone of one of the two kinds, for tests; its maps mean nothing."""
    kind: dict[str, Any] = {"init_values": 1.0}
    if like == "clip":
        kind = {"pre_norm": True, "norm_layer": partial(nn.LayerNorm, eps=1e-5), "act_layer": QuickGELU}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        vit = VisionTransformer(
            img_size=image_px,
            patch_size=14,
            embed_dim=width,
            depth=depth,
            num_heads=4,
            num_classes=0,
            **kind,
        )
        backbone = Backbone(vit, "bilinear" if like == "clip" else "antialiased-bicubic")
        nn.init.normal_(backbone.position_table, std=0.1)
    return freeze(backbone)


def freeze(backbone: Backbone) -> Backbone:
    """Switch gradients and training mode off, in place; returns the same object."""
    backbone.eval()
    for parameter in backbone.parameters():
        parameter.requires_grad_(False)
    return backbone
