"""Random fields.  Low-resolution noise is enlarged rather than filtered, because that is many times faster."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from models.data.synthetic.canvas import FloatMap, LabelMap, axes


def enlarge(small: FloatMap, size_px: int) -> FloatMap:
    """Resample any (h, w) map to (S, S) with a smooth (bicubic) kernel."""
    picture = Image.fromarray(np.ascontiguousarray(small, dtype=np.float32))
    return np.array(picture.resize((size_px, size_px), Image.Resampling.BICUBIC), dtype=np.float32)


def smooth_noise(rng: np.random.Generator, size_px: int, rows: float, columns: float | None = None) -> FloatMap:
    """Smooth noise of mean 0 and standard deviation 1, measured on a sample of its pixels.

    Args:
        rows: bumps from top to bottom, at least 1; more than the picture has pixels is cut to that.
        columns: bumps from left to right; as many as `rows` when absent.
    Returns:
        (S, S).
    """
    grid = [int(np.clip(round(n), 1, size_px)) + 1 for n in (rows, columns if columns is not None else rows)]
    field = enlarge(rng.standard_normal(grid, dtype=np.float32), size_px)
    some = field[:: max(1, size_px // 64), :: max(1, size_px // 64)]
    return np.asarray((field - some.mean()) / max(float(some.std()), 1e-6), dtype=np.float32)


def fractal_noise(
    rng: np.random.Generator, size_px: int, rows: float, *, octaves: int = 4, persistence: float = 0.5
) -> FloatMap:
    """Sum of smooth noises, each twice as fine and `persistence` times as strong; mean 0, deviation about 1."""
    total = np.zeros((size_px, size_px), dtype=np.float32)
    power = 0.0
    for octave in range(octaves):
        if octave > 0 and rows * 2**octave > size_px:
            break
        weight = persistence**octave
        total += np.float32(weight) * smooth_noise(rng, size_px, rows * 2**octave)
        power += weight**2
    return total / np.float32(np.sqrt(power))


def unit_range(field: FloatMap) -> FloatMap:
    """Stretch a field to [0, 1], ignoring the most extreme half percent on either side."""
    low, high = np.quantile(field[::3, ::3], [0.005, 0.995])
    return np.asarray(np.clip((field - low) / max(float(high - low), 1e-6), 0.0, 1.0), dtype=np.float32)


def warped_axes(rng: np.random.Generator, size_px: int, amount: float, rows: float = 4) -> tuple[FloatMap, FloatMap]:
    """Row and column coordinates in picture widths, pushed about by smooth noise of `amount` picture widths."""
    y, x = axes(size_px)
    y = y + np.float32(amount) * smooth_noise(rng, size_px, rows)
    return y, x + np.float32(amount) * smooth_noise(rng, size_px, rows)


def displaced(image: FloatMap, dy_px: FloatMap, dx_px: FloatMap) -> FloatMap:
    """Read a map (S, S) or picture (S, S, 3) at displaced positions, bilinear, mirrored at the border."""
    size_px = image.shape[0]
    rows, columns = np.meshgrid(np.arange(size_px), np.arange(size_px), indexing="ij")
    where = np.stack([rows + dy_px, columns + dx_px])
    if image.ndim == 2:
        flat: FloatMap = ndimage.map_coordinates(image, where, order=1, mode="reflect")
        return flat
    channels = [ndimage.map_coordinates(image[..., c], where, order=1, mode="reflect") for c in range(image.shape[2])]
    return np.stack(channels, axis=-1)


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """A division of the plane into cells around random points."""

    nearest: FloatMap  # (S, S); distance to the nearest point, in cell widths
    second: FloatMap  # (S, S); distance to the one after it
    index: LabelMap  # (S, S); which cell
    count: int

    @property
    def border(self) -> FloatMap:
        """About 0 at the borders of cells and growing inwards, in cell widths."""
        return self.second - self.nearest


def cells(rng: np.random.Generator, y: FloatMap, x: FloatMap, *, jitter: float = 0.9) -> Cells:
    """Divide the plane into Voronoi cells around the points of a jittered unit lattice.

    Args:
        y, x: (S, S) coordinates in cell widths; warp or stretch them for other shapes of cells.
        jitter: 0 = a square lattice, 1 = points anywhere in their square.
    """
    y, x = y - np.float32(y.min() - 1.0), x - np.float32(x.min() - 1.0)
    rows, columns = int(y.max()) + 2, int(x.max()) + 2
    points = 0.5 + jitter * (rng.random((2, rows, columns), dtype=np.float32) - 0.5)
    iy, ix = y.astype(np.int32), x.astype(np.int32)
    nearest = np.full(y.shape, 9.0, dtype=np.float32)
    second, index = nearest.copy(), np.zeros(y.shape, dtype=np.int32)
    py = (points[0] + np.arange(rows, dtype=np.float32)[:, None]).ravel()
    px = (points[1] + np.arange(columns, dtype=np.float32)[None, :]).ravel()
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            label = (iy + dy) * columns + (ix + dx)
            distance = (py[label] - y) ** 2 + (px[label] - x) ** 2
            closer = distance < nearest
            second = np.where(closer, nearest, np.minimum(second, distance))
            nearest = np.where(closer, distance, nearest)
            index = np.where(closer, label, index)
    return Cells(nearest=np.sqrt(nearest), second=np.sqrt(second), index=index, count=rows * columns)
