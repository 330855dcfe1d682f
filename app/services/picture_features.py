"""What frozen models say about pictures, computed once and kept on disk: patch tokens and the maps of one preset.

Files in one folder, one record a picture: tokens-KEY.bin (L x N x D in float16, 1.2 MB for 2 x 784 x 384) and
maps-KEY.bin (R x L x gh x gw in float32 and the global score).  KEY names everything that decides what they are.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from app.services.patch_tokens import PatchDescriber
from models.errors import DataError
from models.reading import PictureMaps

if TYPE_CHECKING:
    from torch import Tensor

    from models.data.pictures import Picture
    from models.loading import LoadedModel


class PictureFeatures:
    """Tokens and zero-shot maps by a picture's digest; a second run finds what the first one left."""

    def __init__(self, folder: Path, describer: PatchDescriber, model: LoadedModel) -> None:
        """Open the files of these models, or begin them.

        Args:
            folder: made if it is not there.
            describer: gives the tokens.
            model: gives the zero-shot maps.
        Raises:
            DataError: the folder cannot be written to, or a file's index is damaged.
        """
        from models.training.record_file import RecordFile

        self.describer = describer
        self.model = model
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{folder} cannot be made ({error.strerror}); choose another folder.") from error
        gh, gw = describer.grid_hw
        self._tokens_shape = (len(describer.layers), gh * gw, describer.backbone.width)
        side = model.image_size // model.method.backbone.patch_px
        self._maps_shape = (len(model.branches), len(model.layers), side, side)
        tokens_key = _key("tokens", _weights_digest(describer), describer.image_size, describer.layers)
        maps_key = _key("maps", model.preset.name, model.checkpoint_digest, model.image_size, model.layers)
        self._tokens = RecordFile(folder / f"tokens-{tokens_key}.bin", 2 * int(np.prod(self._tokens_shape)))
        self._maps = RecordFile(folder / f"maps-{maps_key}.bin", 4 * (int(np.prod(self._maps_shape)) + 1))

    def add(self, picture: Picture) -> None:
        """Compute what is not there yet.

        Raises:
            DataError: it cannot be written.
        """
        self._tokens.get_or_make(
            picture.digest, lambda: self.describer.tokens(picture.rgb).numpy().astype(np.float16).tobytes()
        )
        self._maps.get_or_make(picture.digest, lambda: _record(self.model.picture_maps(picture.rgb)))

    def tokens(self, digest: str) -> Tensor:
        """(L, N, D) float32 of a picture that was added, unit length."""
        import torch
        import torch.nn.functional as F

        place = self._tokens.find(digest)
        assert place is not None
        halves = self._tokens.read(place).view(np.float16).reshape(self._tokens_shape)
        return F.normalize(torch.from_numpy(halves.astype(np.float32)), dim=-1)  # float16 has changed their length

    def maps(self, digest: str) -> PictureMaps:
        """The zero-shot maps of a picture that was added."""
        place = self._maps.find(digest)
        assert place is not None
        values = self._maps.read(place).view(np.float32)
        score = float(values[-1])
        return PictureMaps(values[:-1].reshape(self._maps_shape).copy(), None if np.isnan(score) else score)

    def close(self) -> None:
        """Let the files go."""
        self._tokens.close()
        self._maps.close()


def _record(maps: PictureMaps) -> bytes:
    score = np.nan if maps.global_score is None else maps.global_score
    return np.append(maps.branch_maps.astype(np.float32).ravel(), np.float32(score)).tobytes()


def _key(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _weights_digest(describer: PatchDescriber) -> str:
    from models.training.checkpoint import tensors_digest

    return tensors_digest(dict(describer.backbone.state_dict()))
