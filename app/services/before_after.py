"""Before and after teaching: the same pictures measured with both heads, and a sentence on what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from app.services.fusing import MapReader, reader_for, thresholds_of
from models.config import InspectionConfig
from models.evaluation.histograms import PixelHistograms
from models.evaluation.metrics import RankingMetrics, ranking_metrics

if TYPE_CHECKING:
    from models.calibration import Calibration
    from models.loading import LoadedModel
    from models.reading import PictureMaps

MOST_FORGOTTEN: Final = 0.02  # of the synthetic pictures' pixel average precision
_DECIDING: Final = {"image_ap": "image AP", "pixel_ap": "pixel AP"}
_SAME: Final = 1e-6
_HOW: Final = {"held out": "held-out", "leave one out": "left-out"}


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A picture whose label is known, as one head sees it."""

    maps: PictureMaps
    is_anomalous: bool
    mask: NDArray[np.bool_] | None  # (S, S) at the size of the input; None: the pixels are not known


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """What one head is worth on some pictures; None = does not apply."""

    image_auroc: float | None  # this and the next: in [0, 1]
    image_ap: float | None
    pixel_auroc: float | None  # over pictures whose pixels are known
    pixel_ap: float | None
    iou: float | None  # of all those pixels, at the head's own threshold; None without a threshold or marked pixels
    loss: float | None  # what was minimised, a mean over both labels; None: not measured
    normal: int  # pictures
    anomalous: int


def reader_of_preset(model: LoadedModel) -> MapReader:
    """How a model's maps are read with its preset's own settings, at the size of its input."""
    preset = model.preset
    settings = InspectionConfig(top_k=preset.top_k, blur_sigma=preset.blur_sigma)
    return reader_for(preset, model.layers, model.default_layers, model.image_size, settings)


def measure(
    pictures: Sequence[Judged], reader: MapReader, calibration: Calibration | None, loss: float | None = None
) -> Measures:
    """Measure a head.

    Args:
        pictures: with the head's maps.
        reader: how they are read.
        calibration: the head's; None leaves the IoU out.
        loss: noted as it is.
    """
    threshold = None if calibration is None else thresholds_of(calibration, reader).pixel
    side = (reader.input_px, reader.input_px)
    pixels = PixelHistograms(*reader.reading.fused_range(len(reader.chosen)))
    scores, overlap, union = [], 0, 0
    for picture in pictures:
        anomaly_map = reader.anomaly_map(picture.maps, size_hw=side)
        scores.append(reader.score(picture.maps, anomaly_map))
        if picture.mask is not None:
            pixels.add(anomaly_map, picture.mask)
            if threshold is not None:
                found = anomaly_map >= threshold
                overlap += int((found & picture.mask).sum())
                union += int((found | picture.mask).sum())
    images = ranking_metrics(scores, [picture.is_anomalous for picture in pictures])
    by_pixel = pixels.metrics()
    return _measures(images, by_pixel, overlap / union if union and by_pixel.n_anomalous else None, loss)


def _measures(images: RankingMetrics, pixels: RankingMetrics, iou: float | None, loss: float | None) -> Measures:
    return Measures(
        image_auroc=images.auroc,
        image_ap=images.average_precision,
        pixel_auroc=pixels.auroc,
        pixel_ap=pixels.average_precision,
        iou=iou,
        loss=loss,
        normal=images.n_normal,
        anomalous=images.n_anomalous,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BeforeAfter:
    """Both heads on the pictures kept back and on the synthetic ones."""

    how: str  # "held out", "leave one out", or "none": nothing labelled was new to the parent
    before: Measures | None  # on the pictures kept back; None: there are none
    after: Measures | None
    synthetic_before: Measures
    synthetic_after: Measures

    @property
    def forgotten(self) -> float:
        """How far the synthetic pictures' pixel average precision fell; negative where it rose."""
        before, after = self.synthetic_before.pixel_ap, self.synthetic_after.pixel_ap
        return 0.0 if before is None or after is None else before - after

    def verdict(self) -> tuple[bool, str]:
        """Whether to take the new head, and why, in one sentence."""
        if self.before is None or self.after is None:
            return False, (
                "Every labelled picture had been taught before, so nothing shows whether it got better: compare the "
                "maps, and label pictures that are new to it."
            )
        improved, change = _compared(self.before, self.after)
        count = self.before.normal + self.before.anomalous
        change += f", on {count} {_HOW[self.how]} picture{'s' if count > 1 else ''}"
        if not improved:
            return False, f"It did not get better ({change}): keep the old one."
        if self.forgotten > MOST_FORGOTTEN:
            return False, (
                f"Better on your pictures ({change}), but it forgot: on synthetic ones pixel AP fell by "
                f"{self.forgotten:.3f}; look at the maps before you use it."
            )
        return True, f"It got better: {change}."

    def record(self) -> dict[str, Any]:
        """JSON values for a version's metrics."""
        better, sentence = self.verdict()
        count = 0 if self.before is None else self.before.normal + self.before.anomalous
        return {
            "held_out": {
                "how": self.how,
                "pictures": count,
                "before": None if self.before is None else asdict(self.before),
                "after": None if self.after is None else asdict(self.after),
            },
            "synthetic": {"before": asdict(self.synthetic_before), "after": asdict(self.synthetic_after)},
            "better": better,
            "sentence": sentence,
        }


def _compared(before: Measures, after: Measures) -> tuple[bool, str]:
    """Whether it improved, and the numbers that say so.

    The mean of both average precisions decides, those that there are; where that stayed the same, the loss does.
    """
    pairs = {title: (getattr(before, name), getattr(after, name)) for name, title in _DECIDING.items()}
    known = {title: pair for title, pair in pairs.items() if None not in pair}
    gain = sum(new - old for old, new in known.values())
    change = "; ".join(f"{title} {old:.3f} before, {new:.3f} after" for title, (old, new) in known.items())
    if abs(gain) > _SAME:
        return gain > 0, change
    if before.loss is None or after.loss is None:
        return False, change or "nothing could be measured"
    of_loss = f"loss {before.loss:.3f} before, {after.loss:.3f} after"
    return after.loss < before.loss, f"{change}; {of_loss}" if change else of_loss


def table_of(metrics: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """A version's metrics as rows: pictures, measure, before, after; n/a where a measure does not apply."""
    kept_back, synthetic = metrics.get("held_out") or {}, metrics.get("synthetic") or {}
    how = _HOW.get(str(kept_back.get("how")), "kept back")
    rows = []
    for title, group in ((how, kept_back), ("synthetic", synthetic)):
        before, after = group.get("before") or {}, group.get("after") or {}
        for name, label in (
            ("image_auroc", "image AUROC"),
            ("image_ap", "image AP"),
            ("pixel_auroc", "pixel AUROC"),
            ("pixel_ap", "pixel AP"),
            ("iou", "IoU at the threshold"),
        ):
            rows.append((title, label, _number(before.get(name)), _number(after.get(name))))
    return rows


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"
