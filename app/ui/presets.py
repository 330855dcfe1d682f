"""Methods and backbones as the page offers them: what can be chosen, what cannot and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from models.registry import PRESETS, get_backbone_spec
from models.weights import PresetStatus


def methods() -> list[str]:
    """The methods' names, each once, in the registry's order."""
    return list(dict.fromkeys(preset.method for preset in PRESETS.values()))


def first_ready(statuses: Sequence[PresetStatus], method: str) -> str | None:
    """The first preset of a method whose weights are here, or None."""
    ready = {status.preset for status in statuses if status.ready}
    return next((name for name, preset in PRESETS.items() if preset.method == method and name in ready), None)


def preset_choices(statuses: Sequence[PresetStatus]) -> list[tuple[str, str]]:
    """All presets as entries of a dropdown; those without weights say so."""
    return [
        (PRESETS[status.preset].title + ("" if status.ready else " (no weights)"), status.preset) for status in statuses
    ]


def picker_value(statuses: Sequence[PresetStatus], chosen: str) -> dict[str, Any]:
    """What `PresetPicker` shows: the presets of the chosen one's method, those without weights disabled."""
    method = PRESETS[chosen].method
    of_method = [status for status in statuses if PRESETS[status.preset].method == method]
    return {"options": [_option(status, status.preset == chosen) for status in of_method]}


def _option(status: PresetStatus, chosen: bool) -> dict[str, Any]:
    size = f"{status.size_bytes / 1e6:.0f} MB" if status.size_bytes else "ready"
    return {
        "name": status.preset,
        "title": get_backbone_spec(PRESETS[status.preset].backbone).title,
        "ready": status.ready,
        "chosen": chosen,
        "state": size if status.ready else "no weights",
        "how": status.how_to_get,
    }
