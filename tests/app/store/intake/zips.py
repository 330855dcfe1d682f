"""Zips as nobody's program writes them: made with zipfile, then changed byte by byte."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

Entry = tuple[str | zipfile.ZipInfo, bytes]


def write_zip(path: Path, *entries: Entry, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return path


def unix_entry(name: str, mode: int) -> zipfile.ZipInfo:
    """An entry that states a Unix mode, such as that of a link."""
    entry = zipfile.ZipInfo(name)
    entry.create_system = 3
    entry.external_attr = mode << 16
    return entry


def change(path: Path, signature: bytes, offset: int, value: bytes, *, nth: int = 0) -> None:
    """Overwrite bytes `offset` after the nth place where a header's signature stands."""
    data = bytearray(path.read_bytes())
    start = -1
    for _ in range(nth + 1):
        start = data.index(signature, start + 1)
    data[start + offset : start + offset + len(value)] = value
    path.write_bytes(data)


LOCAL = b"PK\x03\x04"
CENTRAL = b"PK\x01\x02"
END = b"PK\x05\x06"


def state_sizes(path: Path, *, unpacked: int, nth: int = 0) -> None:
    """Let both headers of an entry lie about its unpacked size."""
    change(path, LOCAL, 22, struct.pack("<I", unpacked), nth=nth)
    change(path, CENTRAL, 24, struct.pack("<I", unpacked), nth=nth)


def set_flags(path: Path, flags: int, *, nth: int = 0) -> None:
    change(path, LOCAL, 6, struct.pack("<H", flags), nth=nth)
    change(path, CENTRAL, 8, struct.pack("<H", flags), nth=nth)


def png(height: int, width: int, seed: int = 0) -> bytes:
    """A picture of noise: no two seeds give the same bytes."""
    rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return encoded(rgb)


def mask_png(mask: np.ndarray) -> bytes:
    """A bool mask as the usual 8-bit picture of 0 and 255."""
    return encoded(mask.astype(np.uint8) * np.uint8(255))


def encoded(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(values).save(file, format="PNG")
    return file.getvalue()
