"""A folder of unlabelled pictures of the same object judge each other, as long as most of them are normal.

Tokens lie in a file of a temporary folder (1.2 MB a picture of 2 x 784 patches in float16), so that 1,000 pictures need
1.2 GB of disk.  In memory are at any time one picture, the tokens of two, the distances of one to those it is compared
with (6 kB each), and the maps of all (6 kB each).
Source: `models.methods.mutual`.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from app.services.colours import around, common_scale
from app.services.concluding import Cost, conclude
from app.services.fusing import MapReader, reader_of
from app.services.inspection import Inspection
from app.services.patch_tokens import PatchDescriber, reference_model
from app.services.reference_fusing import Units
from app.services.reference_inspection import Sight, calibration_of
from app.services.reports import Track, untracked
from models.data.pictures import MAX_PIXELS, load_picture
from models.errors import DataError, PictureError
from models.presets import NEAREST_PATCH_PRESET
from models.reading import PictureMaps

if TYPE_CHECKING:
    from torch import Tensor

    from models.config import InspectionConfig

FEWEST_PICTURES: Final = 3
DEFAULT_OTHERS: Final = 64
_MAD_TO_DEVIATION: Final = 1.4826
_SUSPICIOUS_SIGMAS, _ANOMALOUS_SIGMAS = 1.2816, 2.0537  # below which 90 % and 98 % of a normal distribution lie
_LEAST_SPREAD: Final = 0.05  # of the median score, so that pictures that are all but equal are not told apart


@dataclass(frozen=True, slots=True, kw_only=True)
class MutualOptions:
    """How pictures are compared."""

    compare_with: int | None = DEFAULT_OTHERS  # each with so many others at most; None = with all
    lowest_share: float = 0.3  # of the others, the nearest for each patch, whose distances are averaged
    seed: int = 0  # of the draw of the others


@dataclass(frozen=True, slots=True)
class MutualResult:
    """One picture's result, or what was wrong with it."""

    path: Path
    inspection: Inspection | None
    error: str = ""


def inspect_each_other(
    paths: Sequence[Path],
    describer: PatchDescriber,
    settings: InspectionConfig,
    options: MutualOptions | None = None,
    *,
    max_pixels: int = MAX_PIXELS,
    track: Track = untracked,
) -> Iterator[MutualResult]:
    """Score pictures by how far their patches are from those of the others; results come in the order of `paths`.

    Map, score and thresholds are in units of the batch: 0 is its median pixel, 1 lies 2.05 deviations above its median
    score, the deviation told from the median distance to that median, so that a third of defects does no harm.

    Args:
        paths: picture files.
        describer: the backbone.
        settings: layers, top-k, smoothing and threshold, of `nearest-patch`.
        options: how pictures are compared.
        max_pixels: larger pictures are refused.
        track: shows progress.
    Raises:
        DataError: fewer than three pictures can be read, or the settings name a layer that there is not.
    """
    options = options or MutualOptions()
    model = reference_model(NEAREST_PATCH_PRESET, describer)
    reader = reader_of(model, settings)
    with tempfile.TemporaryDirectory(prefix="mutual-") as folder:
        tokens = TokenFile(Path(folder) / "tokens.bin", describer)
        errors = _described(paths, tokens, max_pixels, track)
        if len(tokens) < FEWEST_PICTURES:
            reason = next(iter(errors.values()), "")
            raise DataError(
                f"Mutual scoring needs at least {FEWEST_PICTURES} pictures of the same object, got {len(tokens)} that "
                f"can be read; add some{f' ({reason})' if reason else ''}."
            )
        maps = _compared(tokens, describer, options, track)
    scale = BatchScale(maps, reader, describer)
    readable = iter(maps)
    for path in paths:
        if path in errors:
            yield MutualResult(path, None, errors[path])
            continue
        start_s = time.perf_counter()
        of_picture = next(readable)
        picture = load_picture(path, max_pixels=max_pixels)
        raw = reader.anomaly_map(of_picture, size_hw=(picture.rgb.shape[0], picture.rgb.shape[1]))
        anomaly_map = scale.units.of_map(raw)
        anomaly_map.flags.writeable = False
        score = reader.score(of_picture, anomaly_map)
        yield MutualResult(
            path,
            conclude(
                picture,
                NEAREST_PATCH_PRESET,
                model,
                settings,
                reader,
                Sight(
                    maps=of_picture,
                    reader=reader,
                    anomaly_map=anomaly_map,
                    image_score=score,
                    thresholds=scale.thresholds,
                ),
                of_picture,
                cost=Cost(0.0, start_s, from_cache=False),
                layer_scale=scale.of_layers,
                note=_note(len(maps), options),
            ),
        )


