"""The pictures that teaching sees: corrections, replay against forgetting, and synthetic ones that only measure.

An example is made when it is asked for, masks apart, which are small.  S is the side of the model's input.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.services.taught_pictures import TaughtPicture
from app.services.training import CALIBRATION_SEED
from models.data.pictures import SUFFIXES, load_picture, picture_from_bytes
from models.errors import DataError, PictureError

if TYPE_CHECKING:
    from app.store.workspace import Workspace
    from models.data.synthetic import SyntheticSample, World
    from models.training.record_file import RecordFile

Rgb = NDArray[np.uint8]
BoolMask = NDArray[np.bool_]

_COPIES: Final = 2  # of each correction: the picture itself, and one whose label stays true
_REPLAY_SEED: Final = 9_000_000_000_000  # pictures of the train split that no run was trained on
_MOST_OF_A_FOLDER: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticCounts:
    """How many synthetic pictures take part; each costs one look of the backbone, once per backbone and size."""

    replay: int = 24  # of the train split, half of them anomalous
    normals: int = 20  # held out: for calibration, and for what was forgotten
    anomalous: int = 8  # held out: for what was forgotten


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A picture at the size of the input, with what is known about it."""

    digest: str  # of the pixels, or of what decides them; hex
    rgb: Callable[[], Rgb]  # makes (S, S, 3)
    is_anomalous: bool
    bits: NDArray[np.uint8] | None  # the mask's, packed; None: the pixels are not known
    side: int  # S

    def mask(self) -> BoolMask | None:
        """(S, S), True where anomalous; None: the pixels are not known."""
        if self.bits is None:
            return None
        return np.unpackbits(self.bits, count=self.side**2).view(np.bool_).reshape(self.side, self.side)


def correction(workspace: Workspace, picture: TaughtPicture, side: int) -> Example:
    """A labelled picture as it is.

    Raises:
        StoreError: its mask is missing or damaged; later, its file.
    """
    mask = _mask_of(workspace, picture, side)
    return Example(
        digest=_digest(f"picture {picture.pixels} {side}"),
        rgb=partial(_prepared, workspace, picture, side),
        is_anomalous=picture.is_anomalous,
        bits=None if mask is None else np.packbits(mask),
        side=side,
    )


def copies(workspace: Workspace, picture: TaughtPicture, side: int, *, seed: int, flips: bool) -> list[Example]:
    """A labelled picture, and copies of it whose label stays true.

    Raises:
        StoreError: its file or its mask is missing or damaged.
        PictureError: its file cannot be read as a picture.
    """
    found = [correction(workspace, picture, side)]
    for index, (rgb, mask) in enumerate(_varied(workspace, picture, side, seed, flips)):
        found.append(
            Example(
                digest=hashlib.sha256(np.ascontiguousarray(rgb).tobytes()).hexdigest(),
                rgb=partial(_copy, workspace, picture, side, seed, flips, index),  # kept, they would fill the memory
                is_anomalous=picture.is_anomalous,
                bits=None if mask is None else np.packbits(mask),
                side=side,
            )
        )
    return found


def replay(counts: SyntheticCounts, side: int, masks: RecordFile) -> Iterator[Example]:
    """Synthetic pictures to learn from beside the corrections, normal and anomalous in turn."""
    for index in range(counts.replay):
        yield synthetic("train", _REPLAY_SEED + index, side, masks, anomalous=index % 2 == 1)


def measured_synthetic(counts: SyntheticCounts, side: int, masks: RecordFile) -> Iterator[Example]:
    """Held-out synthetic pictures, never learnt from: the normal ones first."""
    for index in range(counts.normals):
        yield synthetic("held_out", CALIBRATION_SEED + index, side, masks, anomalous=False)
    for index in range(counts.anomalous):
        yield synthetic("held_out", CALIBRATION_SEED + index, side, masks, anomalous=True)


def synthetic(split: str, seed: int, side: int, masks: RecordFile, *, anomalous: bool) -> Example:
    """One synthetic picture.

    Args:
        split: "train" or "held_out".
        seed: of the picture.
        side: S.
        masks: keeps their masks, so that the picture is made only where its features are missing.
        anomalous: whether it is to be so.
    Raises:
        DataError: `masks` cannot be used.
    """
    from models.data.synthetic import World

    world = World(split="train" if split == "train" else "held_out", anomalous_share=float(anomalous))
    digest = _digest(f"synthetic {_world_digest()} {split} {seed} {side} {anomalous}")
    place = masks.get_or_make(digest, lambda: np.packbits(_sample(seed, world, side).mask).tobytes())
    bits = np.array(masks.read(place))
    return Example(digest, partial(_synthetic_rgb, seed, world, side), anomalous, bits, side)


