"""Results as files and as plain records: what the page's downloads, the API and the command line hand out.

Every file is written beside its place first and then moved there whole.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from app.services.heads import version_name
from app.services.inspection import Inspection, ReferenceSources
from app.services.rendering import DEFAULT_LOOK, Look, overlay_image
from app.services.scores import top_fraction_count
from models.methods.prompts import PromptSet

JsonValue = str | int | float | bool | None | list["JsonValue"] | dict[str, "JsonValue"]


def write_result_files(inspection: Inspection, out_dir: Path, name: str, look: Look = DEFAULT_LOOK) -> tuple[Path, ...]:
    """Write NAME.map.npy, NAME.layers.npy, NAME.mask.png and NAME.overlay.png; with references each source's map too.

    Args:
        inspection: what was found.
        out_dir: where to; made if it is not there.
        name: what the files' names begin with.
        look: how the overlay is drawn.
    Returns:
        The four paths, in that order; then those of NAME.reference.npy and NAME.zero-shot.npy, where there are such.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    return (
        write_map_npy(inspection, out_dir / f"{name}.map.npy"),
        write_layers_npy(inspection, out_dir / f"{name}.layers.npy"),
        write_mask_png(inspection, out_dir / f"{name}.mask.png"),
        write_overlay_png(inspection, out_dir / f"{name}.overlay.png", look),
        *write_source_maps(inspection, out_dir, name),
    )


def write_source_maps(inspection: Inspection, out_dir: Path, name: str) -> tuple[Path, ...]:
    """What references and the zero-shot method say apart, (H, W) float32 in units: 0 normal level, 1 threshold."""
    sources = {"reference": inspection.reference_map, "zero-shot": inspection.zero_shot_map}
    return tuple(
        _replace(out_dir / f"{name}.{source}.npy", partial(_save_npy, values=values))
        for source, values in sources.items()
        if values is not None
    )


def write_map_npy(inspection: Inspection, path: Path) -> Path:
    """The fused map, (H, W) float32, raw: before any colour scaling."""
    return _replace(path, lambda part: _save_npy(part, inspection.anomaly_map))


def write_map_tiff(inspection: Inspection, path: Path) -> Path:
    """The fused map as a TIFF with one 32-bit float channel, raw, at the picture's size."""
    return _replace(path, lambda part: Image.fromarray(inspection.anomaly_map).save(part, format="TIFF"))


def write_layers_npy(inspection: Inspection, path: Path) -> Path:
    """The chosen layers' maps at patch resolution, (L, gh, gw) float32."""
    chosen = [inspection.available_layers.index(layer) for layer in inspection.layers]
    return _replace(path, lambda part: _save_npy(part, inspection.layer_maps[chosen]))


def write_mask_png(inspection: Inspection, path: Path) -> Path:
    """The predicted mask as an 8-bit PNG: 255 where the map reaches the threshold, else 0."""
    mask = Image.fromarray(inspection.pred_mask.astype(np.uint8) * np.uint8(255))
    return _replace(path, lambda part: mask.save(part, format="PNG"))


def write_overlay_png(inspection: Inspection, path: Path, look: Look = DEFAULT_LOOK) -> Path:
    """The picture with heatmap and outlines, at the picture's size."""
    overlay = Image.fromarray(overlay_image(inspection, look))
    return _replace(path, lambda part: overlay.save(part, format="PNG", compress_level=3))


def write_json(inspection: Inspection, path: Path) -> Path:
    """The detailed record as JSON."""
    text = json.dumps(detailed_record(inspection), indent=2, ensure_ascii=False)
    return _replace(path, lambda part: part.write_text(text + "\n", encoding="utf-8"))


def json_record(inspection: Inspection) -> dict[str, JsonValue]:
    """One picture's result in a line: what the command line prints with --json."""
    height, width = inspection.anomaly_map.shape
    return {
        "path": inspection.picture.name,
        "image_score": inspection.image_score,
        "threshold": inspection.threshold,
        **(
            {"score_threshold": inspection.score_threshold}
            if inspection.score_threshold != inspection.threshold
            else {}
        ),
        "verdict": inspection.verdict,
        "size_hw": [height, width],
        "preset": inspection.preset,
        "checkpoint": inspection.checkpoint,
        **({"version": inspection.version, "version_name": version_name(inspection)} if inspection.version else {}),
        "backbone": inspection.backbone,
        "seconds": round(inspection.total_s, 4),
        **({} if inspection.references is None else {"references": _references(inspection.references)}),
        **({"note": inspection.note} if inspection.note else {}),
    }


def detailed_record(inspection: Inspection) -> dict[str, JsonValue]:
    """`json_record` with the settings, the calibration and the regions."""
    thresholds = inspection.thresholds
    return {
        **json_record(inspection),
        "picture_sha256": inspection.picture.digest,
        "picture_note": inspection.picture.note,
        "settings": {
            "layers": list(inspection.layers),
            "top_k": inspection.settings.top_k,
            "top_k_pixels": top_fraction_count(inspection.anomaly_map.size, inspection.settings.top_k),
            "blur_sigma": inspection.settings.blur_sigma,
            **({} if inspection.alpha is None else {"alpha": inspection.alpha}),
            **({} if inspection.top_patches is None else {"top_patches": inspection.top_patches}),
            **({} if inspection.settings.prompts is None else {"prompts": _prompts(inspection.settings.prompts)}),
            "threshold_set_by_hand": inspection.settings.threshold is not None,
        },
        "calibration": None
        if thresholds is None
        else {
            "suspicious": thresholds.suspicious,
            "anomalous": thresholds.anomalous,
            **({} if thresholds.mask is None else {"mask": thresholds.mask}),
            "normal_level": thresholds.normal_level,
            "normal_quantile": thresholds.normal_quantile,
        },
        "anomalous_pixels": int(inspection.pred_mask.sum()),
        "region_count": inspection.region_count,
        "regions": [
            {
                "area_px": region.area_px,
                "peak": region.peak,
                "peak_xy": list(region.peak_xy),
                "box_xyxy": list(region.box_xyxy),
                "contour_xy": region.contour.round(1).tolist(),
            }
            for region in inspection.regions
        ],
    }


def _references(sources: ReferenceSources) -> dict[str, JsonValue]:
    return {
        "names": list(sources.names),
        "weight": round(sources.weight, 4),
        "layers": list(sources.layers),
        "notes": list(sources.notes),
    }


def _prompts(prompts: PromptSet) -> dict[str, JsonValue]:
    return {
        "object_name": prompts.object_name,
        "normal": list(prompts.normal),
        "anomalous": list(prompts.anomalous),
    }


def _save_npy(path: Path, values: np.ndarray) -> None:
    with path.open("wb") as file:
        np.save(file, values, allow_pickle=False)


def _replace(path: Path, write: Callable[[Path], object]) -> Path:
    """Write to a neighbour, then move it over `path`, so that no half file is ever seen."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path
