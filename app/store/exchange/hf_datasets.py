"""Parquet as the Hugging Face hub shows it and `datasets` loads it: pictures and masks inside, in shards.

Source: https://huggingface.co/docs/hub/datasets-image.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from app.store.exchange.base import Annotated, Found, Refusal
from app.store.exchange.finding import Finder
from app.store.exchange.hf_reading import MASK, read_shard
from app.store.exchange.marks import classes_of, png_255
from app.store.exchange.reading import Inside
from app.store.exchange.writing import ExportFolder
from app.store.records import LABELS
from models.errors import DataError, ExpectedError

_GROUP_BYTES: Final = 32_000_000
_GROUP_ROWS: Final = 256
_SHARD_BYTES: Final = 400_000_000
_IMAGE: Final = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_DEFECT: Final = pa.struct([("x", pa.int32()), ("y", pa.int32()), ("name", pa.string())])
_TEXTS: Final = ("name", "author", "note", "saved_at", "sha256")
_CARD: Final = """\
---
# license: name one here, as it applies to your pictures, before you publish them
task_categories:
- image-segmentation
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train-*.parquet
---

# Annotated pictures

{rows} pictures: {counts}. Exported by Oddity.

| column | what it holds |
| --- | --- |
| image | the picture's file, unchanged |
| mask | 255 where something is odd, else 0, at the picture's upright size; none where nobody marked the pixels |
| label | 0 normal, 1 anomalous, 2 unsure |
| name, sha256 | the picture's name, and the digest of its file |
| defects | one pixel and the class of each region that has a class |
| author, note, saved_at | who annotated it, what they noted, when (UTC) |

Masks lie over the upright picture: `datasets` turns a picture as its EXIF orientation says, with Pillow alone use
`ImageOps.exif_transpose`.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HfDatasetsFormat:
    """Parquet shards with a dataset card."""

    name: str = "hf-datasets"
    title: str = "Hugging Face datasets (Parquet)"

    def write(self, items: Iterable[Annotated], folder: Path, report: Callable[[str], None]) -> None:
        """See `Format`."""
        out = ExportFolder(folder, self.name)
        counts = dict.fromkeys(LABELS, 0)
        with _Shards(folder / "data") as shards:
            for item in items:
                path = out.name_for(item)
                mask_png = None if item.mask is None else png_255(item.mask)
                shards.add(_row(item, path, mask_png))
                counts[item.revision.label or "unsure"] += 1
                out.note(item, path, mask_png or b"")
        said = ", ".join(f"{count} {label}" for label, count in counts.items())
        out.put("README.md", _CARD.format(rows=sum(counts.values()), counts=said).encode())
        out.finish()

    def recognises(self, folder: Path) -> bool:
        """See `Format`."""
        return any(file.endswith(".parquet") for file in Inside(folder).files())

    def read(self, folder: Path, refuse: Callable[[Refusal], None]) -> Iterator[Found]:
        """See `Format`."""
        finder = Finder(folder, self.name, refuse)
        files = [file for file in finder.inside.files(refuse=refuse) if file.endswith(".parquet")]
        if not files:
            raise DataError(f"{folder} holds no .parquet file; choose the folder that does.")
        for file in files:
            try:
                yield from read_shard(finder, file)
            except ExpectedError as error:
                refuse(Refusal(file, str(error)))


def _row(item: Annotated, path: str, mask_png: bytes | None) -> dict[str, Any]:
    revision = item.revision
    mask_path = f"{path.rpartition('.')[0]}_mask.png"
    return {
        "image": {"bytes": item.path.read_bytes(), "path": path},
        MASK: None if mask_png is None else {"bytes": mask_png, "path": mask_path},
        "label": LABELS.index(revision.label or "unsure"),
        "defects": [
            {"x": each.point_xy[0], "y": each.point_xy[1], "name": each.name} for each in classes_of(revision.regions)
        ],
        "name": item.image.name,
        "author": revision.author,
        "note": revision.note,
        "saved_at": revision.saved_at.isoformat(),
        "sha256": item.image.digest,
    }


def _schema() -> pa.Schema:
    image, text, number = (
        {"_type": "Image"},
        {"dtype": "string", "_type": "Value"},
        {"dtype": "int32", "_type": "Value"},
    )
    defects = [{"x": number, "y": number, "name": text}]
    labels = {"names": list(LABELS), "_type": "ClassLabel"}
    features: Mapping[str, object] = {
        "image": image, MASK: image, "label": labels, "defects": defects, **dict.fromkeys(_TEXTS, text)
    }  # fmt: skip
    types = {"image": _IMAGE, MASK: _IMAGE, "label": pa.int64(), "defects": pa.list_(_DEFECT)}
    fields = [*types.items(), *((name, pa.string()) for name in _TEXTS)]
    return pa.schema(fields, metadata={"huggingface": json.dumps({"info": {"features": features}})})


class _Shards:
    """Writes rows in groups, and groups into files of some hundred megabytes, named by number and count."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._schema = _schema()
        self._parts: list[Path] = []
        self._rows: list[dict[str, Any]] = []
        self._row_bytes = 0
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> _Shards:
        self._folder.mkdir()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None and (self._rows or not self._parts):
                self._write_group()
        finally:
            if self._writer is not None:
                self._writer.close()
        for number, part in enumerate(self._parts):
            part.rename(self._folder / f"train-{number:05d}-of-{len(self._parts):05d}.parquet")

    def add(self, row: dict[str, Any]) -> None:
        """Take one row; it is written with others."""
        self._rows.append(row)
        self._row_bytes += len(row["image"]["bytes"])
        if self._row_bytes >= _GROUP_BYTES or len(self._rows) >= _GROUP_ROWS:
            self._write_group()

    def _write_group(self) -> None:
        if self._writer is not None and self._parts[-1].stat().st_size >= _SHARD_BYTES:
            self._writer.close()
            self._writer = None
        if self._writer is None:
            self._parts.append(self._folder / f"{len(self._parts):05d}.part")
            self._writer = pq.ParquetWriter(self._parts[-1], self._schema)
        self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
        self._rows, self._row_bytes = [], 0