class TokenFile:
    """Patch tokens of many pictures on disk, read one picture at a time."""

    def __init__(self, path: Path, describer: PatchDescriber) -> None:
        """Begin a file."""
        gh, gw = describer.grid_hw
        self._path = path
        self._describer = describer
        self._shape = (len(describer.layers), gh * gw, describer.backbone.width)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, rgb: np.ndarray) -> None:
        """Describe a picture (H, W, 3) and keep its tokens.

        Raises:
            DataError: there is no room on the disk.
        """
        values = self._describer.tokens(rgb).numpy().astype(np.float16)
        try:
            with self._path.open("ab") as file:
                file.write(values.tobytes())
        except OSError as error:
            raise DataError(
                f"{self._path.parent} cannot hold the tokens ({error.strerror}); they need "
                f"{values.nbytes / 1e6:.1f} MB a picture: set TMPDIR to a larger disk."
            ) from error
        self._count += 1

    def read(self, index: int) -> Tensor:
        """(L, N, D) float32 of one picture, unit length."""
        import torch
        import torch.nn.functional as F

        size = int(np.prod(self._shape))
        halves = np.fromfile(self._path, np.float16, count=size, offset=2 * size * index)
        return F.normalize(torch.from_numpy(halves.astype(np.float32).reshape(self._shape)), dim=-1)


class BatchScale:
    """What scores of a batch mean, told from the batch itself."""

    def __init__(self, maps: Sequence[PictureMaps], reader: MapReader, describer: PatchDescriber) -> None:
        """Work the units out for a reader's settings."""
        from models.calibration import ANOMALOUS_QUANTILE, Thresholds

        model = reference_model(NEAREST_PATCH_PRESET, describer)
        each = [calibration_of(one, model) for one in maps]

        def units(layers: tuple[int, ...]) -> tuple[Units, float]:
            found = [one.thresholds(layers, top_k=reader.top_k, blur_sigma=reader.blur_sigma) for one in each]
            suspicious, anomalous = robust_limits([one.anomalous for one in found])
            return Units(float(np.median([one.normal_level for one in found])), anomalous), suspicious

        self.units, suspicious = units(reader.chosen)
        self.thresholds = Thresholds(self.units.of(suspicious), 1.0, 0.0, ANOMALOUS_QUANTILE)
        scales = [around(single.normal, single.threshold) for single, _ in map(units, ((n,) for n in reader.available))]
        self.of_layers = common_scale(scales)


def robust_limits(scores: Sequence[float]) -> tuple[float, float]:
    """Where suspicious and anomalous begin in a batch of mostly normal scores.

    Args:
        scores: at least one, 0 or more.
    Returns:
        Median + 1.28 and + 2.05 deviations: 90 % and 98 % of normally distributed scores lie below.
    """
    values = np.asarray(scores, dtype=np.float64)
    median = float(np.median(values))
    deviation = max(_MAD_TO_DEVIATION * float(np.median(np.abs(values - median))), _LEAST_SPREAD * median)
    return median + _SUSPICIOUS_SIGMAS * deviation, median + _ANOMALOUS_SIGMAS * deviation


def _described(paths: Sequence[Path], tokens: TokenFile, max_pixels: int, track: Track) -> dict[Path, str]:
    """Describe every picture; what is wrong with those that cannot be read."""
    errors: dict[Path, str] = {}
    for path in track(paths, desc="describing", total=len(paths)):
        try:
            picture = load_picture(path, max_pixels=max_pixels)
        except PictureError as error:
            errors[path] = str(error)
            continue
        tokens.add(picture.rgb)
    return errors


def _compared(tokens: TokenFile, describer: PatchDescriber, options: MutualOptions, track: Track) -> list[PictureMaps]:
    from models.methods.mutual import mutual_maps

    found = mutual_maps(
        tokens.read,
        len(tokens),
        lowest_share=options.lowest_share,
        compare_with=options.compare_with,
        seed=options.seed,
    )
    return [
        PictureMaps(distances.unflatten(1, describer.grid_hw).unsqueeze(0).numpy())
        for distances in track(found, desc="comparing", total=len(tokens))
    ]


def _note(count: int, options: MutualOptions) -> str:
    others = count - 1 if options.compare_with is None else min(options.compare_with, count - 1)
    return (
        f"mutual scoring: compared with {others} of the {count - 1} other pictures, most of which must be normal; 0 is "
        "the level of their pixels and 1 the threshold"
    )
