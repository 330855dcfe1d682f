"""What every evaluation shares: the request, the report, and how a layer map becomes a score.

Scores are taken at the model's input size, as evaluations are; the Inspect page scores at the picture's own size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.services.fusing import reader_for
from app.services.words import check_fits
from models.config import InspectionConfig
from models.errors import DataError
from models.evaluation.metrics import RankingMetrics
from models.registry import DEFAULT_PRESET, default_layers, get_preset

if TYPE_CHECKING:
    from models.backbones import Backbone
    from models.loading import LoadedModel
    from models.reading import PictureMaps
    from models.weights import WeightsLocation

Item = TypeVar("Item")


class Track(Protocol):
    """Shows progress while passing items on: `tqdm.tqdm` and `gr.Progress().tqdm` both fit."""

    def __call__(self, items: Iterable[Item], /, *, desc: str, total: int) -> Iterable[Item]:
        """Pass the items on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """How a preset's name becomes a model or a bare backbone; tests put tiny ones in."""

    model: Callable[[str], LoadedModel]
    backbone: Callable[[str], Backbone]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRequest:
    """What every evaluation needs to know."""

    preset: str = DEFAULT_PRESET
    image_size: int | None = None  # pixels; None = the size that the head was trained for
    settings: InspectionConfig = field(default_factory=InspectionConfig)
    save_maps: Path | None = None  # folder to keep the layer maps in
    from_maps: Path | None = None  # file to take the layer maps from, instead of running the model


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRow:
    """One line of a report; None means "does not apply"."""

    method: str
    group: str
    image: RankingMetrics
    auroc_range: tuple[float, float] | None = None  # lowest and highest over the draws of references
    pixel: RankingMetrics | None = None
    pro: float | None = None
    aupro: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A measurement with what it was made with."""

    data: str
    preset: str
    checkpoint: str  # SHA-256 of the head's file; "" where no head took part
    backbone: str  # where its weights are from
    image_size: int
    layers: tuple[int, ...]
    top_k: float | None  # share of pixels; this and the next two: None where it has no part
    blur_sigma: float
    rows: tuple[ReportRow, ...]
    seconds: float
    warnings: tuple[str, ...] = ()  # sentences that must stand beside the numbers
    alpha: float | None = None  # share of the refined maps
    top_patches: int | None = None  # whose mean is half the score


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """The settings behind a score; None = has no part in it."""

    top_k: float | None
    alpha: float | None
    top_patches: int | None


def local_engine(where: WeightsLocation, device: str = "cpu") -> Engine:
    """Load models from `where`, each at its first use."""

    def backbone(name: str) -> Backbone:
        from models.loading import load_backbone

        return load_backbone(get_preset(name), where)[0].to(device)

    def model(name: str) -> LoadedModel:
        from models.loading import load_preset

        return load_preset(name, where, device=device)

    return Engine(model=model, backbone=backbone)


def use_threads(count: int) -> None:
    """Let torch compute with so many threads from now on."""
    import torch

    torch.set_num_threads(count)


def untracked(items: Iterable[Item], /, *, desc: str, total: int) -> Iterable[Item]:
    """Show no progress."""
    return items


def resized(model: LoadedModel, image_size: int | None) -> LoadedModel:
    """Let a model look at pictures at another size.

    Args:
        model: at the size it was trained for.
        image_size: side of the square input in pixels; None keeps the model as it is.
    Raises:
        DataError: the size is no multiple of the backbone's patches, or has more patches than the head knows.
    """
    from models.methods.sca import MAX_PATCHES
    from models.methods.visualad import VisualAD

    if image_size is None:
        return model
    patch_px = model.method.backbone.patch_px
    largest = int(MAX_PATCHES**0.5) * patch_px
    if image_size % patch_px or not 2 * patch_px <= image_size <= largest:
        raise DataError(f"The image size {image_size} does not fit; take a multiple of {patch_px} up to {largest}.")
    if not isinstance(model.method, VisualAD):
        return replace(model, image_size=image_size)  # nothing of other methods depends on the grid
    return replace(model, image_size=image_size, method=model.method.at_size(model.image_size, image_size))


def chosen_layers(settings: InspectionConfig, available: tuple[int, ...], preset: str) -> tuple[int, ...]:
    """Say which layers are summed, ascending; None in the settings means the preset's default.

    Raises:
        DataError: an asked layer is not available.
    """
    chosen = settings.layers or default_layers(get_preset(preset), available)
    missing = [str(layer) for layer in chosen if layer not in available]
    if missing:
        raise DataError(
            f"There are no maps of layer {', '.join(missing)}; choose among {', '.join(map(str, available))}."
        )
    return tuple(sorted(set(chosen)))


def scoring_of(settings: InspectionConfig, preset: str, branches: int) -> Scoring:
    """Say what makes the scores, the preset's choice in the place of what the settings leave open.

    Args:
        settings: as asked.
        preset: whose maps are read.
        branches: how many kinds of map each layer has; a head without DAR has but one.
    Raises:
        DataError: the settings ask for something that has no part in the maps or scores.
    """
    found = get_preset(preset)
    check_fits(found, alpha=settings.alpha, top_patches=settings.top_patches, prompts=settings.prompts)
    if branches < 2 and settings.alpha is not None:
        raise DataError("This head has no refined maps, so alpha means nothing there; leave it out.")
    return Scoring(
        top_k=settings.top_k if found.reading.score == "pixels" else None,
        alpha=None if branches < 2 else found.alpha if settings.alpha is None else settings.alpha,
        top_patches=(settings.top_patches or found.top_patches) if found.reading.score == "patches" else None,
    )


def map_and_score(
    maps: PictureMaps,
    preset: str,
    available: tuple[int, ...],
    chosen: tuple[int, ...],
    image_size: int,
    settings: InspectionConfig,
) -> tuple[NDArray[np.float32], float]:
    """Turn one picture's maps into its anomaly map and image score.

    Args:
        maps: what the model gave.
        preset: its name, which says how maps are read.
        available: the layers of the maps, counted from 1.
        chosen: those that are joined.
        image_size: side of the model's input in pixels, at which the map is made.
        settings: smoothing and top-k.
    Returns:
        The map (image_size, image_size) in units of the fused map, and the score.
    """
    reader = reader_for(get_preset(preset), available, chosen, image_size, settings)
    anomaly_map = reader.anomaly_map(maps, size_hw=(image_size, image_size))
    return anomaly_map, reader.score(maps, anomaly_map)
