"""What can be taught, and how: the choices on the left of the Teach tab."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import gradio as gr

from app.ui.presets import preset_choices
from models.registry import PRESETS, get_preset
from models.status import PresetStatus

MOST_STEPS: Final = 10_000
QUICK, FULL = "quick", "full"
MODES: Final = {
    QUICK: "Quick: only the small layers on top are trained; features are computed once (seconds to a minute)",
    FULL: "Full: the tokens too, through the whole backbone (minutes)",
}
_MODES_OF_METHOD: Final = {"VisualAD": (QUICK, FULL), "DA-CLIP": (QUICK,)}


def teachable(statuses: Sequence[PresetStatus]) -> list[tuple[str, str]]:
    """The presets that have something to teach as entries of a dropdown, those with weights first."""
    can = [status for status in statuses if PRESETS[status.preset].method in _MODES_OF_METHOD]
    return preset_choices(sorted(can, key=lambda status: not status.ready))


def modes_of(preset: str) -> tuple[str, ...]:
    """How a preset can be taught."""
    return _MODES_OF_METHOD.get(get_preset(preset).method, ())


def mode_choices(preset: str) -> list[tuple[str, str]]:
    """`modes_of` as entries of a choice."""
    return [(MODES[mode], mode) for mode in modes_of(preset)]


def mode_update(preset: str) -> Any:
    """The modes of another preset."""
    choices = mode_choices(preset)
    return gr.update(choices=choices, value=choices[0][1])
