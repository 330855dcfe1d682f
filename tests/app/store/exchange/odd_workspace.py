"""A workspace with images and masks that formats stumble over, and what it takes to compare two workspaces."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from app.store.exchange.base import Format, Found, Refusal
from app.store.records import DefectClass, Label, Mask, NewRevision, Source
from app.store.workspace import Workspace

HANDS = Source(preset="tiny", checkpoint="abc", settings='{"top_k": 1}')


@dataclass(frozen=True, slots=True, eq=False)
class Odd:
    """One image to annotate."""

    name: str
    data: bytes
    label: Label
    mask: Mask | None
    classes: tuple[DefectClass, ...] = ()
    note: str = ""


def picture(size_hw: tuple[int, int], seed: int, kind: str = "PNG", orientation: int = 0) -> bytes:
    """The file of a picture of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*size_hw, 3), dtype=np.uint8)
    file = io.BytesIO()
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    Image.fromarray(pixels).save(file, format=kind, exif=exif)
    return file.getvalue()


def deep_tiff(size_hw: tuple[int, int]) -> bytes:
    """The file of a 16-bit picture."""
    file = io.BytesIO()
    tifffile.imwrite(file, np.arange(size_hw[0] * size_hw[1], dtype=np.uint16).reshape(size_hw) * 37)
    return file.getvalue()


def blank(size_hw: tuple[int, int], *boxes: tuple[int, int, int, int]) -> Mask:
    """A mask with these boxes x0, y0, x1, y1 marked."""
    mask = np.zeros(size_hw, dtype=np.bool_)
    for x0, y0, x1, y1 in boxes:
        mask[y0:y1, x0:x1] = True
    return mask


def holes() -> Mask:
    """Rings in rings, and two holes that touch at a corner."""
    mask = blank((40, 33), (2, 2, 30, 36))
    mask[5:20, 5:20] = False
    mask[8:17, 8:17] = True
    mask[11:13, 11:13] = False
    mask[25:27, 6:8] = False
    mask[27:29, 8:10] = False
    return mask


def oddities() -> Iterator[Odd]:
    """The images."""
    checkers = np.indices((19, 23)).sum(axis=0) % 2 == 0
    speckled = np.random.default_rng(5).random((37, 41)) < 0.3
    line, diagonal = blank((20, 50), (3, 7, 47, 8)), np.eye(31, dtype=np.bool_)
    touching = blank((16, 16), (2, 2, 8, 8), (8, 8, 13, 13))
    yield Odd("checkers.png", picture((19, 23), 1), "anomalous", checkers, (DefectClass((0, 0), "Prüfmuster, groß"),))
    yield Odd("line.png", picture((20, 50), 2), "anomalous", line, (DefectClass((5, 7), "a/b\\c: \"d\" 'e' <f>"),))
    yield Odd("diagonal.bmp", picture((31, 31), 3, "BMP"), "anomalous", diagonal, note="thin\nand long; ö")
    yield Odd("whole.png", picture((9, 30), 4), "anomalous", np.ones((9, 30), dtype=np.bool_))
    yield Odd("holes.png", picture((40, 33), 5), "anomalous", holes(), (DefectClass((2, 2), "anomaly"),))
    yield Odd("touching.png", picture((16, 16), 6), "anomalous", touching, (DefectClass((12, 12), "good"),))
    two = (DefectClass((1, 1), "no"), DefectClass((20, 20), "😀 null"))
    yield Odd(
        "speckled.png",
        picture((37, 41), 7),
        "anomalous",
        speckled | blank((37, 41), (1, 1, 3, 3), (20, 20, 22, 22)),
        two,
    )
    yield Odd("one.png", picture((1, 1), 8), "anomalous", np.ones((1, 1), dtype=np.bool_))
    yield Odd("turned.jpg", picture((24, 40), 9, "JPEG", 6), "anomalous", blank((40, 24), (0, 30, 5, 40)))
    yield Odd("deep.tif", deep_tiff((21, 34)), "anomalous", blank((21, 34), (33, 20, 34, 21)))
    yield Odd("same.png", picture((8, 8), 10), "anomalous", blank((8, 8), (0, 0, 1, 1)), (DefectClass((0, 0), "CON"),))
    yield Odd("same.png", picture((8, 8), 11), "normal", blank((8, 8)))
    yield Odd("SAME.jpg", picture((8, 8), 12, "JPEG"), "normal", None, note="no mask drawn")
    yield Odd("../../up?.png", picture((8, 8), 13), "unsure", None)
    yield Odd("no ending", picture((12, 8), 14), "unsure", blank((12, 8), (2, 2, 5, 9)), (DefectClass((3, 3), "x"),))
    yield Odd("=unmarked.png", picture((8, 8), 15), "anomalous", None, note="somewhere")


def fill(workspace: Workspace) -> None:
    """Put the images and their annotations into a workspace."""
    for number, odd in enumerate(oddities()):
        digest = workspace.add_image(odd.data, odd.name, author="test").image.digest
        author = f"Zoë {number}"
        workspace.save(digest, NewRevision(odd.label, odd.mask, author, odd.classes, HANDS, odd.note))


def take_in(workspace: Workspace, chosen: Format, folder: Path) -> list[Refusal]:
    """Read a folder into a workspace, as plainly as can be."""
    refused: list[Refusal] = []
    for found in chosen.read(folder, refused.append):
        digest = workspace.add_image(found.data(), found.name, author="reader").image.digest
        if found.label is not None:
            mask = None if found.mask is None else found.mask()
            new = NewRevision(found.label, mask, found.author, found.classes, found.source, found.note)
            workspace.save(digest, new)
    return refused


def contents(workspace: Workspace) -> dict[str, tuple[object, ...]]:
    """What there is to compare, by the images' digests; masks as their bits."""
    found: dict[str, tuple[object, ...]] = {}
    for image, revision in workspace.annotated():
        mask = None if revision.mask_digest is None else workspace.mask(revision.mask_digest)
        bits = None if mask is None else (mask.shape, np.packbits(mask).tobytes())
        said = (image.name, revision.label, revision.author, revision.note, revision.regions)
        found[image.digest] = (*said, revision.source.preset, bits)
    return found


def read_all(chosen: Format, folder: Path) -> tuple[dict[str, Found], list[Refusal]]:
    """What a reader finds, by name."""
    refused: list[Refusal] = []
    return {found.name: found for found in chosen.read(folder, refused.append)}, refused


def marked(found: Found) -> Mask:
    """The mask, which must be there."""
    mask = None if found.mask is None else found.mask()
    assert mask is not None
    return mask
