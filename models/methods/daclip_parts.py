"""The parts of DA-CLIP: its settings, what it gives out, and the branches that are trained.

B images, L layers, (gh, gw) patch grid, d width of the space that text and picture share.  Unofficial reconstruction:
what is marked [R] is this project's choice.  Source: DA-CLIP, CVPR 2026 Findings, supplementary.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.backbones.text import TextTokens, TextTower
from models.backbones.towers import Towers
from models.methods.dar import DAR
from models.methods.token_adapter import ADAPTER_FORMS, AdapterForm, TokenAdapter
from models.methods.visualad import at_least_float32


@dataclass(frozen=True, slots=True, kw_only=True)
class DAClipConfig:
    """What fixes the shape of a DA-CLIP head and how its maps are read; [R] but for what is noted."""

    layers: tuple[int, ...]  # of the picture tower, ascending, counted from 1
    adapter: AdapterForm = "rein"
    residual: bool = True  # the paper's; False: Table 4
    adapter_tokens: int = 10  # the paper's
    adapter_layers: tuple[int, ...] | None = None  # of the text tower; None: all, the paper's (Figure 3a)
    decoupled: bool = True  # the paper's; False: one joint branch for both spaces (Table 3)
    dar: bool = True  # the paper's
    dar_grid: int = 12  # side of the grid that patches are pooled to
    dar_state: int = 16
    refine_normal: bool = False  # True: the normal text is refined as well
    temperature: float = 0.07
    scale_init: float = 1e-3  # of the adapters; without residual there is nothing to scale against, so they begin at 1
    gate_init: float = 1e-3  # g, the share of DAR's offset

    def __post_init__(self) -> None:
        if not self.layers or list(self.layers) != sorted(set(self.layers)):
            raise ValueError(f"layers must be one or more, ascending, got {self.layers}")
        if self.adapter not in ADAPTER_FORMS:
            raise ValueError(f"adapter must be one of {ADAPTER_FORMS}, got {self.adapter!r}")
        if self.temperature <= 0:
            raise ValueError(f"temperature must be above 0, got {self.temperature}")


@dataclass(frozen=True, slots=True, eq=False)
class TextFeatures:
    """One branch's two class embeddings, of unit length."""

    normal: Tensor  # (d,)
    anomalous: Tensor  # (d,)

    @property
    def pair(self) -> Tensor:
        """Both, normal first: (2, d)."""
        return torch.stack([self.normal, self.anomalous])


@dataclass(frozen=True, slots=True, eq=False)
class DAClipOutput:
    """One forward pass; logits are cosines over the temperature, [..., 0] normal and [..., 1] anomalous."""

    static_maps: Tensor  # (B, L, gh, gw), probability of anomalous in [0, 1]
    refined_maps: Tensor | None  # likewise; None without DAR
    static_logits: Tensor  # (B, L, gh, gw, 2)
    refined_logits: Tensor | None  # (B, L, gh, gw, 2)
    global_logits: Tensor  # (B, 2)


class Branch(nn.Module):
    """What one space trains: its text tower's adapter and, for towers that share no space, two projections [R].

    The projection of the picture begins as the identity, that of the text as a random orthogonal one.
    """

    def __init__(self, towers: Towers, config: DAClipConfig) -> None:
        super().__init__()
        self.adapter = TokenAdapter(
            towers.text.width,
            towers.text.depth,
            tokens=config.adapter_tokens,
            form=config.adapter,
            residual=config.residual,
            layers=config.adapter_layers,
            scale=config.scale_init if config.residual else 1.0,
        )
        self.text_projection: nn.Module = nn.Identity()
        self.visual_projection: nn.Module = nn.Identity()
        if not towers.shares_space:
            text = nn.Linear(towers.text.embed_dim, towers.visual_dim, bias=False)
            visual = nn.Linear(towers.visual_dim, towers.visual_dim, bias=False)
            nn.init.orthogonal_(text.weight)
            nn.init.eye_(visual.weight)
            self.text_projection, self.visual_projection = text, visual

    def embed_texts(self, tower: TextTower, tokens: TextTokens, normal_count: int) -> TextFeatures:
        """Encode all prompts and join them: the mean of the unit embeddings of a class, of unit length again [R].

        Args:
            tower: the frozen text tower.
            tokens: all prompts, the normal ones first.
            normal_count: how many are normal.
        """
        embeddings = F.normalize(at_least_float32(self.text_projection(tower(tokens, self.adapter))), dim=-1)
        normal, anomalous = embeddings[:normal_count].mean(dim=0), embeddings[normal_count:].mean(dim=0)
        return TextFeatures(F.normalize(normal, dim=-1), F.normalize(anomalous, dim=-1))

    def embed_visual(self, features: Tensor) -> Tensor:
        """Bring the picture tower's features (..., D) into this branch's space: (..., d), of unit length."""
        return F.normalize(at_least_float32(self.visual_projection(features)), dim=-1)


class DAClipHead(nn.Module):
    """Everything that is trained: the branches "global" and "local" (or "joint" alone), DAR and its gate."""

    def __init__(self, towers: Towers, config: DAClipConfig) -> None:
        super().__init__()
        self.config = config
        names = ("global", "local") if config.decoupled else ("joint",)
        self.branches = nn.ModuleDict({name: Branch(towers, config) for name in names})
        self.dar: DAR | None = None
        if config.dar:
            self.dar = DAR(towers.visual_dim, grid=config.dar_grid, state=config.dar_state)
            self.gate = nn.Parameter(torch.tensor(config.gate_init))

    @property
    def global_branch(self) -> Branch:
        """Of the whole picture's space; the joint branch if there is but one."""
        return self._branch("global")

    @property
    def local_branch(self) -> Branch:
        """Of the patches' space; the joint branch if there is but one."""
        return self._branch("local")

    def refine(self, text: TextFeatures, patches: Tensor, grid_hw: tuple[int, int]) -> Tensor:
        """Move the text of the local space towards what is seen: t <- norm(t + g * DAR's offset at t).

        The sequence that DAR reads is the patches, then the normal and the anomalous text [R].

        Args:
            text: of the local branch.
            patches: (B, L, N, d), of unit length; their mean over the layers, of unit length again, is what DAR sees.
            grid_hw: (gh, gw).
        Returns:
            (B, 2, d), of unit length; the normal one as it was unless the config says `refine_normal`.
        """
        assert self.dar is not None
        pair = text.pair
        _, offsets = self.dar(F.normalize(patches.mean(dim=1), dim=-1), grid_hw, pair)
        refined = F.normalize(pair + self.gate * at_least_float32(offsets), dim=-1)
        if self.config.refine_normal:
            return refined
        return torch.stack([text.normal.expand_as(refined[:, 0]), refined[:, 1]], dim=1)

    def _branch(self, name: str) -> Branch:
        branch = self.branches[name if self.config.decoupled else "joint"]
        assert isinstance(branch, Branch)
        return branch
