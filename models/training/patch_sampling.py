"""A part of a picture's patches for a step: every so many-th along each side, with the masks that belong to them.

B images, (gh, gw) patch grid, N = gh * gw.  The loss of a part, drawn anew at every step, is that of the whole on
average, and costs as much less as there are fewer patches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from models.training.daclip_loop import shrunk_masks

CELLS_PER_PATCH: Final = 4  # along a side, where maps and masks are compared; finer costs and teaches no more


@dataclass(frozen=True, slots=True, eq=False)
class PatchSample:
    """Which patches of a square grid are looked at."""

    side: int  # of the whole grid
    rows: Tensor  # ascending
    columns: Tensor  # ascending

    @property
    def is_whole(self) -> bool:
        """All of them are."""
        return len(self.rows) == len(self.columns) == self.side

    @property
    def grid_hw(self) -> tuple[int, int]:
        """The grid that they form among themselves."""
        return len(self.rows), len(self.columns)

    @property
    def places(self) -> Tensor:
        """(N,), theirs among the patches of the whole grid, row by row."""
        return (self.rows.unsqueeze(1) * self.side + self.columns).flatten()

    def of_patches(self, patches: Tensor) -> Tensor:
        """Their tokens (..., n, d) out of all patches' (..., N, d)."""
        if self.is_whole:
            return patches
        return patches.index_select(-2, self.places.to(patches.device))

    def of_maps(self, maps: Tensor) -> Tensor:
        """Their values (..., gh, gw) out of whole maps."""
        rows, columns = self.rows.to(maps.device), self.columns.to(maps.device)
        return maps.index_select(-2, rows).index_select(-1, columns)

    def of_masks(self, masks: Tensor) -> Tensor:
        """Their cells (B, 4 gh, 4 gw) out of whole masks (B, S, S), True where anything in a cell is anomalous."""
        cells = shrunk_masks(masks, self.side * CELLS_PER_PATCH)
        if self.is_whole:
            return cells
        by_patch = cells.unflatten(2, (self.side, -1)).unflatten(1, (self.side, -1))  # (B, rows, 4, columns, 4)
        rows, columns = self.rows.to(masks.device), self.columns.to(masks.device)
        chosen: Tensor = by_patch.index_select(1, rows).index_select(3, columns)
        return chosen.flatten(3, 4).flatten(1, 2)

    def over_cells(self, maps: Tensor, row_axis: int) -> Tensor:
        """Maps as they are compared with cells: chosen patches are no neighbours, so each stands for its own cells.

        Args:
            maps: of the chosen patches.
            row_axis: that of their rows; their columns follow.
        Returns:
            Maps of cells; of a whole grid the maps as they are, which the losses interpolate.
        """
        if self.is_whole:
            return maps
        tall = maps.repeat_interleave(CELLS_PER_PATCH, dim=row_axis)
        return tall.repeat_interleave(CELLS_PER_PATCH, dim=row_axis + 1)


def draw_patches(side: int, stride: int) -> PatchSample:
    """Draw where to begin from torch's generator; a stride of 1 takes all patches and draws nothing."""
    if stride == 1:
        return PatchSample(side, torch.arange(side), torch.arange(side))
    first = torch.randint(min(stride, side), (2,)).tolist()
    return PatchSample(side, *(torch.arange(start, side, stride) for start in first))
