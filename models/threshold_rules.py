"""Rules that choose a threshold, and the labelled pictures that some of them ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

import torch
from torch import Tensor

RuleKind = Literal["normals", "f1", "false_alarms"]

_KINDS: Final[tuple[RuleKind, ...]] = get_args(RuleKind)


@dataclass(frozen=True, slots=True)
class ThresholdRule:
    """How thresholds are chosen.

    "normals": where 98 % of held-out normal pictures of the synthetic world stay below.  "f1": where labelled pictures
    are told apart best.  "false_alarms": where all but a share of the labelled normal ones stay below.
    """

    kind: RuleKind = "normals"
    rate: float = 0.02  # that share, in (0, 1); the other rules take no notice

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise ValueError(f"the rule must be one of {', '.join(_KINDS)}, got {self.kind!r}")
        if not 0.0 < self.rate < 1.0:
            raise ValueError(f"the false-alarm rate must lie between 0 and 1, got {self.rate}")


class LabelledMaps:
    """The maps of pictures that a person has labelled."""

    def __init__(self, maps: Tensor, labels: Tensor, global_scores: Tensor | None = None) -> None:
        """Keep them.

        Args:
            maps: (n, L, gh, gw), or (n, R, L, gh, gw) of R branches.
            labels: (n,), 1 = anomalous.
            global_scores: (n,), of methods that give one.
        Raises:
            ValueError: there is none, or the parts differ in number.
        """
        branched = maps if maps.dim() == 5 else maps.unsqueeze(1)
        counts = {len(branched), len(labels), len(labels if global_scores is None else global_scores)}
        if branched.dim() != 5 or len(counts) > 1 or not len(labels):
            raise ValueError(f"need maps, labels and scores of the same pictures, got {sorted(counts)} of them")
        self.maps = branched.float()
        self.labels = labels.to(torch.int64)
        self.global_scores = None if global_scores is None else global_scores.float()

    def normals(self) -> tuple[Tensor, Tensor | None]:
        """The maps and the global scores of the normal ones."""
        normal = self.labels == 0
        return self.maps[normal], None if self.global_scores is None else self.global_scores[normal]


def check_rule(rule: ThresholdRule, labelled: LabelledMaps | None) -> None:
    """See that a rule has the labels it needs.

    Raises:
        ValueError: it has not.
    """
    normal = 0 if labelled is None else int((labelled.labels == 0).sum())
    anomalous = 0 if labelled is None else len(labelled.labels) - normal
    if rule.kind == "f1" and not (normal and anomalous):
        raise ValueError(f"the best F1 needs pictures of both labels, got {normal} normal and {anomalous} anomalous")
    if rule.kind == "false_alarms" and not normal:
        raise ValueError("a false-alarm rate needs at least one normal picture")


def best_f1_threshold(scores: Tensor, labels: Tensor) -> float:
    """The threshold with the best F1, half way between two neighbouring scores.

    Args:
        scores: (n,), a picture is called anomalous from the threshold on.
        labels: (n,) bool, True = anomalous; both occur.
    Returns:
        Of several equally good ones the highest, which alarms least; the score itself where all are equal.
    """
    levels = scores.double().unique()  # ascending
    if len(levels) == 1:
        return float(levels[0])
    between = (levels[1:] + levels[:-1]) / 2
    called = scores.double().unsqueeze(0) >= between.unsqueeze(1)  # (candidates, n)
    hits = (called & labels).sum(dim=1)
    f1 = 2 * hits / (called.sum(dim=1) + labels.sum())
    return float(between[(f1 == f1.max()).nonzero()[-1, 0]])
