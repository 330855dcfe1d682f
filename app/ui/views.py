"""From an inspection to what the page shows: plain values, every number with its unit and how it came about."""

from __future__ import annotations

from typing import Any

from app.services.colours import ColourScale, fused_scale, score_scale
from app.services.heads import version_name
from app.services.inspection import Inspection
from app.services.scores import top_fraction_count
from app.ui.reference_views import compared_sentence
from models.registry import get_preset

_TITLES = {
    "normal": "Normal",
    "suspicious": "Suspicious",
    "anomalous": "Anomalous",
    "uncalibrated": "Uncalibrated",
}

LAYERS_TITLE = "Every layer's own map, at patch resolution, on one scale"
TABLE_HEADERS = ["No.", "Area (px)", "Area (%)", "Peak (map)", "Box (px)"]


def digits_of(scale: ColourScale) -> int:
    """How many decimals numbers of a scale are shown with; those of probabilities may differ in the third one only."""
    width = 2.0 * (scale.value_at(0.5) - scale.low)
    return next((digits for digits in (2, 3, 4) if width >= 50 * 10**-digits), 5)


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
    scale = score_scale(inspection)
    digits = digits_of(scale)

    def at(value: float) -> float:
        return round(100.0 * scale.share_of(value), 1)

    threshold_at = 100.0 if inspection.score_threshold is None else at(inspection.score_threshold)
    thresholds = inspection.thresholds
    suspicious_at = threshold_at if thresholds is None else min(threshold_at, at(thresholds.suspicious))
    return {
        "tone": inspection.verdict,
        "score": f"{inspection.image_score:.{digits}f}".replace("-", "\N{MINUS SIGN}"),
        "unit": "image score",
        "verdict": _TITLES[inspection.verdict],
        "how": how_scored(inspection),
        "spent": time_spent(inspection),
        "suspicious_at": suspicious_at,
        "above_threshold": round(100.0 - threshold_at, 1),
        "threshold_at": threshold_at,
        "score_at": at(inspection.image_score),
        "gauge_title": f"Scale from {scale.low:.{digits}f} ({_low_end(inspection)}) to {scale.high:.{digits}f}",
    }


def how_scored(inspection: Inspection) -> str:
    """One line: what was averaged, and what the threshold means."""
    averaged = _averaged(inspection)
    if inspection.references is not None:  # the note is told where they are shown; here it would be too long
        return f"{averaged} {_threshold_sentence(inspection)} {compared_sentence(inspection.references)}"
    note = f" Note: {inspection.note}." if inspection.note else ""
    return f"{averaged} {_threshold_sentence(inspection)}{note}"


def _averaged(inspection: Inspection) -> str:
    whole, digits = inspection.maps.global_score, digits_of(score_scale(inspection))
    if inspection.top_patches is not None:
        patches = inspection.layer_maps[0].size
        highest = f"mean of the highest {min(inspection.top_patches, patches):,} of {patches:,} patches."
        if whole is None:
            return highest.capitalize()
        return f"Half the whole picture's anomaly probability ({whole:.{digits}f}), half the {highest}"
    if whole is not None and get_preset(inspection.preset).reading.score == "global":
        return f"The whole picture's anomaly probability ({whole:.{digits}f})."
    pixels, share = inspection.anomaly_map.size, inspection.settings.top_k
    return f"Mean of the highest {share * 100:.3g} % of {pixels:,} pixels ({top_fraction_count(pixels, share):,})."


def _low_end(inspection: Inspection) -> str:
    own_units = inspection.thresholds is not None and inspection.thresholds.normal_score is not None
    return "normal pictures" if own_units else "normal pixels"


