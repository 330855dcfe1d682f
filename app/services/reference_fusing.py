"""How a zero-shot map and a reference map become one.  Pure functions of numbers; K references.

From what a method says about a patch is taken off what it says about the reference patches that look like it: a method
that fires on grain fires on the grain of the references too, and only the excess is left.  Both maps are then put into
units of the object at hand, in which 0 is the level of its normal pixels and 1 the score that its next normal picture
exceeds with a probability of 2 %, and averaged.  The references' share follows what the method says about them: one
that hardly fires on normal pictures of this object is trusted, one that fires on them up to its own threshold is not.
The shares can be chosen by hand too.

Rule and constants were chosen on held-out synthetic objects, where the average over objects is better than that of the
better source alone for 1, 2, 4 and 8 references.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from app.services.inspection import FloatMaps

if TYPE_CHECKING:
    from models.calibration import Thresholds

UNCALIBRATED_WEIGHT: Final = 0.5  # share of the references where the method's own threshold is unknown
# The references' share, by their mean score in the method's own units: 0 is its normal level, 1 its threshold.
_TRUSTED_TO: Final = 0.4
_DISTRUSTED_FROM: Final = 0.9
_LEAST_WEIGHT: Final = 0.2
_MOST_WEIGHT: Final = 0.9
FEWEST_TO_COMPARE: Final = 3  # references; the excess over fewer is not told by leaving one out
_USUAL_SCORE: Final = 0.6  # what normal pictures score, from a method's level to its threshold
# The excess of normal pictures on synthetic objects, in the same units: mean, its spread among objects, and within one.
_USUAL_EXCESS: Final = 0.25
_AMONG_OBJECTS: Final = 0.12
_WITHIN_AN_OBJECT: Final = 0.07
_SCORES_WITHIN_AN_OBJECT: Final = 0.4  # spread of normal scores within one object, as a share of that of all
_PRIOR_WEIGHT: Final = 4.0  # scores
_ANOMALOUS_SIGMAS: Final = 2.0537  # below which 98 % of a normal distribution lie
_SMALLEST_UNIT: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Units:
    """An affine scale for what one source says."""

    normal: float  # becomes 0
    threshold: float  # becomes 1

    @property
    def size(self) -> float:
        """How much of the source's own numbers one unit is."""
        return max(self.threshold - self.normal, _SMALLEST_UNIT)

    def of(self, value: float) -> float:
        """One number in these units."""
        return (value - self.normal) / self.size

    def of_map(self, values: FloatMaps) -> FloatMaps:
        """A map in these units."""
        return (values - np.float32(self.normal)) * np.float32(1.0 / self.size)


@dataclass(frozen=True, slots=True)
class Adapted:
    """What the references say about a source on this object."""

    units: Units
    suspicious: float  # in these units
    of_normal: float | None = None  # mean score of the references in the source's general units; None = it has none


@dataclass(frozen=True, slots=True)
class _Prior:
    """What is believed of normal scores before any is seen."""

    mean: float
    among: float  # spread of the mean among objects
    within: float  # spread within one object


def of_references(thresholds: Thresholds) -> Adapted:
    """The units of the distances to references."""
    units = Units(thresholds.normal_level, thresholds.anomalous)
    return Adapted(units, units.of(thresholds.suspicious))


def of_excess(
    own: Units | None, levels: Sequence[float], scores: Sequence[float], excesses: Sequence[float]
) -> Adapted:
    """The units of what a zero-shot method says beyond what it says about the references.

    Args:
        own: from its normal level to its threshold, by its own calibration; None = told by the references.
        levels: median pixel of its map of each reference.
        scores: mean of the highest pixels of the same maps.
        excesses: likewise of the excess of each reference over the others; empty for fewer than three.
    Raises:
        ValueError: there is no reference.
    """
    from models.calibration import ANOMALOUS_QUANTILE, SUSPICIOUS_QUANTILE  # pulls torch in

    if not scores or len(levels) != len(scores):
        raise ValueError(f"need a level and a score of each reference, got {len(levels)} and {len(scores)}")
    unit = own.size if own is not None else max(float(np.mean(scores) - np.mean(levels)), _SMALLEST_UNIT) / _USUAL_SCORE
    prior = _Prior(_USUAL_EXCESS * unit, _AMONG_OBJECTS * unit, _WITHIN_AN_OBJECT * unit)
    units = Units(0.0, _limit(excesses, ANOMALOUS_QUANTILE, prior))
    of_normal = None if own is None else own.of(float(np.mean(scores)))
    return Adapted(units, units.of(_limit(excesses, SUSPICIOUS_QUANTILE, prior)), of_normal)


def of_zero_shot_score(own: Thresholds | None, scores: Sequence[float]) -> Units:
    """The units of scores that are no pixels of the map: normal ones lie half way, as pixel scores usually do.

    Args:
        own: the method's calibration of scores; None = told by the references.
        scores: of each reference.
    """
    from models.calibration import ANOMALOUS_QUANTILE
    from models.reference_scale import upper_limit

    if own is None or own.normal_score is None:
        mean, limit = float(np.mean(scores)), upper_limit(scores, ANOMALOUS_QUANTILE)
    else:
        spread = max(own.anomalous - own.normal_score, _SMALLEST_UNIT) / _ANOMALOUS_SIGMAS
        prior = _Prior(own.normal_score, spread, _SCORES_WITHIN_AN_OBJECT * spread)
        mean, limit = _mean(scores, prior)[0], _limit(scores, ANOMALOUS_QUANTILE, prior)
    return Units(2.0 * mean - limit, limit)


def reference_weight(asked: float | None, of_normal: float | None) -> float:
    """The share of the reference map, in [0, 1].

    Args:
        asked: by the user; None = by the rule.
        of_normal: `Adapted.of_normal` of the method.
    """
    if asked is not None:
        return asked
    if of_normal is None:
        return UNCALIBRATED_WEIGHT
    return float(np.interp(of_normal, (_TRUSTED_TO, _DISTRUSTED_FROM), (_LEAST_WEIGHT, _MOST_WEIGHT)))


def fused(zero_shot: FloatMaps, reference: FloatMaps, weight: float) -> FloatMaps:
    """(1 - weight) * zero_shot + weight * reference, both in units; float32."""
    mixed: FloatMaps = zero_shot * np.float32(1.0 - weight) + reference * np.float32(weight)
    return mixed


def _mean(scores: Sequence[float], prior: _Prior) -> tuple[float, float]:
    """The mean of this object's normal scores, drawn to the prior one; and how uncertain it is, as a variance."""
    precision = len(scores) / prior.within**2 + 1.0 / prior.among**2
    return (float(np.sum(scores)) / prior.within**2 + prior.mean / prior.among**2) / precision, 1.0 / precision


def _limit(scores: Sequence[float], share: float, prior: _Prior) -> float:
    """Where this object's next normal score stays below with a probability of `share`, by Student's t."""
    from scipy.special import stdtrit

    values = np.asarray(scores, dtype=np.float64)
    mean, uncertainty = _mean(scores, prior)
    freedom = max(len(values) - 1, 0) + _PRIOR_WEIGHT
    squares = float(((values - values.mean()) ** 2).sum()) if len(values) else 0.0
    spread = np.sqrt((squares + _PRIOR_WEIGHT * prior.within**2) / freedom)
    return mean + float(stdtrit(freedom, share)) * float(spread * np.sqrt(1.0 + uncertainty / prior.within**2))
