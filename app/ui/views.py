"""From an inspection to what the page shows: plain values, every number with its unit and how it came about."""

from __future__ import annotations

from typing import Any

from app.services.colours import fused_scale
from app.services.inspection import Inspection
from app.services.scores import top_fraction_count
from models.registry import PRESETS

_TITLES = {
    "normal": "Normal",
    "suspicious": "Suspicious",
    "anomalous": "Anomalous",
    "uncalibrated": "Uncalibrated",
}

TABLE_HEADERS = ["No.", "Area (px)", "Area (%)", "Peak (map)", "Box (px)"]


def empty_verdict() -> dict[str, Any]:
    """What the verdict panel shows before the first picture."""
    return {
        "tone": "empty",
        "score": "–",
        "unit": "image score",
        "verdict": "No picture yet",
        "how": "Drop, paste or photograph a picture on the left, or pick an example: it is inspected at once.",
        "spent": "",
        "suspicious_at": 100,
        "above_threshold": 0,
        "threshold_at": 100,
        "score_at": -10,
        "gauge_title": "",
    }


def verdict_value(inspection: Inspection) -> dict[str, Any]:
    """What the verdict panel shows for a result."""
    scale = fused_scale(inspection)

    def at(value: float) -> float:
        return round(100.0 * min(1.0, max(0.0, (value - scale.low) / (scale.high - scale.low))), 1)

    threshold_at = 100.0 if inspection.threshold is None else at(inspection.threshold)
    thresholds = inspection.thresholds
    suspicious_at = threshold_at if thresholds is None else min(threshold_at, at(thresholds.suspicious))
    return {
        "tone": inspection.verdict,
        "score": f"{inspection.image_score:.2f}".replace("-", "\N{MINUS SIGN}"),
        "unit": "image score",
        "verdict": _TITLES[inspection.verdict],
        "how": how_scored(inspection),
        "spent": time_spent(inspection),
        "suspicious_at": suspicious_at,
        "above_threshold": round(100.0 - threshold_at, 1),
        "threshold_at": threshold_at,
        "score_at": at(inspection.image_score),
        "gauge_title": f"Scale from {scale.low:.2f} (normal pixels) to {scale.high:.2f}",
    }


def how_scored(inspection: Inspection) -> str:
    """One line: what was averaged, and what the threshold means."""
    share = f"{inspection.settings.top_k * 100:.3g} %"
    pixels = inspection.anomaly_map.size
    count = top_fraction_count(pixels, inspection.settings.top_k)
    averaged = f"Mean of the highest {share} of {pixels:,} pixels ({count:,})."
    return f"{averaged} {_threshold_sentence(inspection)}"


def _threshold_sentence(inspection: Inspection) -> str:
    thresholds = inspection.thresholds
    by_hand = inspection.settings.threshold is not None
    if inspection.threshold is None or (thresholds is None and not by_hand):
        return "This checkpoint has no calibrated threshold; set one by hand to get a verdict."
    if by_hand:
        calibrated = "" if thresholds is None else f" (calibrated: {thresholds.anomalous:.2f})"
        return f"Threshold {inspection.threshold:.2f}, set by hand{calibrated}."
    assert thresholds is not None
    quantile = f"{thresholds.normal_quantile * 100:.3g} %"
    return f"Threshold {inspection.threshold:.2f} = above {quantile} of held-out normal pictures."


def time_spent(inspection: Inspection) -> str:
    """One line: the picture's size and the time spent on it."""
    height, width = inspection.anomaly_map.shape
    model = f"model {inspection.forward_s:.2f} s" + (" (remembered)" if inspection.from_cache else "")
    return f"{width:,} × {height:,} px · {model} · all {inspection.total_s:.2f} s"


def weights_sentence(inspection: Inspection) -> str:
    """One plain sentence: which weights were used."""
    layers = ", ".join(str(layer) for layer in inspection.layers)
    note = f" {inspection.picture.note}" if inspection.picture.note else ""
    return (
        f"{PRESETS[inspection.preset].title}; layers {layers}; backbone weights from {inspection.backbone}; "
        f"head {inspection.checkpoint[:12]} (SHA-256).{note}"
    )


def region_rows(inspection: Inspection) -> list[list[str]]:
    """The table of regions, the largest first; the numbers are those in the overlay."""
    pixels = inspection.anomaly_map.size
    return [
        [
            str(number),
            f"{region.area_px:,}",
            f"{100.0 * region.area_px / pixels:.2f}",
            f"{region.peak:.2f}",
            "{}, {} – {}, {}".format(*region.box_xyxy),
        ]
        for number, region in enumerate(inspection.regions, start=1)
    ]


def regions_heading(inspection: Inspection) -> str:
    """How many regions there are and how much of the picture they cover."""
    if inspection.threshold is None:
        return "No threshold, so no regions; set a threshold by hand."
    if inspection.region_count == 0:
        return f"No pixel reaches the threshold of {inspection.threshold:.2f}."
    share = 100.0 * float(inspection.pred_mask.mean())
    noun = "region" if inspection.region_count == 1 else "regions"
    left_out = inspection.region_count - len(inspection.regions)
    more = f" The {left_out:,} smallest are not listed." if left_out else ""
    at_least = f"at or above {inspection.threshold:.2f}"
    return f"{inspection.region_count:,} {noun} {at_least}, {share:.2f} % of the picture.{more}"