def _threshold_sentence(inspection: Inspection) -> str:
    thresholds = inspection.thresholds
    by_hand = inspection.settings.threshold is not None
    if inspection.threshold is None or (thresholds is None and not by_hand):
        return "This checkpoint has no calibrated threshold; set one by hand to get a verdict."
    own_units = thresholds is not None and thresholds.mask is not None
    of_score = f"{inspection.score_threshold:.{digits_of(score_scale(inspection))}f}"
    of_map = f" of the map, {of_score} of the score" if own_units else ""
    digits = digits_of(fused_scale(inspection))
    if by_hand:
        calibrated = "" if thresholds is None else f" (calibrated: {thresholds.pixel:.{digits}f})"
        return f"Threshold {inspection.threshold:.{digits}f}{of_map}, set by hand{calibrated}."
    assert thresholds is not None
    quantile = f"{thresholds.normal_quantile * 100:.3g} %"
    if inspection.references is not None:
        return f"Threshold {inspection.threshold:.{digits}f} = above {quantile} of this object's normal pictures."
    whose = "the labelled" if thresholds.from_labels else "held-out"
    return f"Threshold {inspection.threshold:.{digits}f}{of_map} = above {quantile} of {whose} normal pictures."


def time_spent(inspection: Inspection) -> str:
    """One line: the picture's size and the time spent on it."""
    height, width = inspection.anomaly_map.shape
    model = f"model {inspection.forward_s:.2f} s" + (" (remembered)" if inspection.from_cache else "")
    return f"{width:,} × {height:,} px · {model} · all {inspection.total_s:.2f} s"


def weights_sentence(inspection: Inspection) -> str:
    """One plain sentence: which weights were used, and whose words where words are compared with."""
    preset = get_preset(inspection.preset)
    layers = ", ".join(str(layer) for layer in inspection.layers)
    head = f"head {inspection.checkpoint[:12]} (SHA-256)" if preset.needs_head else "no head, nothing is trained"
    if inspection.version:
        head = f"{version_name(inspection)}, taught here: {head}"
    words = "" if inspection.settings.prompts is None else "; words: your own"
    note = f" {inspection.picture.note}" if inspection.picture.note else ""
    return f"{preset.title}; layers {layers}; backbone weights from {inspection.backbone}; {head}{words}.{note}"


def fused_title(inspection: Inspection) -> str:
    """What the fused map is."""
    if inspection.references is not None:
        return f"Fused map: score {inspection.image_score:.2f}".replace("-", "\N{MINUS SIGN}")
    joined = "sum" if get_preset(inspection.preset).reading.joining == "sum" else "mean"
    return f"Fused map ({joined} of the chosen layers)"


def sheet_title(inspection: Inspection) -> str:
    """What the sheet of layers shows."""
    if len(inspection.branches) == 1:
        return LAYERS_TITLE
    return f"Every layer's {', '.join(inspection.branches)} and fused map, at patch resolution, on one scale"


def region_rows(inspection: Inspection) -> list[list[str]]:
    """The table of regions, the largest first; the numbers are those in the overlay."""
    pixels, digits = inspection.anomaly_map.size, digits_of(fused_scale(inspection))
    return [
        [
            str(number),
            f"{region.area_px:,}",
            f"{100.0 * region.area_px / pixels:.2f}",
            f"{region.peak:.{digits}f}",
            "{}, {} – {}, {}".format(*region.box_xyxy),
        ]
        for number, region in enumerate(inspection.regions, start=1)
    ]


def regions_heading(inspection: Inspection) -> str:
    """How many regions there are and how much of the picture they cover."""
    if inspection.threshold is None:
        return "No threshold, so no regions; set a threshold by hand."
    threshold = f"{inspection.threshold:.{digits_of(fused_scale(inspection))}f}"
    if inspection.region_count == 0:
        return f"No pixel reaches the threshold of {threshold}."
    share = 100.0 * float(inspection.pred_mask.mean())
    noun = "region" if inspection.region_count == 1 else "regions"
    left_out = inspection.region_count - len(inspection.regions)
    more = f" The {left_out:,} smallest are not listed." if left_out else ""
    at_least = f"at or above {threshold}"
    return f"{inspection.region_count:,} {noun} {at_least}, {share:.2f} % of the picture.{more}"
