"""From an annotation that a person made to its file and its row: the file first, so that a row never lacks it."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import numpy as np

from app.store import changes, queries
from app.store.blobs import BlobFolder
from app.store.components import regions_of
from app.store.database import Database
from app.store.errors import StoreError
from app.store.masks import decode_png, encode_png
from app.store.records import Added, Mask, NewProposal, NewRevision, Proposal, Saved, StoredImage
from app.store.rows import proposal_row, revision_row, stored_text, time_text
from app.store.rules import MAX_NAME, require_proposal, require_revision, require_texts
from models.data.pictures import picture_from_bytes


def save_image(
    database: Database, images: BlobFolder, data: bytes, name: str, *, author: str, origin: str, max_pixels: int
) -> Added:
    """Store a picture's file and then its row, unless these very bytes are there.

    Raises:
        PictureError: these bytes are no picture, are damaged or too large.
        StoreError: the disk or the database refuses.
    """
    digest = hashlib.sha256(data).hexdigest()
    with database.reading() as connection:
        known = queries.find_image(connection, digest)
    if known is not None:
        if not database.read_only:
            images.put(data)  # its file may have been lost
        return Added(known, is_new=False)
    picture = picture_from_bytes(data, name, max_pixels=max_pixels)
    database.require_writable()
    images.put(data)
    height, width = picture.rgb.shape[:2]
    image = StoredImage(
        digest=digest,
        name=stored_text(name[-MAX_NAME:]),
        size_hw=(height, width),
        file_bytes=len(data),
        added_at=datetime.now(UTC),
        added_by=stored_text(author),
        origin=stored_text(origin),
        note=stored_text(picture.note),
    )
    with database.writing() as connection:
        known = queries.find_image(connection, digest)
        if known is None:
            changes.add_image(connection, image)
            _keep(images, data, digest)
    return Added(known or image, is_new=known is None)


def save_revision(database: Database, masks: BlobFolder, image: StoredImage, new: NewRevision) -> Saved:
    """Store an annotation's mask and then the annotation.

    Raises:
        ValueError: the caller's mistake, see `require_revision`.
        StoreError: the annotation is refused, or the disk or the database is.
    """
    require_revision(image, new)
    database.require_writable()
    mask = new.mask
    if mask is None and new.label == "normal":
        mask = np.zeros(image.size_hw, dtype=np.bool_)
    shown = np.zeros(image.size_hw, dtype=np.bool_) if mask is None else mask
    regions = regions_of(shown, new.classes)
    values = revision_row(new, int(np.count_nonzero(shown)), regions, datetime.now(UTC))
    with database.reading() as connection:  # before a file is written that nobody would need
        answered = changes.answer_known(connection, image.digest, values)
    if answered is not None:
        return answered
    png = None if mask is None else _encode_like_proposal(database, masks, mask, new.source.proposal_id)
    mask_digest = None if png is None else masks.put(png)
    with database.writing() as connection:
        saved = changes.add_revision(connection, image.digest, {**values, "mask_digest": mask_digest})
        _keep(masks, png, mask_digest)
    return saved


def save_deletion(
    database: Database, image: StoredImage, *, author: str, based_on: int, note: str, save_id: str
) -> Saved:
    """Store that an image's annotation is to count no longer.

    Raises:
        ValueError: `based_on` is negative.
        StoreError: there is no annotation, or the database refuses.
    """
    require_texts(author, note, save_id, based_on)
    database.require_writable()
    new = NewRevision(label="normal", mask=None, author=author, note=note, based_on=based_on, save_id=save_id)
    with database.writing() as connection:
        values = revision_row(new, 0, (), datetime.now(UTC))
        return changes.add_revision(connection, image.digest, {**values, "kind": "delete", "label": None})


def save_restored(
    database: Database,
    masks: BlobFolder,
    image: StoredImage,
    number: int,
    *,
    author: str,
    based_on: int,
    save_id: str,
) -> Saved:
    """Store an old revision once more, as the newest.

    Raises:
        ValueError: `based_on` is negative.
        StoreError: there is no such revision, it is a deletion, its mask is damaged, or the database refuses.
    """
    require_texts(author, "", save_id, based_on)
    database.require_writable()
    with database.reading() as connection:
        old = queries.revision_row(connection, image.digest, number)
    if old["kind"] == "delete":
        raise StoreError(f"Revision {number} of {image.name} is a deletion; choose one with an annotation.")
    png = None if old["mask_digest"] is None else masks.read(old["mask_digest"])
    kept = {name: value for name, value in old.items() if name not in {"id", "image_id", "number"}}
    changed = {
        "author": stored_text(author),
        "saved_at": time_text(datetime.now(UTC)),
        "source_kind": "restore",
        "detail": f"revision {number}",
        "based_on": based_on,
        "save_id": stored_text(save_id) or None,
    }
    with database.writing() as connection:
        saved = changes.add_revision(connection, image.digest, {**kept, **changed})
        _keep(masks, png, old["mask_digest"])
    return saved


def save_proposal(database: Database, masks: BlobFolder, image: StoredImage, new: NewProposal) -> Proposal:
    """Store a proposal's mask and then the proposal.

    Raises:
        ValueError: a number is not finite, or the mask is not bool.
        StoreError: the mask is of another size, or the disk or the database refuses.
    """
    require_proposal(image, new)
    database.require_writable()
    png = encode_png(new.mask)
    mask_digest = masks.put(png)
    with database.writing() as connection:
        values = proposal_row(new, mask_digest, datetime.now(UTC))
        proposal_id = changes.add_proposal(connection, image.digest, values)
        _keep(masks, png, mask_digest)
        return queries.proposal(connection, proposal_id)


def _encode_like_proposal(database: Database, masks: BlobFolder, mask: Mask, proposal_id: int | None) -> bytes:
    """The mask's file; the proposal's own where that shows the same, though another zlib may have packed it."""
    png = encode_png(mask)
    if proposal_id is None:
        return png
    with database.reading() as connection:
        proposal = queries.proposal(connection, proposal_id)
    if hashlib.sha256(png).hexdigest() == proposal.mask_digest:
        return png
    try:
        proposed = masks.read(proposal.mask_digest)
        return proposed if np.array_equal(decode_png(proposed), mask) else png
    except StoreError:  # a damaged proposal must not keep a correction out
        return png


def _keep(files: BlobFolder, data: bytes | None, digest: str | None) -> None:
    """Put a file back that was moved away as an orphan before its row was there; nobody else writes now."""
    if data is not None and digest is not None and not files.has(digest):
        files.put(data)
