"""How text and picture lie to each other before and after DA-CLIP's head, drawn as two scatter plots.

matplotlib draws without pyplot, so any thread may call.
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from PIL import Image

from app.services.colour_bar import INK, norm_of
from app.services.colours import DEFAULT_COLOUR_MAP, ColourScale, fused_scale
from app.services.gpu import lent_gpu
from app.services.heads import HeadChoice
from app.services.inspection import FloatMaps, Inspection
from app.services.words import own_words, takes_words
from models.errors import DataError
from models.registry import get_backbone_spec, get_preset

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from app.services.inspector import Inspector
    from models.loading import LoadedModel
    from models.methods.daclip_alignment import Alignment, AlignmentSide, Points, TextPoints
    from models.methods.prompts import PromptSet

_DPI: Final = 100
_SIZE_IN: Final = (11.6, 5.9)
_NORMAL, _ANOMALOUS, _WHOLE = "#0f9d76", "#d33a3a", "#3b82f6"
_MARKERS: Final = {"text tower": "o", "global": "^", "local": "s", "joint": "D"}


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """Points of one panel in the plane of their two principal components."""

    points: NDArray[np.float64]  # (n, 2)
    shares: tuple[float, float]  # of the variance, of the two axes


def align(inspector: Inspector, inspection: Inspection) -> Alignment:
    """Compute where the patches, the picture and the prompts of a result lie; one pass through the towers.

    Raises:
        DataError: the preset's method does not compare pictures with words as DA-CLIP does.
        WeightsError: the preset's weights are gone meanwhile.
    """
    require_text(inspection.preset)

    # What is handed to a lent GPU is copied to another process: plain values, and the model is taken there.
    def run(
        preset: str, head: HeadChoice, prompts: PromptSet | None, rgb: NDArray[np.uint8], layers: tuple[int, ...]
    ) -> Alignment:
        return _align_loaded(inspector.model(preset, head), prompts, rgb, layers)

    settings, picture = inspection.settings, inspection.picture
    head: HeadChoice = inspection.head or "shipped"
    return lent_gpu(run)(inspection.preset, head, settings.prompts, picture.rgb, inspection.layers)


def _align_loaded(
    model: LoadedModel, prompts: PromptSet | None, rgb: NDArray[np.uint8], layers: tuple[int, ...]
) -> Alignment:
    from models.methods.daclip import DAClip  # not at import: the page must be up before torch is
    from models.methods.daclip_alignment import compute_alignment
    from models.preprocessing import to_input

    if not isinstance(model.method, DAClip):
        raise DataError(f"{model.preset.name} has no text-visual alignment to show; choose a preset of DA-CLIP.")
    spec = get_backbone_spec(model.preset.backbone)
    image = to_input(rgb, (model.image_size, model.image_size), spec).to(model.device)
    return compute_alignment(model.method, image, prompts or own_words(model), layers)


def require_text(preset: str) -> None:
    """Refuse presets without text branches.

    Raises:
        DataError: the preset is one.
    """
    found = get_preset(preset)
    if not takes_words(found):
        raise DataError(f"{found.name} has no text-visual alignment to show; choose a preset of DA-CLIP.")


def alignment_image(
    alignment: Alignment, inspection: Inspection, colour_map: str = DEFAULT_COLOUR_MAP
) -> NDArray[np.uint8]:
    """`alignment_figure` as pixels: (h, w, 4) uint8, transparent ground around the two panels."""
    figure = alignment_figure(alignment, inspection, colour_map)
    file = io.BytesIO()
    figure.savefig(file, format="rgba", facecolor="none")
    width, height = (int(side) for side in figure.canvas.get_width_height())
    return np.frombuffer(file.getvalue(), dtype=np.uint8).reshape(height, width, 4).copy()


def alignment_figure(alignment: Alignment, inspection: Inspection, colour_map: str = DEFAULT_COLOUR_MAP) -> Figure:
    """Draw both sides, each in the plane of its own principal components.

    Args:
        alignment: of the inspection's picture.
        inspection: whose fused map colours the patches.
        colour_map: a key of `colours.COLOUR_MAPS`.
    """
    figure = Figure(figsize=_SIZE_IN, dpi=_DPI)
    before, after = figure.subplots(1, 2)
    figure.subplots_adjust(left=0.06, right=0.915, top=0.88, bottom=0.25, wspace=0.2)
    values, scale = _patch_values(inspection), fused_scale(inspection)
    apart = "" if alignment.shares_space else "\nthey share no space: where words lie beside patches means nothing"
    spaces = "\neach branch in a space of its own" if alignment.decoupled else ""
    _draw(before, alignment.before, f"Before: the towers as they are{apart}", values, scale, colour_map)
    _draw(after, alignment.after, f"After: as the head compares them{spaces}", values, scale, colour_map)
    _colour_bar(figure, scale, colour_map)
    branches = [text.name for text in alignment.after.texts]
    legend = figure.legend(handles=_legend(branches), loc="lower center", ncols=4, frameon=False, fontsize=10)
    for text in legend.get_texts():
        text.set_color(INK)
    return figure


def write_alignment_png(alignment: Alignment, inspection: Inspection, path: Path) -> Path:
    """`alignment_image` on white, as a file that is written whole."""
    drawn = Image.fromarray(alignment_image(alignment, inspection))
    white = Image.new("RGBA", drawn.size, "white")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        Image.alpha_composite(white, drawn).convert("RGB").save(part, format="PNG")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def principal_components(points: NDArray[np.floating]) -> Projection:
    """Project points to the plane in which they vary most; the sign of an axis is fixed by its largest entry.

    Args:
        points: (n, d), n and d of 2 or more.
    """
    centred = points.astype(np.float64) - points.mean(axis=0, dtype=np.float64)
    _, singular, axes = np.linalg.svd(centred, full_matrices=False)
    plane = axes[:2]
    plane = plane * np.sign(plane[np.arange(2), np.abs(plane).argmax(axis=1)])[:, None]
    variances = singular**2 / max(float((singular**2).sum()), np.finfo(np.float64).tiny)
    return Projection(centred @ plane.T, (float(variances[0]), float(variances[1])))


def _patch_values(inspection: Inspection) -> FloatMaps:
    """The fused map at patch resolution, (N,)."""
    chosen = [inspection.available_layers.index(layer) for layer in inspection.layers]
    summed = inspection.layer_maps[chosen].sum(axis=0)
    is_mean = get_preset(inspection.preset).reading.joining == "mean"
    values: FloatMaps = (summed / len(chosen) if is_mean else summed).reshape(-1)
    return values


def _draw(axes: Axes, side: AlignmentSide, title: str, values: FloatMaps, scale: ColourScale, colour_map: str) -> None:
    groups: list[Points] = [side.patches, side.global_feature[None]]
    for text in side.texts:
        groups += [text.normal_prompts, text.anomalous_prompts, text.normal[None], text.anomalous[None]]
    projection = principal_components(np.concatenate(groups))
    placed = iter(np.split(projection.points, np.cumsum([len(group) for group in groups])[:-1]))
    patches, whole = next(placed), next(placed)
    seen = axes.scatter(
        patches[:, 0], patches[:, 1], c=values, cmap=colour_map, s=13, linewidths=0.3, edgecolors="#64748b", zorder=2
    )
    seen.set_norm(norm_of(scale))
    axes.scatter(whole[:, 0], whole[:, 1], c=_WHOLE, marker="*", s=260, edgecolors="black", linewidths=0.8, zorder=5)
    for text in side.texts:
        _draw_text(axes, text, [next(placed) for _ in range(4)])
    axes.set_title(title, color=INK, fontsize=11)
    axes.set_xlabel(f"PCA 1 ({projection.shares[0] * 100:.0f} % of the variance)", color=INK, fontsize=10)
    axes.set_ylabel(f"PCA 2 ({projection.shares[1] * 100:.0f} % of the variance)", color=INK, fontsize=10)
    axes.tick_params(colors=INK, labelsize=9)
    axes.set_facecolor("white")
    for spine in axes.spines.values():
        spine.set_color("#cbd5e1")


def _draw_text(axes: Axes, text: TextPoints, placed: list[NDArray[np.float64]]) -> None:
    """Small hollow marks for single prompts, large filled ones for the classes."""
    marker = _MARKERS[text.name]
    for points, colour in zip(placed[:2], (_NORMAL, _ANOMALOUS), strict=True):
        x, y = points.T
        axes.scatter(x, y, marker=marker, s=26, facecolors="none", edgecolors=colour, linewidths=1.1, zorder=3)
    for points, colour in zip(placed[2:], (_NORMAL, _ANOMALOUS), strict=True):
        x, y = points.T
        axes.scatter(x, y, marker=marker, s=95, c=colour, edgecolors="black", linewidths=0.9, zorder=4)


def _colour_bar(figure: Figure, scale: ColourScale, colour_map: str) -> None:
    axes = figure.add_axes((0.935, 0.25, 0.014, 0.63))
    bar = figure.colorbar(ScalarMappable(norm_of(scale), colour_map), cax=axes)
    bar.outline.set_visible(False)
    axes.tick_params(colors=INK, labelsize=9)
    axes.set_ylabel("fused map at the patch", color=INK, fontsize=9)


def _legend(branches: list[str]) -> list[Line2D]:
    def mark(label: str, marker: str, size: float, face: str, edge: str = "black") -> Line2D:
        return Line2D(
            [], [], linestyle="none", marker=marker, markersize=size, markerfacecolor=face, markeredgecolor=edge,
            label=label,
        )  # fmt: skip

    return [
        mark("patch, coloured by the fused map", "o", 4, "#b45309", "#64748b"),
        mark("the whole picture", "*", 13, _WHOLE),
        mark("normal words (mean)", "o", 9, _NORMAL),
        mark("anomalous words (mean)", "o", 9, _ANOMALOUS),
        mark("single prompts", "o", 5, "none", INK),
        mark("text tower", _MARKERS["text tower"], 7, "none", INK),
        *(mark(f"{name} branch", _MARKERS[name], 7, "none", INK) for name in branches),
    ]
