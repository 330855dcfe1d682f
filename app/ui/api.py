"""The named endpoint `inspect`, for gradio_client and, where it is switched on, for MCP."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from app.services.reference_reading import read_references
from app.services.references import ReferenceOptions, References
from app.services.results import detailed_record, write_map_npy, write_overlay_png
from app.services.words import check_fits, own_words, takes_words, words_of
from app.ui.components import picture_input, uploaded_path, uploaded_paths
from app.ui.errors import shows_errors
from app.ui.handlers import Desk
from models.config import InspectionConfig
from models.data.pictures import load_picture
from models.errors import DataError
from models.registry import DEFAULT_PRESET, get_preset


def build_api(desk: Desk) -> None:
    """Add the endpoint to the caller's Blocks; nothing of it is seen on the page.

    Args:
        desk: what the handlers work with.
    """

    @shows_errors
    def inspect(
        file: dict[str, Any] | None,
        preset: str,
        layers: list[int] | None,
        top_k: float | None,
        sigma: float | None,
        alpha: float | None = None,
        top_patches: int | None = None,
        object_name: str = "",
        normal: list[str] | None = None,
        anomalous: list[str] | None = None,
        references: list[dict[str, Any]] | None = None,
        reference_weight: float | None = None,
        rotations: bool = False,
        flips: bool = False,
    ) -> tuple[dict[str, Any], str, str]:
        """Find what is anomalous in one picture.

        Args:
            file: the picture, in any common format.
            preset: a preset's name, "visualad-dinov2-small" by default.
            layers: layers counted from 1 whose maps are joined; [] for the preset's choice.
            top_k: share of the highest pixels whose mean is the score, in (0, 1]; 0.01 by default.
            sigma: smoothing in pixels at the model's input size; 4 by default, 0 for none.
            alpha: share of the refined map in [0, 1], DA-CLIP only; the preset's by default.
            top_patches: how many of the highest patches make half the score, DA-CLIP only; the preset's by default.
            object_name: what the picture shows, for presets that compare with words; "" for the model's own.
            normal: its normal states, such as "intact {}"; [] for the model's own.
            anomalous: its anomalous states, such as "cracked {}" or just "cracked"; [] for the model's own.
            references: 1 to 32 normal pictures of the same object to compare with; [] for none.
            reference_weight: their share in [0, 1], 1 = they alone decide; by the rule if it is not given.
            rotations: compare with the references turned by 90, 180 and 270 degrees too.
            flips: compare with their mirror images too.

        Returns:
            The result as JSON (score, threshold, verdict, regions), the overlay as PNG, and the map as float32 .npy.
        """
        path = uploaded_path(file)
        if path is None:
            raise DataError("No picture was sent; give one as `file`.")
        entry = get_preset(preset or DEFAULT_PRESET)
        own = own_words(desk.engine.inspector.model(entry.name)) if takes_words(entry) else None
        prompts = words_of(object_name, _texts("normal", normal), _texts("anomalous", anomalous), own)
        check_fits(entry, alpha=alpha, top_patches=top_patches, prompts=prompts)
        settings = replace(_settings(layers, top_k, sigma, alpha, top_patches, reference_weight), prompts=prompts)
        paths = [Path(reference) for reference in uploaded_paths(references)]
        compared = _built(desk, paths, ReferenceOptions(rotations=bool(rotations), flips=bool(flips)))
        inspection = desk.engine.inspector.inspect(load_picture(Path(path)), entry.name, settings, compared)
        folder, name = desk.scratch.folder(), Path(inspection.picture.name).stem or "picture"
        overlay = write_overlay_png(inspection, folder / f"{name}.overlay.png")
        record = detailed_record(inspection)
        record["picture"] = record.pop("path")  # gradio_client takes whatever has a "path" for a file to fetch
        return record, str(overlay), str(write_map_npy(inspection, folder / f"{name}.map.npy"))

    with gr.Row(visible=False):
        inputs = [
            picture_input(label="file"),
            gr.Textbox(DEFAULT_PRESET, label="preset"),
            gr.JSON([], label="layers"),
            gr.Number(0.01, label="top_k"),
            gr.Number(4.0, label="sigma"),
            gr.Number(None, label="alpha"),
            gr.Number(None, label="top_patches", precision=0),
            gr.Textbox("", label="object_name"),
            gr.JSON([], label="normal"),
            gr.JSON([], label="anomalous"),
            gr.File(None, label="references", file_count="multiple"),
            gr.Number(None, label="reference_weight"),
            gr.Checkbox(False, label="rotations"),
            gr.Checkbox(False, label="flips"),
        ]
        outputs = [gr.JSON(label="result"), gr.File(label="overlay"), gr.File(label="map")]
        gr.Button("inspect").click(
            inspect, inputs, outputs, preprocess=False, api_name="inspect", concurrency_id="model", concurrency_limit=1
        )


def _settings(
    layers: Any,
    top_k: float | None,
    sigma: float | None,
    alpha: float | None,
    top_patches: float | None,
    reference_weight: float | None,
) -> InspectionConfig:
    """The settings that were sent.

    Raises:
        DataError: one of them is outside its range.
    """
    if layers is not None and not (isinstance(layers, list) and all(isinstance(layer, int) for layer in layers)):
        raise DataError(
            f"`layers` must be a list of layer numbers such as [6, 9, 12], or [] for the preset's; got {layers!r}."
        )
    try:
        return InspectionConfig(
            layers=tuple(layers) if layers else None,
            top_k=0.01 if top_k is None else float(top_k),
            blur_sigma=4.0 if sigma is None else float(sigma),
            alpha=None if alpha is None else float(alpha),
            top_patches=None if top_patches is None else int(top_patches),
            reference_weight=None if reference_weight is None else float(reference_weight),
        )
    except ValueError as error:
        raise DataError(f"The settings do not fit: {error}.") from error


def _built(desk: Desk, paths: list[Path], options: ReferenceOptions) -> References | None:
    """The bank of the references that were sent; the result's note names what is doubtful about them.

    Raises:
        DataError: there are too many, or one of them cannot be read: nobody would see that it is missing.
    """
    if not paths:
        return None
    pictures, refused = read_references(paths)
    if refused:
        raise DataError(refused[0])
    return desk.engine.inspector.references.build(pictures, options)


def _texts(name: str, value: Any) -> list[str]:
    """A list of texts that was sent; nothing means an empty one.

    Raises:
        DataError: it is something else.
    """
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise DataError(
            f'`{name}` must be a list of states such as ["cracked {{}}"], or [] for the model\'s own; got {value!r}.'
        )
    return value
