"""A sheet of samples with their masks outlined, for judging the world by eye."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from models.data.synthetic.canvas import BoolMap
from models.data.synthetic.world import World, sample

OUTLINE = (255, 0, 0)


def outlined(image: NDArray[np.uint8], mask: BoolMap) -> NDArray[np.uint8]:
    """Draw a thin line around a mask, one pixel away from it so that it hides nothing.

    Args:
        image: (S, S, 3).
        mask: (S, S).
    """
    near, nearer = ndimage.binary_dilation(mask, iterations=2), ndimage.binary_dilation(mask, iterations=1)
    drawn = image.copy()
    drawn[near & ~nearer] = OUTLINE
    return drawn


def contact_sheet(world: World, *, size_px: int, count: int, seed: int = 0) -> NDArray[np.uint8]:
    """Lay samples side by side, about as many rows as columns.

    Args:
        size_px: side of each sample.
        count: how many, 1 or more.
        seed: of the first sample; the others follow.
    Returns:
        (rows * size_px, columns * size_px, 3); places left over are black.
    """
    columns = int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    sheet = np.zeros((rows * size_px, columns * size_px, 3), dtype=np.uint8)
    for number in range(count):
        made = sample(seed + number, world, size_px)
        top, left = number // columns * size_px, number % columns * size_px
        sheet[top : top + size_px, left : left + size_px] = outlined(made.image, made.mask)
    return sheet
