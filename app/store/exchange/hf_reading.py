"""Parquet shards back to images with masks, one group of rows in memory at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

import pyarrow as pa
import pyarrow.parquet as pq

from app.store.exchange.base import Found, Refusal
from app.store.exchange.finding import Finder, Marks
from app.store.exchange.marks import clean_class, mask_of_file
from app.store.records import LABELS, DefectClass, Label, Mask
from models.errors import DataError

MASK: Final = "mask"
_IMAGE_COLUMNS: Final = ("image", "img", "picture")
_MASK_COLUMNS: Final = (MASK, "annotation", "ground_truth", "segmentation_mask", "label")
_MOST_BYTES: Final = 2_000_000_000
_MEANINGS: Final[dict[str, Label]] = {
    "normal": "normal", "good": "normal", "ok": "normal", "anomalous": "anomalous", "anomaly": "anomalous",
    "defect": "anomalous", "defective": "anomalous", "bad": "anomalous", "unsure": "unsure",
}  # fmt: skip


def read_shard(finder: Finder, file: str) -> Iterator[Found]:
    """The rows of one file.

    Raises:
        DataError: it is no Parquet, or holds no images.
    """
    shard = _Shard(finder.inside.path(file), file)
    image, mask = shard.picture_column(_IMAGE_COLUMNS), shard.picture_column(_MASK_COLUMNS)
    if not image:
        raise DataError(f"{file} has no column with images (a struct of 'bytes' and 'path'); choose another file.")
    labels = shard.label_names()
    for group in range(shard.groups):
        for row, said in enumerate(shard.plain_rows(group)):
            cells = _Cells(shard, group, row, image, mask)
            try:
                yield _found(finder, cells, said, labels)
            except DataError as error:
                finder.refuse(Refusal(f"{file}, row {row + 1} of group {group + 1}", str(error)))


def _found(finder: Finder, cells: _Cells, said: dict[str, Any], labels: Sequence[str]) -> Found:
    name = str(cells.path() or f"row-{cells.group}-{cells.row}").replace("\\", "/").rpartition("/")[2]
    number = said.get("label")
    label = _meaning(labels[number]) if isinstance(number, int) and 0 <= number < len(labels) else None
    mask_bytes = cells.mask_bytes()
    if mask_bytes is None and label is None:
        found = finder.bare(name, cells.image_bytes)
    else:
        marks = partial(_marks, cells, said.get("defects"))
        found = finder.found(name, mask_bytes or b"", marks, label, cells.image_bytes)
    texts = {key: str(said[key]) for key in ("author", "note") if isinstance(said.get(key), str)}
    if found.label is not None and not found.author and texts:
        found = replace(found, author=texts.get("author", "")[:200], note=texts.get("note", "")[:10_000])
    return found


def _meaning(name: str) -> Label | None:
    return _MEANINGS.get(name.casefold())


def _marks(cells: _Cells, defects: object) -> Marks:
    data = cells.mask_bytes()
    if data is None:
        return None, ()
    mask = mask_of_file(data, "The mask")
    return mask, tuple(_classes(mask, defects))


def _classes(mask: Mask, defects: object) -> Iterator[DefectClass]:
    """The classes whose point is marked."""
    for each in defects if isinstance(defects, list) else ():
        x, y, name = (each.get(key) for key in ("x", "y", "name")) if isinstance(each, dict) else (None, None, None)
        if not (isinstance(x, int) and isinstance(y, int) and isinstance(name, str)):
            continue
        is_inside = 0 <= y < mask.shape[0] and 0 <= x < mask.shape[1]
        if is_inside and mask[y, x] and (name := clean_class(name)):
            yield DefectClass((x, y), name)


@dataclass(frozen=True, slots=True)
class _Cells:
    """The picture and the mask of one row, read when they are asked for."""

    shard: _Shard
    group: int
    row: int
    image: str
    mask: str

    def path(self) -> object:
        """What the row calls its picture."""
        return (self.shard.cell(self.group, self.row, self.image) or {}).get("path")

    def image_bytes(self) -> bytes:
        """The picture's file."""
        data = (self.shard.cell(self.group, self.row, self.image) or {}).get("bytes")
        if not isinstance(data, bytes):
            raise DataError("The row names a picture but does not hold it; save the data set with its pictures.")
        return data

    def mask_bytes(self) -> bytes | None:
        """The mask's file; None where there is none."""
        cell = self.shard.cell(self.group, self.row, self.mask) if self.mask else None
        data = (cell or {}).get("bytes")
        return data if isinstance(data, bytes) else None


@dataclass(slots=True)
class _Shard:
    """One Parquet file; keeps the last group of each column that was asked for."""

    path: Path
    file: str
    schema: pa.Schema = field(init=False)
    groups: int = field(init=False)
    _kept: dict[str, tuple[int, pa.ChunkedArray]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        try:
            with pq.ParquetFile(self.path) as opened:
                self.schema, self.groups = opened.schema_arrow, opened.num_row_groups
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(error) from error

    def picture_column(self, names: Sequence[str]) -> str:
        """The first of these columns that holds files; "" for none."""
        for name in names:
            index = self.schema.get_field_index(name)
            kind = self.schema.field(index).type if index >= 0 else None
            if kind is not None and pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
                return name
        return ""

    def label_names(self) -> Sequence[str]:
        """The names of the column "label", from what `datasets` noted."""
        try:
            noted = json.loads((self.schema.metadata or {}).get(b"huggingface", b"{}"))
            names = noted["info"]["features"]["label"]["names"]
        except (ValueError, LookupError, TypeError, RecursionError):
            return LABELS if "sha256" in self.schema.names else ()
        return [str(name) for name in names] if isinstance(names, list) else ()

    def plain_rows(self, group: int) -> list[dict[str, Any]]:
        """What a group's rows say in words."""
        known = ("label", "defects", "author", "note")
        names = [name for name in known if name in self.schema.names and not self.picture_column((name,))]
        if not names:
            return [{}] * self._rows(group)
        try:
            return cast(list[dict[str, Any]], self._read(group, names).to_pylist())
        except UnicodeDecodeError as error:
            raise self._damaged(error) from error

    def cell(self, group: int, row: int, column: str) -> dict[str, Any] | None:
        """One cell of a column of files."""
        if self._kept.get(column, (-1, None))[0] != group:
            self._kept[column] = group, self._read(group, [column]).column(column)
        try:
            value = self._kept[column][1][row].as_py()
        except UnicodeDecodeError as error:
            raise self._damaged(error) from error
        return value if isinstance(value, dict) else None

    def _read(self, group: int, columns: list[str]) -> pa.Table:
        try:
            with pq.ParquetFile(self.path) as opened:
                facts = opened.metadata.row_group(group)
                if facts.total_byte_size > _MOST_BYTES:
                    raise DataError(f"{self.file} has more than 2 GB in a group of rows; save it in smaller groups.")
                return opened.read_row_group(group, columns=columns)
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(error) from error

    def _rows(self, group: int) -> int:
        with pq.ParquetFile(self.path) as opened:
            return int(opened.metadata.row_group(group).num_rows)

    def _damaged(self, error: Exception) -> DataError:
        reason = (str(error).splitlines() or [""])[0][:200]
        return DataError(f"{self.file} is no readable Parquet ({reason}); download or export it again.")
