"""What the page says and shows about reference pictures: plain values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import gradio as gr

from app.services.colours import ColourScale
from app.services.inspection import FloatMaps, Inspection, ReferenceSources
from app.services.references import MOST_REFERENCES
from app.services.rendering import drawn_map
from app.services.workspace_references import ConfirmedNormals
from app.ui.scratch import Scratch
from app.ui.session import PictureRef, Session
from models.registry import get_preset

TITLE: Final = "Normal pictures for reference"
_UNITS: Final = ColourScale(0.0, 2.0)  # of both sources: 0 is the level of normal pixels, 1 the threshold
_NOTHING: Final = "Drop a few normal pictures of the same object: each picture is then compared with them as well."


def panel_title(count: int) -> str:
    """The panel's title, which tells from outside whether there are any."""
    return f"{TITLE}: {count}" if count else TITLE


def list_value(references: Sequence[PictureRef], thumbnails: Sequence[str], told: Sequence[str] = ()) -> dict[str, Any]:
    """What `reference_list` shows.

    Args:
        references: those in use.
        thumbnails: data URLs, one each.
        told: sentences about files that were refused.
    """
    return {
        "pictures": [
            {"name": ref.name, "digest": ref.digest, "thumbnail": thumbnail}
            for ref, thumbnail in zip(references, thumbnails, strict=True)
        ],
        "count": f"{len(references)} of at most {MOST_REFERENCES}" if references else "",
        "told": [{"text": text} for text in told],
    }


def says_value(session: Session, inspection: Inspection | None = None) -> dict[str, Any]:
    """What `reference_says` shows: how the references took part in the result, and what is doubtful about them."""
    sources = None if inspection is None else inspection.references
    if inspection is not None and sources is not None:
        return {"what": how_combined(inspection, sources), "doubts": [{"text": note} for note in sources.notes]}
    if not session.references:
        return {"what": _NOTHING, "doubts": []}
    return {"what": "The next picture will be compared with them.", "doubts": []}


def weight_updates(session: Session, inspection: Inspection | None = None) -> dict[str, Any]:
    """The slider shows the weight in force; it can be moved where two sources are mixed."""
    sources = None if inspection is None else inspection.references
    if sources is None or sources.zero_shot_map is None:
        fixed = gr.update(interactive=False)
        alone = fixed if sources is None else gr.update(value=sources.weight, interactive=False)
        return {"reference_weight": alone, "weight_by_rule": fixed}
    return {
        "reference_weight": gr.update(value=round(sources.weight, 2), interactive=True),
        "weight_by_rule": gr.update(interactive=session.reference_weight is not None),
    }


def how_combined(inspection: Inspection, sources: ReferenceSources) -> str:
    """Which source counts how much, and the units."""
    units = "In every map 0 is the level of normal pixels and 1 the threshold."
    count = _counted(len(sources.names), "normal picture")
    if sources.zero_shot_map is None:
        return f"The distance to {count} alone decides. {units}"
    method = get_preset(inspection.preset).method
    share = f"{100 * sources.weight:.0f} % nearest patch of {count}, {100 * (1 - sources.weight):.0f} % {method}"
    return f"{share} beyond what it says about like patches of them. {units}"


def compared_sentence(sources: ReferenceSources) -> str:
    """For the verdict: how many, how much they count, and the first doubt, which may turn the verdict around."""
    counts = "" if sources.zero_shot_map is None else f", which count {100 * sources.weight:.0f} %"
    compared = f"Compared with {_counted(len(sources.names), 'normal picture')}{counts}."
    more = f" ({len(sources.notes) - 1} more beside them.)" if len(sources.notes) > 1 else ""
    return f"{compared} Doubtful: {sources.notes[0]}{more}" if sources.notes else compared


def sources_key(inspection: Inspection, colour_map: str) -> tuple[str, ...]:
    """What the maps of the sources depend on: all settings but those of the fused map and its drawing."""
    sources, settings = inspection.references, inspection.settings
    if sources is None:
        return ()
    return (
        sources.key,
        inspection.picture.digest,
        inspection.preset,
        inspection.checkpoint,
        colour_map,
        str((inspection.layers, settings.top_k, settings.blur_sigma, inspection.alpha, inspection.top_patches)),
        repr(settings.prompts),
    )


def source_updates(inspection: Inspection | None, colour_map: str, scratch: Scratch) -> tuple[Any, Any]:
    """The maps of the method alone and of the references alone; hidden where the fused one says it all."""
    sources = None if inspection is None else inspection.references
    if inspection is None or sources is None or sources.zero_shot_map is None:
        return gr.update(value=None, visible=False), gr.update(value=None, visible=False)
    method = f"{get_preset(inspection.preset).method} alone"
    return (
        _source_update(method, sources.zero_shot_map, sources.zero_shot_score, colour_map, scratch),
        _source_update("Normal pictures alone", sources.reference_map, sources.reference_score, colour_map, scratch),
    )


def workspace_button(normals: ConfirmedNormals | None) -> Any:
    """The button's text says how many there are; None = there is no workspace."""
    if normals is None:
        return gr.update(visible=False)
    if not normals.total:
        return gr.update(value="Use the workspace's confirmed normals: none yet", visible=True)
    newest = "" if normals.total <= MOST_REFERENCES else f", the newest {MOST_REFERENCES}"
    return gr.update(value=f"Use the workspace's confirmed normals ({normals.total:,}{newest})", visible=True)


def _source_update(title: str, values: FloatMaps, score: float | None, colour_map: str, scratch: Scratch) -> Any:
    assert score is not None
    drawn = scratch.png(drawn_map(values, _UNITS, 1.0, colour_map), "source")
    shown_score = f"{score:.2f}".replace("-", "\N{MINUS SIGN}")
    return gr.update(value=drawn, label=f"{title}: score {shown_score}", visible=True)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
