"""Visual features computed once and kept on disk: what a frozen visual tower says about a picture never changes.

Files in one folder: features.bin, one record a picture (L layers x N patches x D numbers and the global feature, 2.4 MB
for 4 x 784 x 384 in float16), masks.bin (one bit a pixel, apart because masks are corrected and features are not), an
index for each, and key.json.  In memory lie two numbers a picture; a batch is mapped while it is copied.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.backbones.towers import Towers, VisualFeatures
from models.errors import DataError
from models.head_files import replace_file
from models.registry import BackboneSpec
from models.training.checkpoint import tensors_digest
from models.training.record_file import RecordFile

Precision = Literal["float16", "float32"]

_TEXT_PREFIX: Final = "text."


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheKey:
    """Everything apart from the picture that decides what its features are."""

    tower_sha256: str  # of the visual tower's weights, its projection included
    vv_blocks: int
    layers: tuple[int, ...]
    image_px: int
    grid_hw: tuple[int, int]
    dim: int  # D
    mean: tuple[float, ...]  # with which pictures are normalised
    std: tuple[float, ...]
    precision: Precision = "float16"

    @property
    def local_shape(self) -> tuple[int, int, int]:
        """(L, N, D)."""
        return len(self.layers), self.grid_hw[0] * self.grid_hw[1], self.dim

    @property
    def record_bytes(self) -> int:
        """What the features of one picture take on disk."""
        layers, patches, dim = self.local_shape
        return (layers * patches + 1) * dim * np.dtype(self.precision).itemsize

    def text(self) -> str:
        """The key as JSON; equal for equal keys."""
        return json.dumps(asdict(self), sort_keys=True, indent=1)

    @property
    def folder_name(self) -> str:
        """A name that no other key has."""
        return hashlib.sha256(self.text().encode()).hexdigest()[:16]


def key_of(
    towers: Towers, spec: BackboneSpec, layers: tuple[int, ...], image_px: int, precision: Precision = "float16"
) -> CacheKey:
    """The key of what `towers` says about square pictures prepared for `spec`."""
    visual = {name: value for name, value in towers.state_dict().items() if not name.startswith(_TEXT_PREFIX)}
    side = image_px // towers.visual.patch_px
    return CacheKey(
        tower_sha256=tensors_digest(visual),
        vv_blocks=towers.vv_blocks,
        layers=layers,
        image_px=image_px,
        grid_hw=(side, side),
        dim=towers.visual_dim,
        mean=spec.mean,
        std=spec.std,
        precision=precision,
    )


class FeatureCache:
    """The features of pictures under one key, and masks at the size of the input."""

    def __init__(self, folder: Path, key: CacheKey) -> None:
        self.key = key
        self._features = RecordFile(folder / "features.bin", key.record_bytes)
        self._masks = RecordFile(folder / "masks.bin", (key.image_px**2 + 7) // 8)

    @classmethod
    def open(cls, folder: Path, key: CacheKey) -> FeatureCache:
        """Open the cache of a key, or begin it.

        Args:
            folder: of the caches of all keys; made if it is not there.
            key: what the features depend on.
        Raises:
            DataError: the folder cannot be written to, or the cache is damaged.
        """
        own = folder / key.folder_name
        try:
            own.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{own} cannot be made ({error.strerror}); choose another folder.") from error
        replace_file(own / "key.json", key.text().encode())
        return cls(own, key)

    def __len__(self) -> int:
        return len(self._features)

    def get_or_compute(self, digest: str, compute: Callable[[], VisualFeatures]) -> int:
        """The place of a picture's features, which are computed if they are not there.

        Args:
            digest: SHA-256 of the picture, of its file or of its RGB pixels as prepared; hex.
            compute: gives the features of this one picture, B = 1.
        Raises:
            ValueError: the features have another shape than the key says.
            DataError: they do not fit the precision, or cannot be written.
        """
        return self._features.get_or_make(digest, lambda: self._record(compute()))

    def features(self, places: Sequence[int]) -> VisualFeatures:
        """Copy the features of some pictures from disk, in float32 and in the order of `places`."""
        layers, patches, dim = self.key.local_shape
        values = torch.empty(len(places), layers * patches + 1, dim)
        for row, place in zip(values, places, strict=True):
            record = self._features.read(place).view(self.key.precision)
            row.copy_(torch.from_numpy(record.astype(np.float32)).view_as(row))
        return VisualFeatures(
            global_feature=values[:, 0],
            local_features=values[:, 1:].unflatten(1, (layers, patches)),
            grid_hw=self.key.grid_hw,
        )

    def add_mask(self, mask: npt.NDArray[np.bool_]) -> int:
        """The place of a mask, (S, S) at the size of the input; equal masks share one."""
        side = self.key.image_px
        if mask.shape != (side, side):
            raise ValueError(f"masks of this cache are {side} x {side}, got {mask.shape}")
        packed = np.packbits(mask).tobytes()
        return self._masks.get_or_make(hashlib.sha256(packed).hexdigest(), lambda: packed)

    def masks(self, places: Sequence[int]) -> Tensor:
        """Some masks, in the order of `places`: (B, S, S), bool."""
        side = self.key.image_px
        rows = [np.unpackbits(self._masks.read(place), count=side**2) for place in places]
        return torch.from_numpy(np.stack(rows).reshape(-1, side, side).astype(np.bool_))

    def close(self) -> None:
        """Let the files go."""
        self._features.close()
        self._masks.close()

    def _record(self, features: VisualFeatures) -> bytes:
        layers, patches, dim = self.key.local_shape
        expected = (1, layers, patches, dim)
        if tuple(features.local_features.shape) != expected or tuple(features.global_feature.shape) != (1, dim):
            raise ValueError(f"the features of one picture are {expected}, got {tuple(features.local_features.shape)}")
        parts = (features.global_feature.reshape(-1), features.local_features.reshape(-1))
        values = torch.cat(parts).to("cpu", getattr(torch, self.key.precision))
        if not values.isfinite().all():
            raise DataError(
                f"A picture's features do not fit {self.key.precision} or are no numbers; choose float32, and check "
                "the backbone's weights if that does not help."
            )
        return bytes(values.numpy().data)


def features_on(device: torch.device, features: VisualFeatures) -> VisualFeatures:
    """The same features on the device where a head computes."""
    return VisualFeatures(
        global_feature=features.global_feature.to(device),
        local_features=features.local_features.to(device),
        grid_hw=features.grid_hw,
    )


@dataclass(frozen=True, slots=True, eq=False)
class CachedPictures:
    """Training pictures in a cache: where the features and the mask of each lie."""

    cache: FeatureCache
    places: npt.NDArray[np.int64]  # (n, 2): features, mask

    def __len__(self) -> int:
        return len(self.places)

    def batch(self, indices: npt.NDArray[np.int64]) -> tuple[VisualFeatures, Tensor]:
        """The features of some pictures, counted from 0, and their masks (B, S, S)."""
        chosen = self.places[indices]
        return self.cache.features(chosen[:, 0].tolist()), self.cache.masks(chosen[:, 1].tolist())
