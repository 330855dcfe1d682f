"""Whether presets can be used, from where, and what to do about those that cannot; nothing is loaded or fetched."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from safetensors import SafetensorError, safe_open

from models.errors import WeightsError
from models.presets import Preset
from models.registry import BackboneSpec, get_backbone_spec
from models.text_registry import TextSpec, get_text_spec
from models.text_weights import find_text
from models.text_weights import how_to_get as how_to_get_text
from models.weights import (
    HEADS_DIR,
    WeightsLocation,
    find_backbone,
    head_path,
    how_to_get,
    imported_from,
    packaged_file,
)

_NO_TEXT: Final = (
    "{found} holds the vision half of {title} alone; {replace}a whole CLIP file: OpenAI's ViT-L-14-336px.pt or "
    "open_clip's open_clip_model.safetensors{under}."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetStatus:
    """Whether a preset can be used now, and if not, what to do."""

    preset: str
    ready: bool
    backbone_source: str
    head_source: str
    size_bytes: int  # of backbone and head on disk; 0 where they are not there yet
    licence: str
    how_to_get: str  # "" when ready


def preset_status(preset: Preset, where: WeightsLocation) -> PresetStatus:
    """Tell whether a preset can be used; looks only at this machine and loads nothing."""
    spec = get_backbone_spec(preset.backbone)
    head = head_path(preset, where) if preset.needs_head else None
    has_head = head is not None and head.is_file()
    backbone_source, backbone_bytes, missing = _backbone_state(spec, where)
    if preset.text is not None:
        text_source, text_bytes, text_missing = _text_state(get_text_spec(preset.text), spec, where)
        backbone_source = "; text: ".join(source for source in (backbone_source, text_source) if source)
        backbone_bytes, missing = backbone_bytes + text_bytes, f"{missing} {text_missing}".strip()
    if preset.needs_head and not has_head:
        missing = (missing + " " + _head_hint(preset, head)).strip()
    return PresetStatus(
        preset=preset.name,
        ready=not missing,
        backbone_source=backbone_source,
        head_source=_head_source(head, where) if has_head else "none" if preset.needs_head else "none needed",
        size_bytes=backbone_bytes + (head.stat().st_size if head is not None and has_head else 0),
        licence=_licence(preset, spec),
        how_to_get=missing,
    )


def _backbone_state(spec: BackboneSpec, where: WeightsLocation) -> tuple[str, int, str]:
    try:
        found = find_backbone(spec, where)
    except WeightsError as error:
        return "none", 0, str(error)
    if found is not None:
        return found[1], found[0].stat().st_size, ""
    if where.allow_hub:
        return f"the hub, {spec.hub_repo} (fetched at first use)", 0, ""
    if spec.embedded is not None and packaged_file(spec.embedded) is not None:
        return f"the package {spec.embedded.package} {spec.embedded.version} (read at first use)", 0, ""
    return "none", 0, how_to_get(spec, where)


def _text_state(text: TextSpec, spec: BackboneSpec, where: WeightsLocation) -> tuple[str, int, str]:
    if text.files is None:  # it lies in the backbone's file, whose state was told
        found = find_backbone(spec, where) if where.backbone_path is None or where.backbone_path.is_file() else None
        return ("", 0, "") if found is None or may_have_text(found[0]) else ("none", 0, _no_text(found[0], spec, where))
    found_text = find_text(text, where)
    if found_text is not None:
        files, source = found_text
        return source, files.model.stat().st_size + files.tokenizer.stat().st_size, ""
    if where.allow_hub:
        return f"the hub, {text.files.hub_repo} (fetched at first use)", 0, ""
    return "none", 0, how_to_get_text(text, where)


def _no_text(found: Path, spec: BackboneSpec, where: WeightsLocation) -> str:
    given = where.backbone_path is not None
    return _NO_TEXT.format(
        found=found,
        title=spec.title,
        replace="give " if given else "delete it and put in its folder ",
        under="" if given else ", under that name",
    )


def may_have_text(path: Path) -> bool:
    """Whether a CLIP file may have a text half; only a safetensors file shows it without being loaded."""
    try:
        with safe_open(path, framework="numpy") as file:
            return any(name.endswith("token_embedding.weight") for name in file.keys())  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError):
        return True  # another kind of file, or a damaged one: loading says so


def _licence(preset: Preset, spec: BackboneSpec) -> str:
    own_text = get_text_spec(preset.text) if preset.text is not None else None
    text = f"; text: {own_text.licence}" if own_text is not None and own_text.files is not None else ""
    return f"backbone: {spec.licence}{text}; head: {preset.licence}"


def _head_source(path: Path | None, where: WeightsLocation) -> str:
    assert path is not None
    if where.head_path is not None:
        return f"your file {path.name}"
    if path.parent == HEADS_DIR:
        return f"shipped, {path.name}"
    return f"imported from {imported_from(path) or 'an unknown file'}, {path.name} of the weights folder"


def _head_hint(preset: Preset, path: Path | None) -> str:
    if path is not None:
        train = f"python -m app train --preset {preset.name}"
        return f"The head {path} is missing; train one with `{train}` or give one with --checkpoint PATH."
    return preset.note
