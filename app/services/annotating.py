"""Correcting one image: what a person sees when it is opened, and what is kept when it is saved.

The page, the API and tests all go through `Annotator`; the store keeps, the inspector proposes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from app.services.beside_normals import asked_for
from app.services.colours import ColourScale, fused_scale
from app.services.inspection import FloatMaps, Inspection
from app.services.next_to_label import NextToLabel
from app.services.proposing import Proposer, proposed_by, settings_of
from app.services.snapping import snap
from app.services.thumbnails import Thumbnails
from app.store.errors import StoreError
from app.store.records import DefectClass, Label, NewRevision, Proposal, QueueItem, Revision, Saved, Source
from models.data.pictures import Picture
from models.errors import DataError, ExpectedError

if TYPE_CHECKING:
    from app.services.inspector import Inspector
    from app.store.workspace import Workspace

Mask = NDArray[np.bool_]
MaskFrom = Literal["revision", "proposal", "empty"]


@dataclass(frozen=True, slots=True, eq=False)
class AnomalyMaps:
    """What the model saw, small enough to be sent to a browser."""

    fused: FloatMaps  # (S, S) at the model's input size; bilinear to the image's size gives the full map
    scale: ColourScale  # of the fused map
    layers: tuple[int, ...]  # counted from 1
    layer_maps: FloatMaps  # (len(layers), gh, gw)
    layer_scale: ColourScale


@dataclass(frozen=True, slots=True, eq=False)
class OpenedImage:
    """An image, ready to be corrected."""

    item: QueueItem
    picture: Picture
    mask: Mask  # (H, W), what the editor starts with
    mask_from: MaskFrom
    proposal: Proposal | None  # of the preset that was asked for
    proposal_title: str
    proposal_mask: Mask | None
    proposal_problem: str | None  # why there is no proposal, or no map
    maps: AnomalyMaps | None
    defect_classes: tuple[str, ...]  # all names that the workspace knows


@dataclass(frozen=True, slots=True, eq=False)
class Correction:
    """What a person decided about an image."""

    label: Label
    mask: Mask | None
    author: str
    classes: tuple[DefectClass, ...] = ()
    note: str = ""
    based_on: int = 0  # number of the revision the person saw; 0 = none
    proposal_id: int | None = None  # the proposal the mask started from
    save_id: str = ""
    through_api: bool = False


class Annotator:
    """Opens images of the workspace for correction and saves what people decide; shared by all visitors."""

    def __init__(self, workspace: Workspace, inspector: Inspector) -> None:
        """Prepare; no model is loaded yet."""
        self.workspace = workspace
        self.proposer = Proposer(workspace, inspector)
        self.next_to_label = NextToLabel(self.proposer)
        self.thumbnails = Thumbnails(workspace)

    def open(self, digest: str, preset: str) -> OpenedImage:
        """Everything the editor needs; a missing model leaves an image that can be corrected without a proposal.

        Args:
            digest: an image of the workspace.
            preset: name of the preset that proposes, with BESIDE_NORMALS where the image is compared with confirmed
                normals too; "" = no model runs, and the newest stored proposal is shown.
        Raises:
            UnknownImageError: there is no such image.
            StoreError: its file is missing or damaged.
        """
        picture = self.proposer.picture(digest)
        proposal, maps, problem = self._proposed(picture, preset) if preset else (None, None, None)
        item = self.workspace.item(digest)
        if not preset:
            proposal = item.proposal
        proposal_mask = None
        if proposal is not None:
            try:
                proposal_mask = self.workspace.mask(proposal.mask_digest)
            except StoreError as error:  # a damaged proposal must not keep a correction out
                proposal, problem = None, str(error)
        empty = np.zeros(picture.rgb.shape[:2], dtype=np.bool_)
        mask = empty
        mask_from: MaskFrom = "empty"
        if item.newest is not None:
            mask_from = "revision"
            mask = empty if item.newest.mask_digest is None else self.workspace.mask(item.newest.mask_digest)
        elif proposal_mask is not None:
            mask, mask_from = proposal_mask, "proposal"
        return OpenedImage(
            item=item,
            picture=picture,
            mask=mask,
            mask_from=mask_from,
            proposal=proposal,
            proposal_title="" if proposal is None else proposed_by(proposal.preset, proposal.settings),
            proposal_mask=proposal_mask,
            proposal_problem=problem,
            maps=maps,
            defect_classes=self.workspace.defect_classes(),
        )

    def propose(self, digest: str, preset: str) -> tuple[Proposal, Inspection]:
        """The stored proposal and the inspection it is from; raises what `Proposer.propose` raises."""
        inspection = self.proposer.inspect(digest, preset)
        return self.proposer.store(digest, inspection), inspection

    def save(self, digest: str, correction: Correction) -> Saved:
        """Keep a correction as a new revision.

        Raises:
            UnknownImageError: there is no such image.
            DataError: the proposal is of another image.
            StoreError: the mask does not fit, or the workspace cannot be written to.
        """
        new = NewRevision(
            label=correction.label,
            mask=correction.mask,
            author=correction.author,
            classes=correction.classes,
            source=self._source(digest, correction),
            note=correction.note,
            based_on=correction.based_on,
            save_id=correction.save_id,
        )
        return self.workspace.save(digest, new)

    def snap(self, digest: str, mask: Mask) -> Mask:
        """Move a mask's boundary to the edges of its image.

        Raises:
            UnknownImageError: there is no such image.
            DataError: the mask is empty or of another size.
        """
        picture = self.proposer.picture(digest)
        height, width = picture.rgb.shape[:2]
        if mask.shape != (height, width):
            raise DataError(
                f"The mask is {mask.shape[1]} x {mask.shape[0]} pixels, its image {width} x {height}; open it again."
            )
        return snap(picture.rgb, mask)

    def _proposed(self, picture: Picture, preset: str) -> tuple[Proposal | None, AnomalyMaps | None, str | None]:
        """The proposal, its maps, and otherwise why there are none."""
        name = asked_for(preset).preset
        try:
            settings, references = settings_of(name), self.proposer.references(picture.digest, preset)
            inspection = self.proposer.inspector.inspect(picture, name, settings, references)
            fused = self.proposer.inspector.input_map(
                picture, name, settings, references, head=inspection.head or "shipped"
            )
            proposal = self.proposer.store(picture.digest, inspection)
        except ExpectedError as error:
            return self.workspace.newest_proposal(picture.digest, preset=name), None, str(error)
        chosen = [inspection.available_layers.index(layer) for layer in inspection.layers]
        maps = AnomalyMaps(
            fused, fused_scale(inspection), inspection.layers, inspection.layer_maps[chosen], inspection.layer_scale
        )
        return proposal, maps, None

    def _source(self, digest: str, correction: Correction) -> Source:
        """Where a correction comes from; with a proposal: which preset, checkpoint and settings made it."""
        source = Source(kind="api" if correction.through_api else "hand")
        if correction.proposal_id is None:
            return source
        proposal = self.workspace.proposal(correction.proposal_id)
        if proposal.image_digest != digest:
            raise DataError(f"Proposal {proposal.id} is of another image; open the image again and save once more.")
        return replace(
            source,
            kind="proposal",
            preset=proposal.preset,
            checkpoint=proposal.checkpoint,
            settings=proposal.settings,
            proposal_id=proposal.id,
            detail="as proposed" if self._is_as_proposed(correction.mask, proposal) else "edited",
        )

    def _is_as_proposed(self, mask: Mask | None, proposal: Proposal) -> bool:
        try:
            return mask is not None and np.array_equal(mask, self.workspace.mask(proposal.mask_digest))
        except StoreError:  # a damaged proposal must not keep a correction out
            return False


def source_text(revision: Revision) -> str:
    """Where a revision comes from, in one line for people."""
    source = revision.source
    if source.kind == "proposal":
        return f"{source.detail}: {proposed_by(source.preset, source.settings)}, checkpoint {source.checkpoint[:8]}"
    if source.kind == "hand":
        return "drawn by hand"
    names = {"import": "imported", "restore": "restored", "api": "through the API"}
    return f"{names.get(source.kind, source.kind)} {source.detail}".strip()
