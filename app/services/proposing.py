"""Proposals: what a preset finds in an image of the workspace, stored once for a person to correct."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from app.services.beside_normals import BesideNormals, asked_for
from app.services.caches import BoundedCache
from app.services.inspection import Inspection
from app.store.records import NewProposal, Proposal
from models.config import InspectionConfig
from models.data.pictures import Picture, picture_from_bytes
from models.errors import ExpectedError
from models.registry import PRESETS, get_preset

if TYPE_CHECKING:
    from app.services.inspector import Inspector
    from app.services.references import References
    from app.store.workspace import Workspace

_PICTURE_BYTES: Final = 256 * 2**20


@dataclass(frozen=True, slots=True)
class ProposingProgress:
    """How far `Proposer.propose_all` is."""

    done: int
    total: int
    proposed: int  # how many got a proposal now; the others had one
    refused: tuple[str, ...]  # a sentence per image that could not be inspected


class Proposer:
    """Runs presets on images of the workspace; one instance serves every page and the API."""

    def __init__(self, workspace: Workspace, inspector: Inspector) -> None:
        """Prepare; no model is loaded yet."""
        self.workspace = workspace
        self.inspector = inspector
        self._pictures: BoundedCache[str, Picture] = BoundedCache(_PICTURE_BYTES, lambda picture: picture.rgb.nbytes)
        self.beside_normals = BesideNormals(workspace, inspector.references, self.picture)
        self._storing = threading.Lock()  # else two openings at once would store a proposal twice

    def picture(self, digest: str) -> Picture:
        """An image's pixels.

        Raises:
            UnknownImageError: there is no such image.
            StoreError: its file is missing or damaged.
        """
        remembered = self._pictures.get(digest)
        if remembered is not None:
            return remembered
        image = self.workspace.image(digest)
        picture = picture_from_bytes(self.workspace.image_bytes(digest), image.name)
        self._pictures.put(digest, picture)
        return picture

    def references(self, digest: str, preset: str) -> References | None:
        """What an image is compared with where that is asked for; raises what `BesideNormals.of` raises."""
        return self.beside_normals.of(digest) if asked_for(preset).beside_normals else None

    def inspect(self, digest: str, preset: str) -> Inspection:
        """Look for anomalies with the preset's own settings; raises what `Inspector.inspect` raises.

        Args:
            digest: an image of the workspace.
            preset: name of a preset; followed by BESIDE_NORMALS, the image is compared with confirmed normals too.
        """
        picture, name = self.picture(digest), asked_for(preset).preset
        return self.inspector.inspect(picture, name, settings_of(name), self.references(digest, preset))

    def propose(self, digest: str, preset: str) -> Proposal:
        """The stored proposal of this preset's model for an image; made and stored if there is none yet.

        Args:
            digest: an image of the workspace.
            preset: name of a preset.
        Raises:
            UnknownImageError: there is no such image.
            WeightsError: the preset's weights are missing or damaged.
            UnknownModelError: there is no such preset.
        """
        return self.store(digest, self.inspect(digest, preset))

    def store(self, digest: str, inspection: Inspection) -> Proposal:
        """Keep an inspection as a proposal, unless it is kept already: once per preset, checkpoint and settings."""
        settings = settings_text(inspection)
        with self._storing:
            known = self.workspace.newest_proposal(digest, preset=inspection.preset)
            if known is not None and (known.checkpoint, known.settings) == (inspection.checkpoint, settings):
                return known
            thresholds = inspection.thresholds
            new = NewProposal(
                preset=inspection.preset,
                checkpoint=inspection.checkpoint,
                settings=settings,
                image_score=inspection.image_score,
                threshold=inspection.threshold,
                suspicious=None if thresholds is None else thresholds.suspicious,
                verdict=inspection.verdict,
                mask=inspection.pred_mask,
            )
            return self.workspace.add_proposal(digest, new)

    def propose_all(
        self, preset: str, *, is_cancelled: Callable[[], bool] = lambda: False
    ) -> Iterator[ProposingProgress]:
        """Propose for every image that this preset's model has none for, oldest first.

        Args:
            preset: name of a preset.
            is_cancelled: asked before every image; what was stored until then stays.
        Returns:
            Progress, once at the start and after every image.
        Raises:
            WeightsError: the preset's weights are missing or damaged.
            UnknownModelError: there is no such preset.
            StoreError: the workspace cannot be written to.
        """
        name = get_preset(asked_for(preset).preset).name
        checkpoint = self.inspector.model(name).checkpoint_digest
        total = self.workspace.queue(limit=1).total
        is_compared = asked_for(preset).beside_normals
        progress = ProposingProgress(0, total, 0, ())
        yield progress
        for image in self.workspace.images():
            if is_cancelled():
                return
            proposed, refused = progress.proposed, progress.refused
            known = self.workspace.newest_proposal(image.digest, preset=name)
            compared = self.beside_normals.digests(image.digest) if is_compared else ()
            if known is None or (known.checkpoint, references_in(known.settings)) != (checkpoint, compared):
                try:
                    self.picture(image.digest)
                    self.references(image.digest, preset)
                except ExpectedError as error:
                    refused = (*refused, str(error))
                else:
                    self.propose(image.digest, preset)
                    proposed += 1
            done = progress.done + 1
            progress = ProposingProgress(done, max(total, done), proposed, refused)
            yield progress


def settings_of(preset: str) -> InspectionConfig:
    """The settings that a preset proposes with: its own.

    Raises:
        UnknownModelError: there is no such preset.
    """
    entry = get_preset(preset)
    return InspectionConfig(top_k=entry.top_k, blur_sigma=entry.blur_sigma)


def references_in(settings: str) -> tuple[str, ...]:
    """Digests of the references that a stored proposal was compared with."""
    record = json.loads(settings or "{}")
    return tuple(record.get("references", {}).get("digests", ()))


def settings_text(inspection: Inspection) -> str:
    """The settings behind an inspection as JSON, always in the same order."""
    settings, sources = inspection.settings, inspection.references
    record = {
        "layers": list(inspection.layers),
        "top_k": settings.top_k,
        "blur_sigma": settings.blur_sigma,
        "threshold_set_by_hand": settings.threshold,
        **({} if inspection.alpha is None else {"alpha": inspection.alpha}),
        **({} if inspection.top_patches is None else {"top_patches": inspection.top_patches}),
        **(
            {}
            if sources is None
            else {"references": {"digests": list(sources.digests), "weight": round(sources.weight, 4)}}
        ),
    }
    return json.dumps(record, sort_keys=True)


def proposed_by(preset: str, settings: str) -> str:
    """What made a stored proposal: the preset's title, and how many confirmed normals it was compared with."""
    count = len(references_in(settings))
    with_normals = f" with {count} confirmed normal{'s' if count > 1 else ''}" if count else ""
    return f"{title_of(preset)}{with_normals}"


def title_of(preset: str) -> str:
    """How a preset is called on the page; one that no longer exists keeps its name."""
    return PRESETS[preset].title if preset in PRESETS else preset
