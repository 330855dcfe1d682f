"""The table of presets: a method on a backbone with its settings.  Plain records; no torch, no files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from models.reading import Reading

_DIFFERENCES: Final = Reading()
_PROBABILITIES: Final = Reading(joining="mean", score="patches", layer_range=(0.0, 1.0))
_DISTANCES: Final = Reading(layer_range=(0.0, 2.0))
_OF_THE_WHOLE: Final = Reading(joining="mean", score="global", layer_range=(0.0, 1.0))


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
    reading: Reading = _DIFFERENCES
    text: str | None = None  # key of TEXT_TOWERS, of methods that compare with text
    vv_blocks: int = 0  # last so many blocks of the backbone with a V-V stream
    alpha: float | None = None  # share of the refined maps; None where a method has none
    top_patches: int | None = None  # whose mean is half the score; None where pixels are scored
    needs_head: bool = True  # False: nothing is trained, so the backbone suffices
    needs_references: bool = False  # True: it knows nothing but what references show it
    published: str | None = None  # row of models.evaluation.published that is its own
    caption: str = ""  # one line for the page: what it is, where that is not plain


_VISUALAD_PAPER: Final = "VisualAD, CVPR 2026, arXiv:2603.07952"
_NO_HEAD: Final = "This project ships no trained head for it; give one with --checkpoint PATH."

_DACLIP_PAPER: Final = "DA-CLIP, CVPR 2026 Findings; an unofficial reconstruction"

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
                published="VisualAD DINOv2",
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
                published="VisualAD DINOv2",
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
                published="VisualAD CLIP",
            ),
            Preset(
                name="daclip-compact",
                title="DA-CLIP compact · DINOv2 ViT-S/14 + MiniLM-L6",
                method="DA-CLIP",
                backbone="dinov2-small",
                text="minilm",
                image_size=392,
                layers=(6, 7, 9, 12),
                default_layers=(6, 7, 9),
                top_k=0.01,
                blur_sigma=4.0,
                alpha=0.7,
                top_patches=8,  # about 1 % of 784; on held-out synthetic pictures better than 80 of them
                reading=_PROBABILITIES,
                head_file="daclip-compact.safetensors",
                licence="MIT (trained by this project on pictures it makes itself)",
                paper=_DACLIP_PAPER,
                note="Runs from installation, with no network.",
                caption=(
                    "Unofficial reconstruction of DA-CLIP (no code was published). Compact: DINOv2 for pictures and "
                    "MiniLM for words, joined by learned projections, in the place of CLIP."
                ),
            ),
            Preset(
                name="daclip-clip-large",
                title="DA-CLIP · CLIP ViT-L/14@336",
                method="DA-CLIP",
                backbone="clip-large",
                text="clip-large",
                vv_blocks=19,
                image_size=518,
                layers=(6, 12, 18, 24),
                default_layers=(6, 12, 18, 24),
                top_k=0.01,
                blur_sigma=4.0,
                alpha=0.7,
                top_patches=80,
                reading=_PROBABILITIES,
                head_file=None,
                licence="that of the head you bring",
                paper=_DACLIP_PAPER,
                note=_NO_HEAD,
                caption="Unofficial reconstruction of DA-CLIP (no code was published).",
            ),
            Preset(
                name="clip-zero-shot",
                title="CLIP as it is · ViT-L/14@336",
                method="CLIP zero-shot",
                backbone="clip-large",
                text="clip-large",
                vv_blocks=19,
                image_size=518,
                layers=(6, 12, 18, 24),
                default_layers=(6, 12, 18, 24),
                top_k=0.01,
                blur_sigma=4.0,
                top_patches=80,
                reading=_PROBABILITIES,
                head_file=None,
                licence="nothing is trained",
                paper=_DACLIP_PAPER,
                needs_head=False,
                caption="Training-free: CLIP with the prompts of DA-CLIP's Table 1, no adapters, no refinement.",
            ),
            Preset(
                name="winclip",
                title="WinCLIP · CLIP ViT-L/14@336",
                method="WinCLIP",
                backbone="clip-large",
                text="clip-large",
                image_size=224,
                layers=(24,),
                default_layers=(24,),
                top_k=0.01,
                blur_sigma=4.0,
                reading=_OF_THE_WHOLE,
                head_file=None,
                licence="nothing is trained",
                paper="WinCLIP, CVPR 2023, arXiv:2303.14814",
                needs_head=False,
                published="WinCLIP",
                caption="For comparison: windows of patches against words, on CLIP ViT-L/14 (the paper has ViT-B/16+).",
            ),
            Preset(
                name="april-gan-prompts",
                title="APRIL-GAN's prompts · CLIP ViT-L/14@336",
                method="APRIL-GAN prompts",
                backbone="clip-large",
                text="clip-large",
                image_size=518,
                layers=(6, 12, 18, 24),
                default_layers=(6, 12, 18, 24),
                top_k=0.01,
                blur_sigma=4.0,
                reading=_OF_THE_WHOLE,
                head_file=None,
                licence="nothing is trained",
                paper="APRIL-GAN, arXiv:2305.17382",
                needs_head=False,
                caption="For comparison: plain CLIP with that paper's prompts, without the layers that it trains.",
            ),
            Preset(
                name="nearest-patch",
                title="Nearest patch · DINOv2 ViT-S/14",
                method="Nearest patch",
                backbone="dinov2-small",
                image_size=392,
                layers=(6, 9),
                default_layers=(6, 9),
                top_k=0.01,
                blur_sigma=4.0,
                reading=_DISTANCES,
                head_file=None,
                licence="nothing is trained",
                paper="PatchCore, CVPR 2022, arXiv:2106.08265; AnomalyDINO, WACV 2025, arXiv:2405.14529",
                needs_head=False,
                needs_references=True,
                caption="Training-free: how far each patch is from the nearest one of your reference pictures.",
            ),
        )
    }
)

DEFAULT_PRESET: Final = "visualad-dinov2-small"
NEAREST_PATCH_PRESET: Final = "nearest-patch"  # whose backbone, size and layers every reference map is made with
NEEDS_REFERENCES: Final = (
    "{method} needs reference pictures; give 1 to 32 normal pictures of the same object, or choose another preset."
)
