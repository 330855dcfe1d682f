"""The histogram on which a threshold is chosen: scores of labelled pictures, and the line that parts them.

matplotlib draws without pyplot, so any thread may call.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, PercentFormatter
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from app.services.colour_bar import INK
from app.services.colours import log_odds
from models.errors import DataError

Scores = NDArray[np.float64]

# Okabe and Ito's blue and vermilion: told apart by colour-blind people, readable on a light and on a dark page.
NORMAL_COLOUR: Final = "#0072B2"
ANOMALOUS_COLOUR: Final = "#D55E00"
SCORE_LABEL: Final = "image score, in the units of this preset's map"
_INCHES: Final = (7.2, 3.4)
_DPI: Final = 120
_FEWEST_BINS: Final = 10
_MOST_BINS: Final = 40
_NOTHING: Final = np.zeros(0)


@dataclass(frozen=True, slots=True)
class Errors:
    """What a threshold gets wrong among labelled pictures."""

    false_alarms: int  # normal ones at or above it
    normals: int
    misses: int  # anomalous ones below it
    anomalies: int

    def __str__(self) -> str:
        alarms = f"{self.false_alarms} of {self.normals} normal above it (false alarms)"
        misses = f"{self.misses} of {self.anomalies} anomalous below it (misses)"
        return ", ".join([
            alarms if self.normals else "nothing normal labelled",
            misses if self.anomalies else "nothing anomalous labelled",
        ])  # fmt: skip


def errors_at(scores: ArrayLike, labels: ArrayLike, threshold: float) -> Errors:
    """Count false alarms and misses; a score that is the threshold is anomalous, as everywhere.

    Args:
        scores: (n,), of labelled pictures.
        labels: (n,), 1 = anomalous.
        threshold: in the same units.
    Raises:
        ValueError: there is not one label for each score, or a score is not finite.
    """
    of, odd = _checked(scores, labels)
    return Errors(
        false_alarms=int(np.sum(of[~odd] >= threshold)),
        normals=int(np.sum(~odd)),
        misses=int(np.sum(of[odd] < threshold)),
        anomalies=int(np.sum(odd)),
    )


def threshold_figure(
    scores: ArrayLike,
    labels: ArrayLike,
    threshold: float,
    *,
    others: ArrayLike | None = None,
    in_odds: bool = False,
    score_label: str = SCORE_LABEL,
) -> Image.Image:
    """Draw the histogram as a picture, RGBA on a transparent ground; arguments and failures as `histogram`."""
    figure = histogram(scores, labels, threshold, others=others, in_odds=in_odds, score_label=score_label)
    file = io.BytesIO()
    figure.savefig(file, format="png", transparent=True)
    return Image.open(io.BytesIO(file.getvalue())).convert("RGBA")


def histogram(
    scores: ArrayLike,
    labels: ArrayLike,
    threshold: float,
    *,
    others: ArrayLike | None = None,
    in_odds: bool = False,
    score_label: str = SCORE_LABEL,
) -> Figure:
    """Normal and anomalous scores with the threshold between them; each kind's bars add up to 100 %.

    Args:
        scores: (n,), of labelled pictures.
        labels: (n,), 1 = anomalous.
        threshold: the chosen line, in the same units.
        others: scores of held-out normal pictures of the synthetic world, for comparison.
        in_odds: scores are probabilities, and equal steps on the axis are equal steps of log-odds.
        score_label: what the axis says, unit included.
    Raises:
        ValueError: there is not one label for each score, or a number is not finite.
        DataError: there is no score at all.
    """
    of, odd = _checked(scores, labels)
    synthetic = _NOTHING if others is None else _numbers(others)
    if not np.isfinite(threshold):
        raise ValueError(f"threshold must be finite, got {threshold}")
    if of.size + synthetic.size == 0:
        raise DataError("No scores are known yet; label some pictures first.")
    edges = _edges(np.concatenate([of, synthetic]), threshold, in_odds=in_odds).tolist()
    figure = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
    axis = figure.add_subplot()
    if in_odds:
        axis.set_xscale("logit")
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
        axis.xaxis.set_minor_formatter(NullFormatter())
    if synthetic.size:
        axis.hist(
            synthetic, edges, weights=_shares(synthetic), histtype="step", color=INK, linestyle="--",
            label=f"{synthetic.size} normal, synthetic, held out", gid="others",
        )  # fmt: skip
    kinds = [("normal", of[~odd], NORMAL_COLOUR, None), ("anomalous", of[odd], ANOMALOUS_COLOUR, "//")]
    for name, values, colour, hatch in kinds:
        if values.size:
            axis.hist(
                values, edges, weights=_shares(values), color=colour, alpha=0.65, hatch=hatch, edgecolor=colour,
                label=f"{values.size} {name}", gid=name,
            )  # fmt: skip
    axis.axvline(threshold, color=INK, linewidth=2.2, label="threshold", gid="threshold")
    axis.set_title(f"Threshold {threshold:.4g}: {errors_at(of, odd, threshold)}", color=INK, fontsize=9)
    _dress(figure, axis, score_label)
    return figure


def _dress(figure: Figure, axis: Axes, score_label: str) -> None:
    """Labels and lines that can be read on the light and on the dark page."""
    axis.set_xlabel(score_label, color=INK)
    axis.set_ylabel("share of each kind's pictures", color=INK)
    axis.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axis.tick_params(which="both", colors=INK)
    for name, spine in axis.spines.items():
        spine.set_color(INK)
        spine.set_visible(name in {"left", "bottom"})
    handles, titles = axis.get_legend_handles_labels()
    figure.legend(
        handles, titles, loc="outside lower center", ncols=len(handles), frameon=False, labelcolor=INK, fontsize=9
    )


def _edges(values: Scores, threshold: float, *, in_odds: bool) -> Scores:
    """Bins of one width on the axis that hold every value; the threshold is an edge, so that no bar crosses it."""
    on_axis = _on_axis(np.append(values, threshold), in_odds=in_odds)
    line, reach = on_axis[-1], float(np.ptp(on_axis))
    bins = int(np.clip(2 * np.sqrt(values.size), _FEWEST_BINS, _MOST_BINS))
    width = max(reach / bins, 1e-6 * max(1.0, abs(line)))
    below, above = np.floor((on_axis.min() - line) / width), np.ceil((on_axis.max() - line) / width)
    steps = np.arange(below - 1, above + 2)
    edges: Scores = line + width * steps
    if in_odds:
        edges = 1.0 / (1.0 + np.exp(-edges))
    edges[steps == 0] = threshold
    return edges


def _on_axis(values: Scores, *, in_odds: bool) -> Scores:
    return log_odds(values.astype(np.float32)).astype(np.float64) if in_odds else values


def _shares(values: Scores) -> Scores:
    return np.full(values.size, 1.0 / values.size)


def _checked(scores: ArrayLike, labels: ArrayLike) -> tuple[Scores, NDArray[np.bool_]]:
    of, odd = _numbers(scores), np.asarray(labels).astype(np.bool_).reshape(-1)
    if of.shape != odd.shape:
        raise ValueError(f"each score needs a label, got {of.size} scores and {odd.size} labels")
    return of, odd


def _numbers(values: ArrayLike) -> Scores:
    numbers = np.asarray(values, dtype=np.float64).reshape(-1)
    if not np.isfinite(numbers).all():
        raise ValueError("scores must be finite")
    return numbers
