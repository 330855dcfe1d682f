"""Compositional prompt ensembles: words for a state, put into phrases for a photograph, averaged to one text embedding.

Source: WinCLIP, Jeong et al., CVPR 2023, arXiv:2303.14814 (the idea and the first table); APRIL-GAN, Chen et al.,
arXiv:2305.17382 (the second).  D is the width of the space that pictures and text share.
"""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from models.backbones.text import TextTower
from models.methods.prompts import PromptSet

_NORMAL: Final = (
    *("{}", "flawless {}", "perfect {}", "unblemished {}"),
    *("{} without flaw", "{} without defect", "{} without damage"),
)
_WINCLIP_ANOMALOUS: Final = ("damaged {}", "{} with flaw", "{} with defect", "{} with damage")
_APRIL_GAN_ANOMALOUS: Final = (*_WINCLIP_ANOMALOUS, "broken {}")

# Each phrase is used with both articles; "~" is the article's place.
_SHARED_PHRASES: Final = (
    *("a photo of ~ {}.", "a photo of ~ small {}.", "a photo of ~ large {}."),
    *("a cropped photo of ~ {}.", "a close-up photo of ~ {}.", "a blurry photo of ~ {}."),
    *("a bright photo of ~ {}.", "a dark photo of ~ {}.", "a jpeg corrupted photo of ~ {}."),
)
_WINCLIP_PHRASES: Final = ("a photo of ~ {} for visual inspection.", "a photo of ~ {} for anomaly detection.")
_APRIL_GAN_PHRASES: Final = (
    *("a good photo of ~ {}.", "a bad photo of ~ {}.", "a low resolution photo of ~ {}."),
    *("a black and white photo of ~ {}.", "a photo of ~ cool {}."),
    *("there is ~ {} in the scene.", "this is ~ {} in the scene."),
)
_APRIL_GAN_ALONE: Final = ("a photo of my {}.", "a photo of one {}.", "this is one {} in the scene.")

_TEXTS_AT_ONCE: Final = 32  # bounds the memory: an ensemble has hundreds of texts


def _with_articles(phrases: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(phrase.replace("~", article) for phrase in phrases for article in ("a", "the"))


def winclip_prompts(object_name: str = "object") -> PromptSet:
    """WinCLIP's ensemble: 7 normal and 4 anomalous states in 22 templates.

    Args:
        object_name: what is in the pictures, in a word or two.
    """
    return PromptSet(
        object_name=object_name,
        normal=_NORMAL,
        anomalous=_WINCLIP_ANOMALOUS,
        templates=_with_articles(_SHARED_PHRASES + _WINCLIP_PHRASES),
    )


def april_gan_prompts(object_name: str = "object") -> PromptSet:
    """APRIL-GAN's ensemble: 7 normal and 5 anomalous states in 35 templates.

    Args:
        object_name: what is in the pictures, in a word or two.
    """
    return PromptSet(
        object_name=object_name,
        normal=_NORMAL,
        anomalous=_APRIL_GAN_ANOMALOUS,
        templates=_with_articles(_SHARED_PHRASES + _APRIL_GAN_PHRASES) + _APRIL_GAN_ALONE,
    )


class EnsembleText:
    """A prompt set's two text embeddings, made at the first use and kept."""

    def __init__(self, tower: TextTower, prompts: PromptSet) -> None:
        self.prompts = prompts
        self._tower = tower
        self._features: Tensor | None = None

    def features(self) -> Tensor:
        """(2, D) float32, unit length: normal, anomalous.

        Raises:
            DataError: a text is longer than the tower can read.
        """
        features = self._features
        if features is None:
            # Two threads may both come here; they make the same, and whole, tensor.
            kinds = (self.prompts.normal_texts(), self.prompts.anomalous_texts())
            features = torch.stack([self._mean_embedding(texts) for texts in kinds])
            self._features = features
        return features

    @torch.inference_mode()
    def _mean_embedding(self, texts: tuple[str, ...]) -> Tensor:
        starts = range(0, len(texts), _TEXTS_AT_ONCE)
        batches = [self._tower(self._tower.tokenize(texts[start : start + _TEXTS_AT_ONCE])) for start in starts]
        unit = F.normalize(torch.cat(batches).float(), dim=-1)
        return F.normalize(unit.mean(dim=0), dim=-1)


def anomaly_probability(features: Tensor, text: Tensor, temperature: float) -> Tensor:
    """Compare image features with the two texts.

    Args:
        features: (..., D), any length.
        text: (2, D), unit length: normal, anomalous.
        temperature: what the cosines are divided by, above 0.
    Returns:
        (...), the softmax's share of the anomalous text, in [0, 1].
    """
    cosines = F.normalize(features.float(), dim=-1) @ text.to(features.device).T
    return (cosines / temperature).softmax(dim=-1)[..., 1]
