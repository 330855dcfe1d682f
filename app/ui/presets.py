"""Methods and backbones as the page offers them: what can be chosen, what cannot and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from app.services.beside_normals import BESIDE_NORMALS
from models.presets import Preset
from models.registry import PRESETS, get_backbone_spec
from models.status import PresetStatus
from models.text_registry import get_text_spec


def methods() -> list[str]:
    """The methods' names, each once, in the registry's order."""
    return list(dict.fromkeys(preset.method for preset in PRESETS.values()))


def first_ready(statuses: Sequence[PresetStatus], method: str) -> str | None:
    """The first preset of a method whose weights are here, or None."""
    ready = {status.preset for status in statuses if status.ready}
    return next((name for name, preset in PRESETS.items() if preset.method == method and name in ready), None)


def preset_choices(statuses: Sequence[PresetStatus]) -> list[tuple[str, str]]:
    """The presets of `methods` as entries of a dropdown; those without weights say so."""
    return [
        (PRESETS[status.preset].title + ("" if status.ready else " (no weights)"), status.preset)
        for status in statuses
        if not PRESETS[status.preset].needs_references
    ]


def proposal_choices(statuses: Sequence[PresetStatus]) -> list[tuple[str, str]]:
    """`preset_choices`, and those with weights once more, compared with the confirmed normals of the workspace."""
    beside = [
        (f"With normals: {PRESETS[status.preset].title}", _beside_normals(PRESETS[status.preset]))
        for status in statuses
        if status.ready
    ]
    return preset_choices(statuses) + beside


def _beside_normals(preset: Preset) -> str:
    return preset.name if preset.needs_references else preset.name + BESIDE_NORMALS


def picker_value(statuses: Sequence[PresetStatus], chosen: str) -> dict[str, Any]:
    """What `PresetPicker` shows: the presets of the chosen one's method, those without weights disabled."""
    method = PRESETS[chosen].method
    of_method = [status for status in statuses if PRESETS[status.preset].method == method]
    return {"options": [_option(status, status.preset == chosen) for status in of_method]}


def caption_update(preset: Preset) -> Any:
    """What a preset is, in one line below the choice; nothing where that is plain."""
    return gr.update(value=preset.caption, visible=bool(preset.caption))


def _option(status: PresetStatus, chosen: bool) -> dict[str, Any]:
    size = f"{status.size_bytes / 1e6:.0f} MB" if status.size_bytes else "ready"
    return {
        "name": status.preset,
        "title": _towers(PRESETS[status.preset]),
        "ready": status.ready,
        "chosen": chosen,
        "state": size if status.ready else "no weights",
        "how": status.how_to_get,
    }


def _towers(preset: Preset) -> str:
    """The backbone, and the text tower where it is not part of it."""
    backbone = get_backbone_spec(preset.backbone).title
    text = None if preset.text is None else get_text_spec(preset.text)
    return backbone if text is None or text.files is None else f"{backbone} + {text.title}"
