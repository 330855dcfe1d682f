"""Methods as learners: what is frozen is computed once per picture, what is left is trained on that.

B images, F numbers per picture, L layers, N = gh * gw patches, d width, S side of the input.
"""

from __future__ import annotations

from typing import Final, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.errors import DataError
from models.methods.base import AnomalyMethod, MethodMaps
from models.methods.daclip import DAClip
from models.methods.visualad import VisualAD, VisualADFeatures
from models.training.checkpoint import tensors_digest
from models.training.daclip_learner import DAClipLearner
from models.training.feature_keys import feature_key
from models.training.labelled_losses import labelled_visualad_losses
from models.training.patch_sampling import CELLS_PER_PATCH, PatchSample, draw_patches

ParameterGroups = list[tuple[list[nn.Parameter], float]]  # parameters, and their rate as a share of the settings'

_PARENT_WEIGHT: Final = 10.0  # of the squared difference from what the head said before, in maps that go from -2 to 2


class Learner(Protocol):
    """A method whose frozen part is computed once per picture."""

    image_px: int  # S
    feature_size: int  # F
    loss_px: int  # side at which masks are compared; masks given at it cost nothing to shrink

    @property
    def head(self) -> nn.Module:
        """The module whose state dict a head file holds."""

    @property
    def device(self) -> torch.device:
        """Where it computes; what comes in may lie elsewhere."""

    def key(self) -> str:
        """A hex digest of everything that features depend on besides the picture."""

    def features_of(self, images: Tensor) -> Tensor:
        """What the frozen part says about images (B, 3, S, S), normalised: (B, F) float32, without gradients."""

    def train(self, mode: bool) -> None:
        """Switch dropout on or off for `losses`."""

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
        """Compare with what is known about the pictures; the sum is what is minimised.

        Args:
            features: (B, F).
            labels: (B,), 1 = anomalous.
            masks: (B, S, S), or already shrunk to `loss_px`, True where anomalous.
            known: (B,), True where a picture's pixels are marked; for others the label alone counts.
            patch_stride: look at every so many-th patch along each side, from a place that torch's generator draws.
            parent_maps: (K, R, L, gh, gw), what the head said about the last K pictures before it was taught, to be
                kept; methods that do not keep it leave it aside.
        Returns:
            Scalars by name, with gradients; those of pixels are 0 where no picture is known.
        """

    def maps(self, features: Tensor) -> MethodMaps:
        """The method's maps, without gradients and without dropout."""

    def trainable(self) -> list[nn.Parameter]:
        """What is trained; everything else stays bit for bit."""

    def parameter_groups(self) -> ParameterGroups:
        """`trainable` by learning rate."""


class VisualADLearner:
    """VisualAD whose backbone, tokens and final LayerNorm are frozen: SCA and SAF are trained."""

    def __init__(self, method: VisualAD, image_px: int) -> None:
        """Take a method made for this size (see `VisualAD.at_size`); it is trained in place."""
        self.method = method
        self.image_px = image_px
        side = image_px // method.backbone.patch_px
        self.loss_px = side * CELLS_PER_PATCH
        self._side = side
        self._shape = (len(method.layers), side * side, method.backbone.width)
        self.feature_size = (len(method.layers) * side * side + 2) * method.backbone.width
        self._backbone_digest: str | None = None

    @property
    def head(self) -> nn.Module:
        """Tokens, final LayerNorm, SCA and SAF."""
        return self.method.head

    @property
    def device(self) -> torch.device:
        """Where the head is."""
        return self.method.head.anomaly_token.device

    def key(self) -> str:
        """Of the backbone, the tokens, the final LayerNorm, the layers and the size."""
        if self._backbone_digest is None:
            self._backbone_digest = tensors_digest(self.method.backbone.state_dict())
        frozen = {name: value for name, value in self.head.state_dict().items() if not _is_sca_or_saf(name)}
        return feature_key(
            {
                "method": "VisualAD",
                "backbone": self._backbone_digest,
                "frozen": tensors_digest(frozen),
                "layers": self.method.layers,
                "image_px": self.image_px,
            }
        )

    def features_of(self, images: Tensor) -> Tensor:
        """Each layer's patch tokens and the two tokens, all behind the final LayerNorm."""
        # Tensors of inference mode could never take part in a gradient later.
        with torch.inference_mode(False), torch.no_grad():
            seen = self.method.features(images.to(self.device))
            patches = [seen.patch_tokens[layer].flatten(1) for layer in self.method.layers]
            return torch.cat([*patches, seen.tokens[0], seen.tokens[1]], dim=1).float()

    def train(self, mode: bool) -> None:
        """Switch the head; the backbone stays in evaluation mode."""
        self.head.train(mode)

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
        """Of patches, of labels, and of what was said before, which keeps the head from forgetting."""
        device, sample = self.device, draw_patches(self._side, patch_stride)
        maps = self.method.from_features(self._unpacked(features, sample)).layer_maps
        cells = sample.of_masks(masks.to(device))
        losses = labelled_visualad_losses(maps, labels.to(device), cells, known.to(device))
        if parent_maps is not None:
            before = sample.of_maps(parent_maps[:, 0].to(device))
            losses["parent"] = _PARENT_WEIGHT * F.mse_loss(maps[-len(before) :], before)
        return losses

    def maps(self, features: Tensor) -> MethodMaps:
        """(B, 1, L, gh, gw), as `VisualAD.maps` of the pictures."""
        self.train(False)
        with torch.inference_mode():
            output = self.method.from_features(self._unpacked(features, draw_patches(self._side, 1)))
            return MethodMaps(output.layer_maps.float().unsqueeze(1))

    def trainable(self) -> list[nn.Parameter]:
        """SCA and SAF of every layer."""
        return [parameter for name, parameter in self.head.named_parameters() if _is_sca_or_saf(name)]

    def parameter_groups(self) -> ParameterGroups:
        """One group."""
        return [(self.trainable(), 1.0)]

    def _unpacked(self, features: Tensor, sample: PatchSample) -> VisualADFeatures:
        layers, patches, width = self._shape
        tokens = features.to(self.device).unflatten(1, (layers * patches + 2, width))
        by_layer = sample.of_patches(tokens[:, :-2].unflatten(1, (layers, patches))).unbind(dim=1)
        return VisualADFeatures(
            # Contiguous: two linear maps read each layer, and each would copy it.
            patch_tokens={layer: of.contiguous() for layer, of in zip(self.method.layers, by_layer, strict=True)},
            tokens=tokens[:, -2:].transpose(0, 1),
            grid_hw=sample.grid_hw,
            places=None if sample.is_whole else sample.places.to(self.device),
        )


def learner_of(method: AnomalyMethod, image_px: int) -> Learner:
    """The learner of a method.

    Args:
        method: made for this size; it is trained in place.
        image_px: side S of the square input, a multiple of the patch size.
    Raises:
        DataError: the method has nothing to train.
        ValueError: the size is no multiple of the patch size.
    """
    if image_px < 1 or image_px % method.backbone.patch_px:
        raise ValueError(f"image_px must be a multiple of {method.backbone.patch_px}, got {image_px}")
    if isinstance(method, VisualAD):
        return VisualADLearner(method, image_px)
    if isinstance(method, DAClip):
        return DAClipLearner(method, image_px)
    raise DataError(f"{type(method).__name__} has nothing to train; teach VisualAD or DA-CLIP.")


def _is_sca_or_saf(name: str) -> bool:
    return name.startswith(("cross_attention.", "self_alignment."))
