"""What may be wrong with references, in sentences.  Plain numbers and text; no torch, no files."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_FEWEST_FOR_ODD_ONE: Final = 3
_SPREADS_AWAY: Final = 6.0
_TIMES_THE_SECOND: Final = 1.5
_MAD_TO_DEVIATION: Final = 1.4826
_SAME_ASPECT: Final = 1.1  # as large may the quotient of two aspects be
_MUCH_SMALLER: Final = 2.0
_NAMED: Final = 3

_SAME_PICTURE: Final = (
    "{names} {is_are} the inspected picture too, which hides its defects: leave {it_them} out of the references."
)
_OTHER_ASPECT: Final = (
    "{names} {has_have} another aspect than {whose}; pictures are squeezed to a square, so what is normal looks "
    "stretched: use references cut like {whose}."
)
_MUCH_COARSER: Final = (
    "{names} {has_have} less than half the sides of the inspected picture and {is_are} enlarged for the model, so "
    "sharp detail may look anomalous: use references of about the same size."
)
_MUCH_FINER: Final = (
    "The inspected picture has less than half the sides of {names} and is enlarged for the model, so its blur may look "
    "anomalous: use references of about the same size."
)
_TWICE: Final = "{names} {is_are} among the references more than once, which adds nothing: leave the copies out."
_ODD: Final = (
    "{name} is far from the other references ({score:.3g}; the next is {second:.3g}): look whether it is normal, since "
    "what is in a reference is never found."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureFacts:
    """What is known of a picture without looking into it."""

    name: str
    digest: str  # SHA-256, hex
    size_hw: tuple[int, int]  # pixels


def odd_one_out(loo_scores: Sequence[float]) -> int | None:
    """Find the reference that is far from all others, which may be no normal picture.

    It is the highest score if that is more than 6 robust deviations above the median and more than 1.5 times the second
    highest.  Two odd ones that are alike stand by each other and are not found.

    Args:
        loo_scores: each reference's score against the others, 0 or more.
    Returns:
        Its place from 0; None where there is none, or fewer than 3 references.
    Source:
        The median absolute deviation (Hampel, 1974), times 1.4826 to be a standard deviation for normal scores.
    """
    if len(loo_scores) < _FEWEST_FOR_ODD_ONE:
        return None
    median = statistics.median(loo_scores)
    deviation = _MAD_TO_DEVIATION * statistics.median(abs(score - median) for score in loo_scores)
    second, highest = sorted(loo_scores)[-2:]
    if highest > median + _SPREADS_AWAY * deviation and highest > _TIMES_THE_SECOND * second:
        return list(loo_scores).index(highest)
    return None


def notes_on_references(references: Sequence[PictureFacts], loo_scores: Sequence[float] = ()) -> tuple[str, ...]:
    """Say what is doubtful about references among themselves.

    Args:
        references: in their order.
        loo_scores: each one's score against the others; empty where there is none.
    Returns:
        Sentences; none where all is well.
    """
    notes = []
    digests = [reference.digest for reference in references]
    firsts = [reference for place, reference in enumerate(references) if digests.index(reference.digest) == place]
    if copied := [reference for reference in firsts if digests.count(reference.digest) > 1]:
        notes.append(_sentence(_TWICE, copied))
    if references:
        middle = statistics.median_low([_aspect(reference) for reference in references])
        if other := [reference for reference in references if _differ(_aspect(reference), middle)]:
            notes.append(_sentence(_OTHER_ASPECT, other, whose="most references"))
    if (odd := odd_one_out(loo_scores)) is not None:
        second, highest = sorted(loo_scores)[-2:]
        notes.append(_ODD.format(name=references[odd].name, score=highest, second=second))
    return tuple(notes)


def notes_on_picture(picture: PictureFacts, references: Sequence[PictureFacts], input_px: int) -> tuple[str, ...]:
    """Say what is doubtful about inspecting a picture with some references.

    Args:
        picture: the inspected one.
        references: in their order.
        input_px: side of the model's square input; above it sizes make no difference.
    Returns:
        Sentences; none where all is well.
    """
    side = min(picture.size_hw)
    sides = [(reference, min(reference.size_hw)) for reference in references]
    found = (
        (_SAME_PICTURE, [reference for reference in references if reference.digest == picture.digest]),
        (_OTHER_ASPECT, [reference for reference in references if _differ(_aspect(reference), _aspect(picture))]),
        (_MUCH_COARSER, [reference for reference, own in sides if own < input_px and own * _MUCH_SMALLER < side]),
        (_MUCH_FINER, [reference for reference, own in sides if side < input_px and side * _MUCH_SMALLER < own]),
    )
    return tuple(_sentence(text, named, whose="the inspected picture") for text, named in found if named)


def _aspect(picture: PictureFacts) -> float:
    return picture.size_hw[1] / picture.size_hw[0]


def _differ(one: float, other: float) -> bool:
    return max(one, other) > _SAME_ASPECT * min(one, other)


def _sentence(text: str, named: Sequence[PictureFacts], whose: str = "") -> str:
    is_one = len(named) == 1
    words = {
        "names": _listed([picture.name for picture in named]),
        "is_are": "is" if is_one else "are",
        "has_have": "has" if is_one else "have",
        "it_them": "it" if is_one else "them",
        "whose": whose,
    }
    return text.format(**words)


def _listed(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    shown = list(names[:_NAMED])
    if len(names) > _NAMED:
        shown.append(f"{len(names) - _NAMED} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
