"""The masks of data sets at a model's size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.data.datasets.samples import Sample
from models.errors import PictureError


def read_mask(sample: Sample, size_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """A sample's mask, (H, W) as asked: any value above 0 is anomalous, nearest neighbour; empty where there is none.

    Raises:
        PictureError: the mask cannot be read.
    """
    height, width = size_hw
    if sample.mask_path is None:
        return np.zeros(size_hw, dtype=np.bool_)
    try:
        with Image.open(sample.mask_path) as picture:
            grey = picture if picture.mode in ("1", "L", "P", "I", "I;16") else picture.convert("L")
            marked = Image.fromarray(np.asarray(grey) > 0)
    except OSError as error:
        raise PictureError(f"The mask {sample.mask_path} cannot be read ({error}); copy it again.") from error
    resized: NDArray[np.bool_] = np.asarray(marked.resize((width, height), Image.Resampling.NEAREST)) > 0
    return resized
