"""From a preset's name to a method that compares pictures with words: the two towers, and a head where it needs one."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.backbones.clip_files import has_text, text_tower, visual_projection
from models.backbones.towers import Towers
from models.calibration import Calibration
from models.errors import DataError, WeightsError
from models.head_calibration import take_calibration
from models.head_files import Head, read_head
from models.loading import (
    LoadedModel,
    check_head_is_of,
    load_backbone_and_file,
    required_head_path,
    trained_on,
)
from models.methods.april_gan import AprilGanPrompts
from models.methods.base import AnomalyMethod
from models.methods.daclip import DAClip, DAClipConfig
from models.methods.prompts import PromptSet
from models.methods.winclip import WinClip
from models.presets import Preset
from models.registry import get_backbone_spec
from models.text_weights import load_minilm
from models.weights import Report, WeightsLocation


def load_towers(preset: Preset, where: WeightsLocation, *, report: Report = lambda _: None) -> tuple[Towers, str]:
    """Build a preset's two towers with their pretrained weights: (towers, where they are from).

    Raises:
        WeightsError: weights are missing, damaged or of another model, or a CLIP file lacks its text half.
    """
    backbone, content, source = load_backbone_and_file(preset, where, report=report)
    if preset.text == "minilm":
        text, text_source = load_minilm(where, report)
        return Towers(backbone, text, None), f"{source}; text: {text_source}"
    if not has_text(content):
        title = get_backbone_spec(preset.backbone).title
        raise WeightsError(
            f"The file of {title} holds the vision half alone ({source}), and {preset.title} needs the text half too; "
            "give a whole CLIP file, such as OpenAI's ViT-L-14-336px.pt or open_clip's."
        )
    return Towers(backbone, text_tower(content), visual_projection(content), vv_blocks=preset.vv_blocks), source


def load_text_preset(
    preset: Preset, where: WeightsLocation, *, device: str = "cpu", report: Report = lambda _: None
) -> LoadedModel:
    """`models.loading.load_preset` for presets with a text tower; raises what that raises."""
    path = required_head_path(preset, where) if preset.needs_head else None
    head = None if path is None else read_head(path)
    report(f"Loading {preset.title}.")
    towers, source = load_towers(preset, where, report=report)
    if head is None or path is None:
        method: AnomalyMethod = training_free(preset, towers.to(device))
        return LoadedModel(
            preset=preset,
            layers=preset.layers,
            image_size=preset.image_size,
            checkpoint_digest=hashlib.sha256(preset.name.encode()).hexdigest(),
            backbone_source=source,
            device=device,
            calibration=None,
            method=method,
            trained_on="nothing",
        )
    with_head, calibration = attach_daclip_head(towers, preset, head, path)
    return LoadedModel(
        preset=preset,
        layers=with_head.layers,
        image_size=int(head.config["image_size"]),
        checkpoint_digest=head.digest,
        backbone_source=source,
        device=device,
        calibration=calibration,
        method=with_head.to(device).eval(),
        trained_on=trained_on(head.config),
    )


def training_free(preset: Preset, towers: Towers) -> AnomalyMethod:
    """The method of a preset that has nothing to train."""
    if preset.method == "WinCLIP":
        return WinClip(towers)
    if preset.method == "APRIL-GAN prompts":
        return AprilGanPrompts(towers, preset.layers)
    return DAClip.zero_shot(towers, preset.layers).eval()


def attach_daclip_head(towers: Towers, preset: Preset, head: Head, path: Path) -> tuple[DAClip, Calibration | None]:
    """Put a head of DA-CLIP on two towers.

    Raises:
        WeightsError: the head belongs to other towers or its tensors do not fit.
    """
    check_head_is_of(preset, head, path)
    if head.config.get("text") != preset.text:
        raise WeightsError(
            f"{path} was trained with the text tower {head.config.get('text')!r}, not with {preset.text!r}; "
            "choose another preset."
        )
    tensors = {name: torch.from_numpy(np.array(array)).float() for name, array in head.tensors.items()}
    try:
        config = DAClipConfig(**as_settings(head.config["config"]))
        calibration = take_calibration(tensors, head.config, config.layers, preset.reading)
        method = DAClip(towers, config)
        if "prompts" in head.config:  # those that it was trained with
            method.set_prompts(PromptSet(**as_settings(head.config["prompts"])))
        method.head.load_state_dict(tensors, strict=True)
    except (RuntimeError, KeyError, TypeError, ValueError, AttributeError, DataError) as error:
        raise WeightsError(f"{path} does not fit {preset.title}; it is damaged or of another version.") from error
    return method, calibration


def as_settings(values: dict[str, Any]) -> dict[str, Any]:
    """A record's fields as a head's file holds them: JSON knows lists, the record has tuples."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
