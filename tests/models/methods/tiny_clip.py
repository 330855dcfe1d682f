"""A small random CLIP of open_clip's, and the same weights as towers; a grid of 4 x 5 tells rows from columns."""

from functools import partial
from typing import Any

import open_clip
import torch
from timm.layers.activations import QuickGELU
from timm.models.vision_transformer import VisionTransformer, checkpoint_filter_fn
from torch import Tensor, nn

from models.backbones.text import ClipTextTower
from models.backbones.towers import Towers
from models.backbones.vit import Backbone, freeze

GRID_HW = (4, 5)
SIZE_HW = (56, 70)
DEPTH = 4


def build_tiny_clip(seed: int = 0) -> Any:
    """An `open_clip.CLIP`, 64 wide on the picture's side, 32 in the shared space."""
    vision = open_clip.CLIPVisionCfg(layers=DEPTH, width=64, head_width=16, patch_size=14, image_size=SIZE_HW)
    text = open_clip.CLIPTextCfg(context_length=77, vocab_size=49408, width=32, heads=2, layers=3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        clip = open_clip.CLIP(embed_dim=32, vision_cfg=vision, text_cfg=text, quick_gelu=True)
        clip.eval().requires_grad_(False)
        for weight in clip.visual.parameters():
            nn.init.normal_(weight, mean=float(weight.mean()), std=0.2)  # as it starts, all pictures look alike
    return clip


def towers_of(clip: Any, *, vv_blocks: int = 0) -> Towers:
    """The same weights behind this project's interface."""
    vit = VisionTransformer(
        img_size=SIZE_HW,
        patch_size=14,
        embed_dim=64,
        depth=DEPTH,
        num_heads=4,
        num_classes=0,
        pre_norm=True,
        norm_layer=partial(nn.LayerNorm, eps=1e-5),
        act_layer=QuickGELU,
    )
    state = checkpoint_filter_fn(clip.state_dict(), vit)
    vit.load_state_dict({name: value for name, value in state.items() if not name.startswith("head.")}, strict=True)
    return Towers(freeze(Backbone(vit, "bilinear")), ClipTextTower(clip), clip.visual.proj, vv_blocks=vv_blocks)


def plain_text(clip: Any, texts: tuple[str, ...]) -> Tensor:
    """One class's text embedding, text by text: (32,)."""
    total = torch.zeros(32)
    for text in texts:
        embedding = clip.encode_text(open_clip.tokenize([text]))[0]
        total += embedding / embedding.norm()
    unit: Tensor = total / total.norm()
    return unit


def pictures(count: int, seed: int = 1) -> Tensor:
    """(count, 3, 56, 70), random."""
    return torch.randn(count, 3, *SIZE_HW, generator=torch.Generator().manual_seed(seed))
