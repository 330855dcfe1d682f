"""A learner's features of taught pictures, computed once and kept on disk in float16.

Files in one folder per key: features.bin, one record a picture, its index, and key.json.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models.errors import DataError
from models.head_files import replace_file
from models.training.learners import Learner
from models.training.record_file import RecordFile

_BYTES_PER_NUMBER = 2


class TaughtCache:
    """The features of pictures under one learner's key; processes may share it."""

    def __init__(self, folder: Path, feature_size: int) -> None:
        self.folder = folder
        self.feature_size = feature_size
        self._records = RecordFile(folder / "features.bin", feature_size * _BYTES_PER_NUMBER)

    @classmethod
    def open(cls, folder: Path, learner: Learner) -> TaughtCache:
        """Open the cache of what a learner sees, or begin it.

        Args:
            folder: of the caches of all keys; made if it is not there.
            learner: whose features.
        Raises:
            DataError: the folder cannot be written to, or the cache is damaged.
        """
        described = {"learner": learner.key(), "feature_size": learner.feature_size, "precision": "float16"}
        text = json.dumps(described, sort_keys=True, indent=1)
        own = folder / hashlib.sha256(text.encode()).hexdigest()[:16]
        try:
            own.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{own} cannot be made ({error.strerror}); choose another folder.") from error
        replace_file(own / "key.json", text.encode())
        return cls(own, learner.feature_size)

    def __len__(self) -> int:
        return len(self._records)

    def find(self, digest: str) -> int | None:
        """The place of a picture's features; None where they are not there."""
        return self._records.find(digest)

    def get_or_compute(self, digest: str, compute: Callable[[], Tensor]) -> int:
        """The place of a picture's features, which are computed if they are not there.

        Args:
            digest: SHA-256 of the picture's pixels as prepared, hex; a variant has one of its own.
            compute: gives the features of this one picture, (F,) or (1, F).
        Raises:
            ValueError: the features have another size than the learner's.
            DataError: they do not fit float16, or cannot be written.
        """
        return self._records.get_or_make(digest, lambda: self._record(compute()))

    def read(self, places: Sequence[int]) -> Tensor:
        """The features of some pictures in the order of `places`: (B, F) float32.

        Raises:
            DataError: the file has been cut off meanwhile.
        """
        values = torch.empty(len(places), self.feature_size)
        for row, place in zip(values, places, strict=True):
            row.copy_(torch.from_numpy(np.array(self._records.read(place)).view(np.float16)))
        return values

    def close(self) -> None:
        """Let the files go."""
        self._records.close()

    def _record(self, features: Tensor) -> bytes:
        if features.numel() != self.feature_size:
            raise ValueError(f"the features of one picture are {self.feature_size} numbers, got {features.numel()}")
        values = features.reshape(-1).to("cpu", torch.float16)
        if not values.isfinite().all():
            raise DataError("A picture's features do not fit float16 or are no numbers; check the backbone's weights.")
        return values.numpy().tobytes()
