"""Head files: a trained head as safetensors with its description; read and written whole.  No torch."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from models.errors import WeightsError

Arrays = dict[str, npt.NDArray[Any]]

AUTHORS_SUFFIXES: Final = frozenset({".pth", ".pt"})  # of checkpoints of VisualAD's authors, which are no head files
_CONFIG_KEY: Final = "oddity"


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """A trained head as it lies in a file."""

    tensors: Arrays
    config: Mapping[str, Any]  # what it is, how it was trained; JSON values only
    digest: str  # SHA-256 of the file, hex


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def replace_file(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; readers see the old one or the new one, never a part.

    Raises:
        WeightsError: the folder cannot be written to.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(data)
        partial.replace(path)
    except OSError as error:
        raise WeightsError(f"{path} cannot be written ({error.strerror}); choose another folder.") from error
    finally:
        partial.unlink(missing_ok=True)


def save_head(path: Path, tensors: Arrays, config: Mapping[str, Any]) -> str:
    """Write a head with its configuration as safetensors, whole or not at all; returns its digest."""
    data = save(dict(sorted(tensors.items())), metadata={_CONFIG_KEY: json.dumps(config, sort_keys=True)})
    replace_file(path, data)
    return hashlib.sha256(data).hexdigest()


def read_description(path: Path) -> Mapping[str, Any]:
    """The configuration in a head file; no tensor is read.

    Raises:
        WeightsError: there is no such file, or it is damaged or of another kind.
    """
    if not path.is_file():
        raise WeightsError(f"There is no checkpoint at {path}; check the path.")
    try:
        with safe_open(path, framework="numpy") as file:
            info = (file.metadata() or {}).get(_CONFIG_KEY)
        config = {} if info is None else json.loads(info)
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{path} is damaged or no safetensors file; get or train the checkpoint again.") from error
    if info is None or not isinstance(config, dict):
        raise WeightsError(f"{path} is no checkpoint of this program (its description is missing); give another file.")
    return config


def read_head(path: Path) -> Head:
    """Read a head written by `save_head`.

    Raises:
        WeightsError: there is no such file, or it is damaged or of another kind.
    """
    if not path.is_file():
        raise WeightsError(f"There is no checkpoint at {path}; check the path.")
    try:
        with safe_open(path, framework="numpy") as file:
            info = (file.metadata() or {}).get(_CONFIG_KEY)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is damaged or no safetensors file; get or train the checkpoint again.") from error
    if info is None:
        raise WeightsError(f"{path} is no checkpoint of this program (its description is missing); give another file.")
    return Head(tensors=tensors, config=json.loads(info), digest=file_digest(path))
