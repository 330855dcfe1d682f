"""A frozen pair of a vision and a text encoder, as DA-CLIP uses it.

B images, L layers, N = gh * gw patches, D what the pair gives out.  Layers are counted from 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.backbones.text import TextTower, build_tiny_bert_text, build_tiny_clip_text
from models.backbones.vit import Backbone, build_tiny_backbone


@dataclass(frozen=True, slots=True, eq=False)
class VisualFeatures:
    """What one pass through the vision tower leaves; plain constants that a later training step may use."""

    global_feature: Tensor  # (B, D), not normalised
    local_features: Tensor  # (B, L, N, D), not normalised
    grid_hw: tuple[int, int]  # (gh, gw)


class Towers(nn.Module):
    """A vision and a text tower, frozen and always in evaluation mode.

    With `visual_projection` both sides end in one space, as in CLIP; without it each side keeps its own.
    """

    visual_projection: Tensor | None

    def __init__(
        self, visual: Backbone, text: TextTower, visual_projection: Tensor | None, *, vv_blocks: int = 0
    ) -> None:
        """Put a pair together; both are frozen in place.

        Args:
            visual: the vision tower.
            text: the text tower.
            visual_projection: (width, D) into the shared space; None where there is none.
            vv_blocks: the last so many blocks of `visual` have the V-V stream; 0 turns it off.
        Raises:
            ValueError: the parts do not fit each other.
        """
        super().__init__()
        if not 0 <= vv_blocks <= visual.depth:
            raise ValueError(f"vv_blocks must lie in 0..{visual.depth}, got {vv_blocks}")
        if visual_projection is not None and tuple(visual_projection.shape) != (visual.width, text.embed_dim):
            expected, found = (visual.width, text.embed_dim), tuple(visual_projection.shape)
            raise ValueError(f"visual_projection must have the shape {expected}, got {found}")
        self.visual = visual
        self.text = text
        self.vv_blocks = vv_blocks
        self.shares_space = visual_projection is not None
        self.visual_dim: int = visual.width if visual_projection is None else visual_projection.shape[1]
        self.register_buffer("visual_projection", None if visual_projection is None else visual_projection.detach())
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> Towers:
        """Stay in evaluation mode, whatever the model around it does."""
        del mode
        super().train(False)
        return self

    def visual_features(self, images: Tensor, layers: tuple[int, ...]) -> VisualFeatures:
        """Look at pictures; without gradients, but what comes back may enter a computation that has them.

        The global feature is the last block's class token.  A local feature is the patch stream at its layer: the V-V
        stream inside the last `vv_blocks` blocks, else the ordinary one.  Both pass the final LayerNorm and, where
        there is a shared space, the projection into it.

        Args:
            images: (B, 3, H, W), normalised; H and W multiples of the patch size.
            layers: whose patches become local features, in this order, counted from 1.
        Raises:
            ValueError: a layer does not exist, or the size is no multiple of the patch size.
        """
        height, width = images.shape[-2:]
        patch_px = self.visual.patch_px
        if height % patch_px or width % patch_px:
            raise ValueError(f"image sides must be multiples of {patch_px}, got {height} x {width}")
        if not layers or min(layers) < 1 or max(layers) > self.visual.depth:
            raise ValueError(f"layers must lie in 1..{self.visual.depth}, got {layers}")
        # Tensors made in inference mode cannot enter autograd later, so a caller's inference mode is left meanwhile.
        with torch.inference_mode(False), torch.no_grad():
            class_token, patches = self._run_blocks(images, layers)
            return VisualFeatures(
                global_feature=self._give_out(class_token),
                local_features=torch.stack([self._give_out(patches[layer]) for layer in layers], dim=1),
                grid_hw=(height // patch_px, width // patch_px),
            )

    def _run_blocks(self, images: Tensor, layers: tuple[int, ...]) -> tuple[Tensor, dict[int, Tensor]]:
        """Run every block: (class token behind the last one, patches behind each of `layers`)."""
        sequence = self.visual.embed(images, None)
        stream: Tensor | None = None
        kept: dict[int, Tensor] = {}
        for layer, block in enumerate(self.visual.vit.blocks, start=1):
            if self.visual.depth - self.vv_blocks < layer <= max(layers):
                stream = (sequence if stream is None else stream) + _vv_attention(block, sequence)
            sequence = block(sequence)
            if layer in layers:
                kept[layer] = (sequence if stream is None else stream)[:, 1:]
        return sequence[:, 0], kept

    def _give_out(self, tokens: Tensor) -> Tensor:
        normed: Tensor = self.visual.final_norm(tokens)
        return normed if self.visual_projection is None else normed @ self.visual_projection


def _vv_attention(block: Any, sequence: Tensor) -> Tensor:
    """What a block of timm's adds to the V-V stream: values attend to each other, in place of queries to keys.

    CLIP's own attention makes patches resemble the picture as a whole, and they point away from the text that fits
    them; values attended by likeness keep each patch close to what it shows.  The MLP is left out for the same reason.

    Args:
        block: one `timm` vision transformer block.
        sequence: (B, 1 + N, d), the ordinary stream that enters the block.
    Returns:
        (B, 1 + N, d).
    Source:
        Li et al., CLIP Surgery, arXiv:2304.05653; so used, over the last 19 of 24 blocks, by Zhou et al., AnomalyCLIP,
        arXiv:2310.18961.
    """
    attention = block.attn
    start = 2 * attention.attn_dim
    bias = None if attention.qkv.bias is None else attention.qkv.bias[start:]
    values = F.linear(block.norm1(sequence), attention.qkv.weight[start:], bias)
    heads = values.unflatten(-1, (attention.num_heads, attention.head_dim)).transpose(1, 2)
    mixed = F.scaled_dot_product_attention(heads, heads, heads, scale=attention.scale)
    added: Tensor = block.ls1(attention.proj(mixed.transpose(1, 2).flatten(2)))
    return added


def build_tiny_towers(*, like: Literal["clip", "compact"] = "clip", seed: int = 0) -> Towers:
    """Build a small random pair of one of the two kinds, for tests; its features mean nothing.

    Pictures of 56 x 56 have 4 x 4 patches of 14 pixels, and there are 4 layers.  Like CLIP: 32 wide on both sides, V-V
    attention over the last two blocks.  Compact: 32 wide for pictures, 24 for texts.
    """
    if like == "compact":
        return Towers(build_tiny_backbone(seed=seed), build_tiny_bert_text(seed=seed), None)
    visual = build_tiny_backbone(width=64, seed=seed, like="clip")
    projection = torch.randn(64, 32, generator=torch.Generator().manual_seed(seed)) * 64**-0.5
    return Towers(visual, build_tiny_clip_text(seed=seed), projection, vv_blocks=2)
