"""A model that compares with words, without weights: its maps follow from picture and words by rules to work out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from app.services.inspector import Inspector
from app.ui.engine import Engine
from models.backbones.text import build_tiny_bert_text
from models.backbones.towers import Towers
from models.backbones.vit import build_tiny_backbone
from models.errors import DataError
from models.methods.daclip import DAClip, DAClipConfig
from models.methods.prompts import PromptSet
from models.reading import PictureMaps
from models.registry import DEFAULT_PRESET, PRESETS, Preset
from models.status import PresetStatus
from tests.app.fakes import FakeModel, nowhere

BLACK_STATIC = 10 / 16  # the static map of layer 12 on a black picture, with the paper's words

TEXT_PRESET = "daclip-compact"
GRID = 4  # that of the tiny towers, which look at 56 pixels
GLOBAL_SCORE = 0.25
LONGEST_TEXT = 60  # characters


@dataclass(slots=True, eq=False)
class FakeTextModel:
    """Static maps are darkness at 4 x 4, times the share of anomalous texts, times the layer's place (1, 2, 3, 4) / 4.

    With the paper's words that share is 10 of 16.  Refined maps are half the static ones.
    """

    preset: Preset = PRESETS[TEXT_PRESET]
    layers: tuple[int, ...] = (6, 7, 9, 12)
    image_size: int = 56
    checkpoint_digest: str = "decade" * 10 + "abcd"
    backbone_source: str = "a fake; text: another fake"
    device: str = "cpu"
    calibration: Any = None
    trained_on: str | None = "synthetic"
    method: Any = None  # a DAClip where text-visual alignment is looked at
    branches: tuple[str, ...] = ("static", "refined")
    seen: list[PromptSet | None] = field(default_factory=list)  # the words of every forward pass

    @property
    def default_layers(self) -> tuple[int, ...]:
        """The preset's."""
        return self.preset.default_layers

    def picture_maps(self, rgb: NDArray[np.uint8], prompts: PromptSet | None = None) -> PictureMaps:
        """(H, W, 3) to (R, 4, 4, 4) and the whole picture's score."""
        self.seen.append(prompts)
        words = prompts or PromptSet()
        normal, anomalous = words.normal_texts(), words.anomalous_texts()
        for text in normal + anomalous:
            if len(text) > LONGEST_TEXT:
                raise DataError(f"The text {text[:20]!r} is too long: it has {len(text)} letters; shorten it.")
        grey = Image.fromarray(rgb).convert("L").resize((GRID, GRID), Image.Resampling.BOX)
        darkness = 1.0 - np.asarray(grey, dtype=np.float32) / 255.0
        share = len(anomalous) / (len(normal) + len(anomalous))
        static = np.stack([darkness * share * (place / 4) for place in (1, 2, 3, 4)]).astype(np.float32)
        branches = np.stack([static, static / 2])[: len(self.branches)]
        return PictureMaps(branches, GLOBAL_SCORE)


def by_method(text_model: FakeTextModel, other: FakeModel | None = None) -> Callable[[str], Any]:
    """A function that hands out `text_model` under the names of presets that compare with words."""
    without_words = other or FakeModel()
    return lambda name: without_words if PRESETS[name].text is None else text_model


def text_inspector(model: FakeTextModel) -> Inspector:
    """An inspector whose presets with words are `model`."""
    return Inspector(nowhere(), load=by_method(model))


def text_engine(model: FakeTextModel, *, ready: tuple[str, ...] = (DEFAULT_PRESET, TEXT_PRESET)) -> Engine:
    """An engine whose presets with words are `model`, and that says of some presets that their weights are here."""
    engine = Engine(nowhere(), load=by_method(model))
    statuses = tuple(_status(name, name in ready) for name in PRESETS)
    engine.inspector.statuses = lambda: statuses  # type: ignore[method-assign]
    return engine


def _status(name: str, ready: bool) -> PresetStatus:
    return PresetStatus(
        preset=name,
        ready=ready,
        backbone_source="a fake" if ready else "none",
        head_source="a fake" if ready else "none",
        size_bytes=1_000_000 if ready else 0,
        licence="",
        how_to_get="" if ready else "It is a fake and cannot be got.",
    )


def tiny_daclip(prompts: PromptSet | None = None) -> DAClip:
    """A small random DA-CLIP of the compact kind that has the fake's layers and grid; its features mean nothing.

    Args:
        prompts: those that its head was trained with; None = the paper's.
    """
    torch.manual_seed(0)
    towers = Towers(build_tiny_backbone(depth=12), build_tiny_bert_text(), None)
    config = DAClipConfig(layers=(6, 7, 9, 12), adapter_tokens=3, dar_grid=3, scale_init=1.0)
    method = DAClip(towers, config).eval()
    method.set_prompts(prompts or PromptSet())
    return method
