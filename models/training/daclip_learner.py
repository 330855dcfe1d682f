"""DA-CLIP as a learner: its towers are frozen, its whole head is trained; see `models.training.learners`.

B images, F numbers per picture, L layers, N = gh * gw patches, D width, S side of the input.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import torch
from torch import Tensor, nn

from models.backbones.towers import VisualFeatures
from models.methods.base import MethodMaps
from models.methods.daclip import DAClip
from models.training.checkpoint import tensors_digest
from models.training.daclip_loop import belongs_to_dar
from models.training.feature_keys import feature_key
from models.training.labelled_losses import labelled_daclip_losses
from models.training.patch_sampling import CELLS_PER_PATCH, PatchSample, draw_patches

_RATE_SHARE: Final = 0.1  # of the settings' rate, which is chosen for VisualAD's SCA and SAF
_DAR_RATE_SHARE: Final = 0.2  # of the adapters' rate, as in training from nothing


class DAClipLearner:
    """DA-CLIP on frozen towers: its whole head is trained."""

    def __init__(self, method: DAClip, image_px: int) -> None:
        """Take a method, which is trained in place; its prompts are those in use."""
        self.method = method
        self.image_px = image_px
        side = image_px // method.backbone.patch_px
        self.loss_px = side * CELLS_PER_PATCH
        self._side = side
        self._shape = (len(method.layers), side * side, method.towers.visual_dim)
        self.feature_size = (len(method.layers) * side * side + 1) * method.towers.visual_dim
        self._towers_digest: str | None = None

    @property
    def head(self) -> nn.Module:
        """Branches, DAR and its gate."""
        return self.method.head

    @property
    def device(self) -> torch.device:
        """Where the head is."""
        return next(self.method.head.parameters()).device

    def key(self) -> str:
        """Of the visual tower, its V-V stream, the layers and the size; text and head do not matter."""
        towers = self.method.towers
        if self._towers_digest is None:
            visual = {name: value for name, value in towers.state_dict().items() if not name.startswith("text.")}
            self._towers_digest = tensors_digest(visual)
        return feature_key(
            {
                "method": "DA-CLIP",
                "towers": self._towers_digest,
                "vv_blocks": towers.vv_blocks,
                "layers": self.method.layers,
                "image_px": self.image_px,
            }
        )

    def features_of(self, images: Tensor) -> Tensor:
        """Each layer's patch features and the whole picture's."""
        seen = self.method.towers.visual_features(images.to(self.device), self.method.layers)
        return torch.cat([seen.local_features.flatten(1), seen.global_feature], dim=1).float()

    def train(self, mode: bool) -> None:
        """Switch the head; the towers stay in evaluation mode."""
        self.method.train(mode)

    def losses(
        self,
        features: Tensor,
        labels: Tensor,
        masks: Tensor,
        known: Tensor,
        *,
        patch_stride: int = 1,
        parent_maps: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """DA-CLIP's losses; pictures with a label alone teach the global branch."""
        device, sample = self.device, draw_patches(self._side, patch_stride)
        output = self.method.from_features(self._unpacked(features, sample))
        refined = output.refined_logits
        output = replace(
            output,
            static_logits=sample.over_cells(output.static_logits, row_axis=2),
            refined_logits=None if refined is None else sample.over_cells(refined, row_axis=2),
        )
        return labelled_daclip_losses(output, labels.to(device), sample.of_masks(masks.to(device)), known.to(device))

    def maps(self, features: Tensor) -> MethodMaps:
        """As `DAClip.maps` of the pictures."""
        self.train(False)
        return self.method.maps_of(self._unpacked(features, draw_patches(self._side, 1)))

    def trainable(self) -> list[nn.Parameter]:
        """The whole head."""
        return list(self.head.parameters())

    def parameter_groups(self) -> list[tuple[list[nn.Parameter], float]]:
        """DAR and its gate learn more slowly."""
        named = list(self.head.named_parameters())
        dar = [parameter for name, parameter in named if belongs_to_dar(name)]
        others = [parameter for name, parameter in named if not belongs_to_dar(name)]
        groups = [(others, _RATE_SHARE)]
        return [*groups, (dar, _RATE_SHARE * _DAR_RATE_SHARE)] if dar else groups

    def _unpacked(self, features: Tensor, sample: PatchSample) -> VisualFeatures:
        layers, patches, dim = self._shape
        tokens = features.to(self.device).unflatten(1, (layers * patches + 1, dim))
        return VisualFeatures(
            global_feature=tokens[:, -1],
            local_features=sample.of_patches(tokens[:, :-1].unflatten(1, (layers, patches))),
            grid_hw=sample.grid_hw,
        )
