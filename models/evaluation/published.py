"""What the papers print for MVTec-AD and VisA, one protocol: trained on the one, tested on the other.

Image AUROC, F1-max and AP, then pixel AUROC, F1-max, AP and PRO (`pro` here), as shares.  Source: VisualAD,
arXiv:2603.07952, and the papers of the methods it compares with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

MVTEC_AD_CLASSES: Final = frozenset(
    ("bottle", "cable", "capsule", "carpet", "grid", "hazelnut", "leather", "metal_nut", "pill", "screw", "tile",
     "toothbrush", "transistor", "wood", "zipper")
)  # fmt: skip
VISA_CLASSES: Final = frozenset(
    ("candle", "capsules", "cashew", "chewinggum", "fryum", "macaroni1", "macaroni2", "pcb1", "pcb2", "pcb3", "pcb4",
     "pipe_fryum")
)  # fmt: skip
SET_CLASSES: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {"mvtec-ad": MVTEC_AD_CLASSES, "visa": VISA_CLASSES}
)


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """A method's mean over the classes of a set, each in [0, 1]."""

    method: str
    image_auroc: float
    image_f1: float
    image_ap: float
    pixel_auroc: float
    pixel_f1: float
    pixel_ap: float
    pro: float
    backbone: str = field(default="", kw_only=True)  # named where the name alone could mean a smaller one too

    @property
    def title(self) -> str:
        """The method, with its backbone where that needs saying."""
        return f"{self.method} {self.backbone}".rstrip()


def _row(method: str, *percent: float, backbone: str = "") -> PublishedRow:
    return PublishedRow(method, *(value / 100.0 for value in percent), backbone=backbone)


PUBLISHED: Final[Mapping[str, tuple[PublishedRow, ...]]] = MappingProxyType(
    {
        "mvtec-ad": (
            _row("WinCLIP", 90.4, 92.7, 95.6, 82.3, 24.8, 18.2, 62.0),
            _row("APRIL-GAN", 86.1, 90.4, 93.6, 87.5, 42.3, 39.1, 43.7),
            _row("AnomalyCLIP", 91.6, 92.7, 96.2, 91.0, 38.9, 34.4, 81.7),
            _row("AdaCLIP", 92.0, 92.7, 96.4, 88.5, 43.9, 41.0, 47.6),
            _row("VisualAD CLIP", 92.2, 93.2, 96.7, 90.8, 43.9, 41.2, 87.5),
            _row("VisualAD DINOv2", 90.1, 92.4, 94.8, 91.3, 47.4, 45.4, 88.6, backbone="ViT-L/14"),
        ),
        "visa": (
            _row("WinCLIP", 75.6, 78.2, 78.8, 73.2, 9.0, 5.4, 51.1),
            _row("APRIL-GAN", 77.4, 78.6, 80.9, 93.8, 32.6, 26.2, 86.5),
            _row("AnomalyCLIP", 81.0, 80.3, 84.4, 95.4, 27.6, 20.7, 86.4),
            _row("AdaCLIP", 79.7, 79.6, 83.2, 95.1, 33.8, 29.2, 71.3),
            _row("VisualAD CLIP", 84.7, 82.5, 87.6, 95.8, 34.6, 28.4, 91.0),
            _row("VisualAD DINOv2", 83.1, 81.4, 86.8, 95.3, 35.2, 29.9, 88.2, backbone="ViT-L/14"),
        ),
    }
)


def published_set(class_names: tuple[str, ...]) -> str | None:
    """Which set of the papers has exactly these classes: a key of PUBLISHED, or None.

    Part of a set has no published mean, so it gets no row to stand beside.
    """
    names = frozenset(class_names)
    return next((name for name, classes in SET_CLASSES.items() if names == classes), None)