def mask_file(folder: Path, side: int) -> RecordFile:
    """Where the masks of synthetic pictures of a size are kept.

    Raises:
        DataError: the folder cannot be used.
    """
    from models.training.record_file import RecordFile

    return RecordFile(folder / f"synthetic_masks_{side}.bin", (side**2 + 7) // 8)


def of_folder(folder: Path, side: int) -> Iterator[Example]:
    """Pictures of normal objects, at most 16 of a folder and what lies below it, drawn by their names.

    Raises:
        DataError: there is no such folder, or it holds no picture that can be read.
    """
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder} to replay; check the path, or leave it out.")
    paths = [path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()]
    found = 0
    for path in sorted(paths, key=lambda one: _digest(str(one.relative_to(folder)))):
        if found == _MOST_OF_A_FOLDER:
            return
        try:
            rgb = _resized(load_picture(path).rgb, side)
        except PictureError:
            continue
        found += 1
        yield Example(
            digest=hashlib.sha256(rgb.tobytes()).hexdigest(),
            rgb=partial(_of_path, path, side),
            is_anomalous=False,
            bits=np.packbits(np.zeros((side, side), dtype=np.bool_)),
            side=side,
        )
    if not found:
        raise DataError(f"{folder} holds no picture that can be read; choose another folder to replay.")


def _varied(
    workspace: Workspace, picture: TaughtPicture, side: int, seed: int, flips: bool
) -> list[tuple[Rgb, BoolMask | None]]:
    from models.training.learning_variants import variants

    rgb, mask = _prepared(workspace, picture, side), _mask_of(workspace, picture, side)
    return variants(rgb, mask, _COPIES, seed, flips)[1:]


def _copy(workspace: Workspace, picture: TaughtPicture, side: int, seed: int, flips: bool, index: int) -> Rgb:
    return _varied(workspace, picture, side, seed, flips)[index][0]


def _prepared(workspace: Workspace, picture: TaughtPicture, side: int) -> Rgb:
    """As a model's input is prepared, before it is normalised."""
    return _resized(picture_from_bytes(workspace.image_bytes(picture.digest), picture.name).rgb, side)


def _mask_of(workspace: Workspace, picture: TaughtPicture, side: int) -> BoolMask | None:
    if not picture.is_anomalous:
        return np.zeros((side, side), dtype=np.bool_)
    return None if picture.mask_digest is None else shrunk(workspace.mask(picture.mask_digest), side)


def shrunk(mask: BoolMask, side: int) -> BoolMask:
    """A mask at the size of the input: marked where at least half of a pixel is, and never all lost."""
    grey = Image.fromarray(mask.astype(np.uint8) * 255).resize((side, side), Image.Resampling.BOX)
    values = np.asarray(grey)
    half: BoolMask = values >= 128
    if half.any() or not mask.any():
        return half
    rows, columns = np.nonzero(mask)  # too small to be seen: the pixels that it falls into
    half = half.copy()
    half[rows * side // mask.shape[0], columns * side // mask.shape[1]] = True
    return half


def _resized(rgb: Rgb, side: int) -> Rgb:
    return np.array(Image.fromarray(rgb).resize((side, side), Image.Resampling.BICUBIC))  # writable, as torch wants it


def _synthetic_rgb(seed: int, world: World, side: int) -> Rgb:
    return _sample(seed, world, side).image


@lru_cache(maxsize=1)  # the mask is asked for first, the picture right after it
def _sample(seed: int, world: World, side: int) -> SyntheticSample:
    from models.data.synthetic import sample

    return sample(seed, world, side)


def _of_path(path: Path, side: int) -> Rgb:
    return _resized(load_picture(path).rgb, side)


@cache
def _world_digest() -> str:
    """SHA-256 of the synthetic world's code: another world's pictures are others under the same seeds."""
    import models.data.synthetic as package

    digest = hashlib.sha256()
    for path in sorted(Path(str(package.__file__)).parent.glob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
