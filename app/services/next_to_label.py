"""What to label next: the images from which a model is expected to learn most, and a word on why each.

`suggest` goes by what is known and runs no model; `look` lets a preset and a frozen backbone look at the images first.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from app.services.benefit import WEIGHTS, Numbers, disagreement_of_methods, rank, uncertainty
from app.services.colours import log_odds
from app.services.looks import DESCRIPTOR_PX, Looks, descriptor_of, disagreement_in, look_id, uncertain_in
from app.store.benefits import LABELLED, OPEN, items_in, keep_order, newest_proposals
from app.store.folder import TEACHING
from app.store.records import Benefit, Proposal, QueueItem
from models.errors import ExpectedError, WeightsError
from models.registry import PRESETS, get_preset

if TYPE_CHECKING:
    from app.services.patch_tokens import PatchDescriber
    from app.services.proposing import Proposer

_STALE_AFTER_S: Final = 20.0
_SHARE_OF_TIME: Final = 0.05  # that ordering may take, however many images there are
_LEAST: Final = 0.3  # a part below this is no reason
NEXT_TO_THE_THRESHOLD: Final = "its score lies next to the threshold"
LAYERS_DISAGREE: Final = "its layers contradict each other"
METHODS_DISAGREE: Final = "methods rank it differently"
UNLIKE: Final = "nothing like it is labelled yet"
LITTLE: Final = "little to learn from it"
ONLY_ITS_SCORE: Final = "its score is clear; not compared with the others yet"
NOT_LOOKED_AT: Final = "no model has looked at it yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """An image to label; the parts are in [0, 1], None = unknown."""

    image_digest: str
    name: str
    benefit: float  # in [0, 1]; falls along the order
    reason: str  # plain words
    score: float | None  # the newest proposal's
    uncertain: float | None
    disagreement: float | None
    novelty: float | None


@dataclass(frozen=True, slots=True)
class LookingProgress:
    """How far `NextToLabel.look` is."""

    done: int
    total: int  # images, labelled ones too: the others are compared with them
    refused: tuple[str, ...]  # a sentence per image that could not be looked at
    suggestions: tuple[Suggestion, ...] | None = None  # the order, at the end


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """What is known of n images that nobody has labelled."""

    items: Sequence[QueueItem]
    proposals: Sequence[Proposal | None]
    uncertain: Numbers  # (n,), NaN = unknown
    layers: Numbers  # (n,), likewise
    methods: Numbers  # (n,), likewise


class NextToLabel:
    """Orders the images of a workspace; one instance serves every page and the API."""

    def __init__(self, proposer: Proposer) -> None:
        """Prepare; no model is loaded yet."""
        self.workspace = proposer.workspace
        self._proposer = proposer
        self._looks = Looks(self.workspace.folder / TEACHING / "descriptors")
        self._ranking = threading.Lock()
        self._ranked = -1  # the workspace's version when it was ordered
        self._rest_until_s = 0.0

    def suggest(self, preset: str | None = None, *, limit: int | None = None) -> tuple[Suggestion, ...]:
        """The images that nobody has labelled, the best first; images that somebody is unsure of are left out.

        Args:
            preset: whose scores count; None = whichever proposed last for an image.
            limit: how many at most.
        Raises:
            StoreError: the workspace cannot be read.
            DataError: what was kept of earlier looks is damaged.
        """
        known = self._known(preset)
        labelled = [item.image.digest for item in items_in(self.workspace, LABELLED)]
        seen = self._looks.descriptors(labelled)
        descriptors = self._looks.descriptors([item.image.digest for item in known.items])
        disagreement = np.fmax(known.layers, known.methods)
        ranking = rank(known.uncertain, disagreement, descriptors, seen[~np.isnan(seen).any(axis=1)])
        parts = np.stack([known.uncertain, disagreement, ranking.novelty], axis=1)
        usual = np.array([_median(part) for part in parts.T])
        return tuple(
            _suggestion(known, place, float(ranking.value[place]), parts[place], usual)
            for place in ranking.order[:limit].tolist()
        )

    def refresh(self, preset: str | None = None) -> tuple[Suggestion, ...]:
        """`suggest`, and let the queue follow that order, where the workspace may be written."""
        with self._ranking:
            start_s = time.monotonic()
            version = self.workspace.version()
            suggestions = self.suggest(preset)
            if not self.workspace.read_only:
                keep_order(self.workspace, [(found.image_digest, _benefit(found)) for found in suggestions])
            end_s = time.monotonic()
            self._ranked, self._rest_until_s = version, end_s + max(_STALE_AFTER_S, (end_s - start_s) / _SHARE_OF_TIME)
        return suggestions

    def refresh_if_stale(self) -> None:
        """`refresh` where something has changed, every 20 s at most: for lists that are asked for all the time."""
        if self._ranked < 0 or (time.monotonic() >= self._rest_until_s and self._ranked != self.workspace.version()):
            self.refresh()

    def look(self, preset: str, *, is_cancelled: Callable[[], bool] = lambda: False) -> Iterator[LookingProgress]:
        """Look at every image that was not looked at, propose for it, and order the queue by what was seen.

        Args:
            preset: the one that proposes.
            is_cancelled: asked before every image; what was seen until then is kept and counts.
        Returns:
            Progress, at the start, after every image, and once more with the order.
        Raises:
            WeightsError: the preset's weights are missing or damaged.
            UnknownModelError: there is no such preset.
            StoreError: the workspace cannot be written to.
            DataError: what is seen cannot be kept, or the preset needs references.
        """
        self.workspace.database.require_writable()
        checkpoint = self._proposer.inspector.model(get_preset(preset).name).checkpoint_digest
        labelled = [item.image.digest for item in items_in(self.workspace, LABELLED)]
        unlabelled = [item.image.digest for item in items_in(self.workspace, OPEN)]
        describer = self._describer()
        done, total, refused = 0, len(labelled) + len(unlabelled), list[str]()
        yield LookingProgress(0, total, ())
        for digest in (*labelled, *unlabelled):
            if is_cancelled():
                break
            try:
                picture = self._proposer.picture(digest)
            except ExpectedError as error:
                refused.append(str(error))
            else:
                if done >= len(labelled):
                    self._inspect(digest, preset, checkpoint)
                if describer is not None:
                    self._looks.describe(digest, partial(descriptor_of, picture, describer))
            done += 1
            yield LookingProgress(done, total, tuple(refused))
        yield LookingProgress(done, total, tuple(refused), self.refresh(preset))

    def _inspect(self, digest: str, preset: str, checkpoint: str) -> None:
        """Propose for an image and keep what the look said, unless both are there."""
        known = self.workspace.newest_proposal(digest, preset=preset)
        if known is not None and known.checkpoint == checkpoint and self._looks.has(_look_id(known)):
            return
        inspection = self._proposer.inspect(digest, preset)
        proposal = self._proposer.store(digest, inspection)
        model = self._proposer.inspector.model(preset)
        self._looks.keep(_look_id(proposal), uncertain_in(inspection), disagreement_in(inspection, model))

    def _describer(self) -> PatchDescriber | None:
        """The frozen backbone that says what pictures are like; None where its weights are not here."""
        try:
            return replace(self._proposer.inspector.references.describer(), image_size=DESCRIPTOR_PX)
        except WeightsError:
            return None

    def _known(self, preset: str | None) -> _Known:
        items = list(items_in(self.workspace, OPEN))
        by_preset: dict[str, dict[str, Proposal]] = {}
        newest: dict[str, Proposal] = {}
        for proposal in newest_proposals(self.workspace):
            by_preset.setdefault(proposal.preset, {})[proposal.image_digest] = proposal
            newest[proposal.image_digest] = proposal
        chosen = newest if preset is None else by_preset.get(preset, {})
        proposals = [chosen.get(item.image.digest) for item in items]
        looks = self._looks.kept(["" if proposal is None else _look_id(proposal) for proposal in proposals])
        scores = {
            name: {digest: proposal.image_score for digest, proposal in found.items()}
            for name, found in by_preset.items()
        }
        methods = disagreement_of_methods(scores)
        spreads = {name: float(np.std([_scale(name, score) for score in of.values()])) for name, of in scores.items()}
        known = [
            look if proposal is None or not np.isnan(look) else _uncertain_of(proposal, spreads)
            for proposal, look in zip(proposals, looks[:, 0].tolist(), strict=True)
        ]
        return _Known(
            items,
            proposals,
            np.array(known, dtype=np.float64),
            looks[:, 1],
            np.array([methods.get(item.image.digest, np.nan) for item in items], dtype=np.float64),
        )


def _look_id(proposal: Proposal) -> str:
    return look_id(proposal.preset, proposal.checkpoint, proposal.settings, proposal.image_digest)


def _uncertain_of(proposal: Proposal, spreads: Mapping[str, float]) -> float:
    """How near a proposal's score lies to the threshold; NaN = it was made without one.

    Where scores have units of their own a proposal does not hold their threshold, and "suspicious" is as near to it as
    can be known.  The spread is that from "suspicious" to the threshold, else that of the workspace's own scores.
    """
    preset = PRESETS.get(proposal.preset)
    line = proposal.threshold if preset is None or preset.reading.score == "pixels" else proposal.suspicious
    if line is None:
        return float("nan")
    score, line = _scale(proposal.preset, proposal.image_score), _scale(proposal.preset, line)
    spread = 0.0 if proposal.suspicious is None else line - _scale(proposal.preset, proposal.suspicious)
    return uncertainty(score, line, spread if spread > 0.0 else spreads[proposal.preset])


def _scale(preset: str, value: float) -> float:
    """A score on the scale on which differences count: log-odds of probabilities, else as it is."""
    is_probability = preset in PRESETS and PRESETS[preset].reading.gives_probabilities
    return float(log_odds(value)) if is_probability else value


def _suggestion(known: _Known, place: int, benefit: float, parts: Numbers, usual: Numbers) -> Suggestion:
    image, proposal = known.items[place].image, known.proposals[place]
    differ = METHODS_DISAGREE if known.methods[place] >= np.nan_to_num(known.layers[place]) else LAYERS_DISAGREE
    return Suggestion(
        image_digest=image.digest,
        name=image.name,
        benefit=benefit,
        reason=_reason(parts, usual, differ),
        score=None if proposal is None else proposal.image_score,
        uncertain=_known_or_none(parts[0]),
        disagreement=_known_or_none(parts[1]),
        novelty=_known_or_none(parts[2]),
    )


def _reason(parts: Numbers, usual: Numbers, differ: str) -> str:
    """What puts an image before the others, in words: the part that is most above the usual, else the largest."""
    words = (NEXT_TO_THE_THRESHOLD, differ, UNLIKE)
    telling = np.flatnonzero(np.nan_to_num(parts) >= _LEAST).tolist()
    if telling:
        above, whole = np.maximum(WEIGHTS * (parts - usual), 0.0), WEIGHTS * parts
        return words[max(telling, key=lambda part: (above[part], whole[part]))]
    if np.isnan(parts).all():
        return NOT_LOOKED_AT
    return ONLY_ITS_SCORE if np.isnan(parts[2]) else LITTLE


def _median(values: Numbers) -> float:
    """Of what is known; 0 where nothing is."""
    known = values[~np.isnan(values)]
    return float(np.median(known)) if known.size else 0.0


def _known_or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _benefit(found: Suggestion) -> Benefit:
    return Benefit(
        value=found.benefit,
        reason=found.reason,
        uncertain=found.uncertain,
        disagreement=found.disagreement,
        novelty=found.novelty,
    )
