"""The exchange formats by name: one read-only table."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from app.store.errors import StoreError
from app.store.exchange.base import Format
from app.store.exchange.coco import CocoFormat
from app.store.exchange.hf_datasets import HfDatasetsFormat
from app.store.exchange.label_studio import LabelStudioFormat
from app.store.exchange.labelme import LabelmeFormat
from app.store.exchange.masks import MasksFormat
from app.store.exchange.mvtec import MvtecFormat
from app.store.exchange.yolo_seg import YoloSegFormat

_ALL: Final[tuple[Format, ...]] = (
    MvtecFormat(), CocoFormat(), YoloSegFormat(), LabelmeFormat(), LabelStudioFormat(), HfDatasetsFormat(),
    MasksFormat(),
)  # fmt: skip
FORMATS: Final[Mapping[str, Format]] = MappingProxyType({each.name: each for each in _ALL})


def format_named(name: str) -> Format:
    """The format of that name.

    Raises:
        StoreError: there is none.
    """
    if name not in FORMATS:
        raise StoreError(f"There is no format {name[:50]!r}; choose one of: {', '.join(FORMATS)}.")
    return FORMATS[name]
