"""What was seen of images when somebody asked what to label next: kept in the workspace, so that it is seen once.

teaching/descriptors/descriptors-KEY.bin   one row of float16 an image: what it looks like to a frozen backbone (1.5 KB)
teaching/descriptors/looks-2.bin           two float32 an image, preset and checkpoint: how uncertain, how contradictory

Files are opened for each call, because the steps of one generator may run in different threads.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from app.services.benefit import Descriptors, Numbers, disagreement_of_layers, uncertainty
from app.services.colours import around, log_odds
from app.services.fusing import reader_of, thresholds_of
from app.services.scores import top_fraction_mean
from models.errors import DataError
from models.presets import NEAREST_PATCH_PRESET
from models.registry import get_backbone_spec, get_preset

if TYPE_CHECKING:
    from app.services.inspection import Inspection
    from app.services.patch_tokens import PatchDescriber
    from models.data.pictures import Picture
    from models.loading import LoadedModel
    from models.training.record_file import RecordFile

DESCRIPTOR_PX: Final = 224  # side of the input; what an image is like is seen at this size
MOST_DESCRIBED: Final = 20_000  # images, 30 MB; those beyond are ordered without
_MOST_LOOKS: Final = 1_000_000  # 8 MB; then old checkpoints' are forgotten by beginning anew
_POOLING: Final = "unit mean and unit maximum of the last layer's unit tokens"


class Looks:
    """The kept looks of one workspace."""

    def __init__(self, folder: Path) -> None:
        """Prepare; nothing is read or made yet."""
        preset = get_preset(NEAREST_PATCH_PRESET)
        spec = get_backbone_spec(preset.backbone)
        made_by = json.dumps([spec.name, DESCRIPTOR_PX, preset.default_layers[-1], _POOLING])
        self.size = 2 * spec.width
        self._descriptors = folder / f"descriptors-{hashlib.sha256(made_by.encode()).hexdigest()[:16]}.bin"
        self._looks = folder / "looks-2.bin"

    def describe(self, digest: str, make: Callable[[], Descriptors]) -> None:
        """Keep what an image looks like, unless it is known or the file is full.

        Args:
            digest: of the image.
            make: gives its descriptor, (D,).
        Raises:
            DataError: it cannot be written.
        """
        with self._open(self._descriptors, 2 * self.size) as file:
            if file.find(digest) is None and len(file) < MOST_DESCRIBED:
                file.get_or_make(digest, lambda: make().astype(np.float16).tobytes())

    def descriptors(self, digests: Sequence[str]) -> Descriptors:
        """(n, D) float32; rows of NaN where an image was not described."""
        return self._read(self._descriptors, np.dtype(np.float16), self.size, digests)

    def keep(self, look_id: str, uncertain: float, disagreement: float) -> None:
        """Keep what a model's look at an image gave; NaN = unknown.

        Raises:
            DataError: it cannot be written.
        """
        with self._open(self._looks, 8) as file:
            is_full = len(file) >= _MOST_LOOKS
        if is_full:
            for path in (self._looks, self._looks.with_suffix(".index")):
                path.unlink(missing_ok=True)
        with self._open(self._looks, 8) as file:
            file.get_or_make(look_id, np.array([uncertain, disagreement], np.float32).tobytes)

    def kept(self, look_ids: Sequence[str]) -> Numbers:
        """(n, 2): how uncertain and how contradictory; NaN where nothing is kept or known."""
        return self._read(self._looks, np.dtype(np.float32), 2, look_ids).astype(np.float64)

    def has(self, look_id: str) -> bool:
        """Whether this look is kept."""
        if not self._looks.exists():
            return False
        with self._open(self._looks, 8) as file:
            return file.find(look_id) is not None

    def _read(self, path: Path, kind: np.dtype[Any], width: int, names: Sequence[str]) -> Descriptors:
        """(n, width) float32 of n records; rows of NaN where there is none."""
        found = np.full((len(names), width), np.nan, dtype=np.float32)
        if not path.exists():
            return found
        with self._open(path, kind.itemsize * width) as file:
            places = {row: place for row, name in enumerate(names) if (place := file.find(name)) is not None}
        if places:  # all at once: a map for each of 10,000 records would take seconds
            whole = np.memmap(path, kind, mode="r", shape=(max(places.values()) + 1, width))
            found[list(places)] = whole[list(places.values())]
        return found

    @contextmanager
    def _open(self, path: Path, record_bytes: int) -> Iterator[RecordFile]:
        from models.training.record_file import RecordFile

        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{path.parent} cannot be made ({error.strerror}); check its permissions.") from error
        file = RecordFile(path, record_bytes)
        try:
            yield file
        finally:
            file.close()


def look_id(preset: str, checkpoint: str, settings: str, image_digest: str) -> str:
    """The name of one model's look at one image."""
    return hashlib.sha256(json.dumps([preset, checkpoint, settings, image_digest]).encode()).hexdigest()


def descriptor_of(picture: Picture, describer: PatchDescriber) -> Descriptors:
    """What a picture looks like, as a vector of length 1: (2 d,).

    The mean of its patch tokens says what is shown, their maximum what stands out; each has a half.
    """
    tokens = describer.tokens(picture.rgb)[-1].numpy()
    pooled = [tokens.mean(axis=0), tokens.max(axis=0)]
    halves = [part / max(float(np.linalg.norm(part)), 1e-12) for part in pooled]
    vector: Descriptors = (np.concatenate(halves) / np.sqrt(2.0)).astype(np.float32)
    return vector


def uncertain_in(inspection: Inspection) -> float:
    """How near an inspection's score lies to its threshold, in [0, 1]; NaN = its calibration does not say."""
    thresholds, line = inspection.thresholds, inspection.score_threshold
    if thresholds is None or line is None:
        return float("nan")
    score, suspicious = inspection.image_score, thresholds.suspicious
    if get_preset(inspection.preset).reading.gives_probabilities:
        score, line, suspicious = (float(log_odds(value)) for value in (score, line, suspicious))
    return uncertainty(score, line, line - suspicious) if line > suspicious else float("nan")


def disagreement_in(inspection: Inspection, model: LoadedModel) -> float:
    """How far the chosen layers of an inspection contradict each other, in [0, 1]; NaN = nothing to compare.

    Args:
        inspection: by this model, without references.
        model: whose calibration says what each layer alone calls normal and anomalous.
    """
    is_this_model = model.checkpoint_digest == inspection.checkpoint
    if model.calibration is None or not is_this_model or len(inspection.layers) < 2 or inspection.references:
        return float("nan")
    reader = reader_of(model, inspection.settings)
    gh, gw = inspection.maps.branch_maps.shape[-2:]
    shares = []
    for layer in inspection.layers:
        single = replace(reader, chosen=(layer,))
        thresholds = thresholds_of(model.calibration, single)
        score = top_fraction_mean(single.anomaly_map(inspection.maps, size_hw=(2 * gh, 2 * gw)), single.top_k)
        in_odds = model.preset.reading.gives_probabilities
        shares.append(around(thresholds.normal_level, thresholds.pixel, in_odds=in_odds).share_of(score))
    return disagreement_of_layers(shares)
