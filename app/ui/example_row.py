"""The row of example pictures under the input: small thumbnails, one click inspects."""

from __future__ import annotations

from collections.abc import Sequence

import gradio as gr
import numpy as np

from app.services.rendering import fit
from app.ui.components import picture_input
from app.ui.examples import Example
from app.ui.scratch import Scratch
from models.data.pictures import load_picture

_THUMBNAIL_PX = 96


def build_examples(examples: Sequence[Example], scratch: Scratch) -> gr.Dataset:
    """Put the thumbnails where the caller's layout is; a click hands over the example's index.

    Args:
        examples: what can be picked.
        scratch: where the thumbnails are written; the originals are never served to the page.
    """
    thumbnails = [
        scratch.png(_square(load_picture(example.path).rgb), f"example-{index}")
        for index, example in enumerate(examples)
    ]
    return gr.Dataset(
        label="Or pick an example",
        components=[picture_input(render=False, label="Example")],
        samples=[[path] for path in thumbnails],
        type="index",
        samples_per_page=12,
        elem_id="examples",
        visible=bool(examples),
    )


def _square(rgb: np.ndarray) -> np.ndarray:
    """The middle of a picture as a small square."""
    side = min(rgb.shape[:2])
    top, left = (rgb.shape[0] - side) // 2, (rgb.shape[1] - side) // 2
    return fit(np.ascontiguousarray(rgb[top : top + side, left : left + side]), _THUMBNAIL_PX, _THUMBNAIL_PX)
