"""Layer maps of a whole data set in one file, so that other layers, top-k and smoothing need no backbone."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.errors import DataError
from models.head_files import replace_file
from models.reading import PictureMaps


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LayerMapSet:
    """The layer maps of n pictures with their labels."""

    branch_maps: NDArray[np.float32]  # (n, R, L, gh, gw); R in the order of the method's branches
    layers: tuple[int, ...]  # the L layers, counted from 1
    image_size: int  # side of the model's input, pixels
    names: tuple[str, ...]  # n file names
    groups: tuple[str, ...]  # n, such as "mono" or an anomaly's family
    anomalous: NDArray[np.bool_]  # (n,)
    gt_masks: NDArray[np.bool_] | None = None  # (n, image_size, image_size); None where the data has no masks
    preset: str
    checkpoint: str  # SHA-256 of the head's file, hex
    backbone: str  # where its weights are from
    global_scores: NDArray[np.float32] | None = None  # (n,), of methods that give one

    def picture(self, index: int) -> PictureMaps:
        """One picture's maps."""
        whole = None if self.global_scores is None else float(self.global_scores[index])
        return PictureMaps(self.branch_maps[index], whole)


def stacked(pictures: Sequence[PictureMaps]) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Pictures' maps and global scores as `LayerMapSet` keeps them; at least one picture, all of one method."""
    scores = [maps.global_score for maps in pictures if maps.global_score is not None]
    branch_maps = np.stack([maps.branch_maps for maps in pictures])
    return branch_maps, np.array(scores, dtype=np.float32) if scores else None


def save_layer_maps(path: Path, maps: LayerMapSet) -> None:
    """Write a set as .npz, whole or not at all.

    Raises:
        WeightsError: the folder cannot be written to.
    """
    buffer = io.BytesIO()
    masks = np.zeros((0, 0, 0), dtype=np.bool_) if maps.gt_masks is None else maps.gt_masks
    np.savez(
        buffer,
        layer_maps=maps.branch_maps,
        global_scores=np.zeros(0, np.float32) if maps.global_scores is None else maps.global_scores,
        layers=np.array(maps.layers),
        image_size=np.array(maps.image_size),
        names=np.array(maps.names),
        groups=np.array(maps.groups),
        anomalous=maps.anomalous,
        origin=np.array([maps.preset, maps.checkpoint, maps.backbone]),
        # Eight pixels to a byte: a mask then weighs no more than the layer maps beside it.
        gt_masks=np.packbits(masks, axis=-1),
    )
    replace_file(path, buffer.getvalue())


def read_layer_maps(path: Path) -> LayerMapSet:
    """Read what `save_layer_maps` wrote; no code in the file is run.

    Raises:
        DataError: there is no such file, or it is damaged or of another kind.
    """
    if not path.is_file():
        raise DataError(f"There are no layer maps at {path}; make them with --save-maps DIR.")
    try:
        with np.load(path, allow_pickle=False) as file:
            preset, checkpoint, backbone = (str(text) for text in file["origin"])
            image_size = int(file["image_size"])
            return LayerMapSet(
                branch_maps=_branched(file["layer_maps"]),
                global_scores=_scores(file),
                layers=tuple(int(layer) for layer in file["layers"]),
                image_size=image_size,
                names=tuple(str(name) for name in file["names"]),
                groups=tuple(str(group) for group in file["groups"]),
                anomalous=file["anomalous"],
                gt_masks=_unpacked(file["gt_masks"], image_size),
                preset=preset,
                checkpoint=checkpoint,
                backbone=backbone,
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} holds no layer maps or is damaged; make it again with --save-maps DIR.") from error


def _unpacked(packed: NDArray[np.uint8], image_size: int) -> NDArray[np.bool_] | None:
    if not len(packed):
        return None
    return np.unpackbits(packed, axis=-1, count=image_size).astype(np.bool_)


def _branched(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Maps as they are kept now; files from before there were branches lack that axis."""
    return maps if maps.ndim == 5 else maps[:, None]


def _scores(file: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32] | None:
    return file["global_scores"] if "global_scores" in file and len(file["global_scores"]) else None
