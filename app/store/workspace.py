"""A workspace: images, proposals and annotations that outlive the browser, the server and the program's version.

Nothing in it is overwritten or deleted: each save is a further revision, and a deletion is one too.  Threads may share
a `Workspace`; processes each open their own on the same folder.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from app.store import queries, queue, saving
from app.store.blobs import BlobFolder, is_digest
from app.store.database import BUSY_TIMEOUT_S, Database
from app.store.errors import StoreError
from app.store.folder import IMAGES, MASKS, TEACHING, VERSIONS, open_database
from app.store.jobs import JobFolder
from app.store.masks import decode_png
from app.store.migrations import read_state
from app.store.records import (
    Added,
    Mask,
    NewProposal,
    NewRevision,
    Proposal,
    QueueItem,
    QueuePage,
    Revision,
    Saved,
    Sort,
    State,
    StoredImage,
)
from app.store.rows import revision_of
from app.store.versions import VersionShelf
from models.data.pictures import MAX_PIXELS


class Workspace:
    """A workspace that is open.  Close it, or use it as a context manager."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder = folder
        self.database = database
        self.image_files = BlobFolder(folder / IMAGES, kind="picture file")
        self.mask_files = BlobFolder(folder / MASKS, ".png", kind="mask file")
        self.versions = VersionShelf(folder / VERSIONS, read_only=database.read_only)
        self.jobs = JobFolder(folder / TEACHING, read_only=database.read_only)

    @classmethod
    def open(
        cls,
        folder: Path,
        database_url: str | None = None,
        *,
        create: bool = True,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
    ) -> Workspace:
        """Open a workspace.

        Args:
            folder: where its files lie; one that may not be written is opened for reading.
            database_url: of a PostgreSQL database; None for the SQLite file in the folder.
            create: make the workspace where there is none.
            busy_timeout_s: how long to wait for others who write.
        Raises:
            StoreError: the folder or the database is missing, is something else or cannot be used.
        """
        return cls(folder, open_database(folder, database_url, create=create, busy_timeout_s=busy_timeout_s))

    def close(self) -> None:
        """Close the database; what is stored is stored already."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def read_only(self) -> bool:
        """Whether the folder may only be read; every change is refused then."""
        return self.database.read_only

    @property
    def identity(self) -> str:
        """What tells this workspace from every other, wherever its folder is moved."""
        with self.database.reading() as connection:
            return read_state(connection, self.database.place).identity

    def add_image(
        self, data: bytes, name: str, *, author: str, origin: str = "", max_pixels: int = MAX_PIXELS
    ) -> Added:
        """Store a picture file, unless these very bytes are there.

        Args:
            data: the whole file.
            name: how it is called; its last 255 characters are kept.
            author: who adds it.
            origin: where it came from, for people.
            max_pixels: more pixels than this are refused before they are decoded.
        Raises:
            PictureError: these bytes are no picture, are damaged or too large.
            StoreError: the disk or the database refuses.
        """
        return saving.save_image(
            self.database,
            self.image_files,
            data,
            name,
            author=author,
            origin=origin,
            max_pixels=max_pixels,
        )

    def image(self, digest: str) -> StoredImage:
        """The image with this digest.

        Raises:
            UnknownImageError: there is none.
        """
        with self.database.reading() as connection:
            return queries.image(connection, digest)

    def image_path(self, digest: str) -> Path:
        """The image's file.

        Raises:
            UnknownImageError: there is no such image.
        """
        return self.image_files.path(self.image(digest).digest)

    def image_bytes(self, digest: str) -> bytes:
        """The bytes of the image's file, checked against the digest.

        Raises:
            UnknownImageError: there is no such image.
            StoreError: the file is missing or damaged.
        """
        return self.image_files.read(self.image(digest).digest)

    def images(self) -> Iterator[StoredImage]:
        """All images, oldest first, read in parts; one that is added meanwhile comes too."""
        last_id = 0
        while True:
            with self.database.reading() as connection:
                part = queries.images_after(connection, last_id)
            yield from (image for _, image in part)
            if len(part) < queries.PART:
                return
            last_id = part[-1][0]

    def save(self, digest: str, new: NewRevision) -> Saved:
        """Store an annotation as a further revision; when this returns it is on the disk.

        Raises:
            ValueError: the caller's mistake: no such label, a mask that is not bool.
            UnknownImageError: there is no such image.
            StoreError: the annotation contradicts itself or its image, or the disk or the database refuses.
        """
        return saving.save_revision(self.database, self.mask_files, self.image(digest), new)

    def delete(self, digest: str, *, author: str, based_on: int = 0, note: str = "", save_id: str = "") -> Saved:
        """Let the image's annotation count no longer, by a further revision; all of them can be restored.

        Raises:
            UnknownImageError: there is no such image.
            StoreError: it has no annotation, or the database refuses.
        """
        return saving.save_deletion(
            self.database, self.image(digest), author=author, based_on=based_on, note=note, save_id=save_id
        )

    def restore(self, digest: str, number: int, *, author: str, based_on: int = 0, save_id: str = "") -> Saved:
        """Store an old revision once more, as the newest.

        Raises:
            UnknownImageError: there is no such image.
            StoreError: it has no such annotation, its mask is damaged, or the database refuses.
        """
        return saving.save_restored(
            self.database,
            self.mask_files,
            self.image(digest),
            number,
            author=author,
            based_on=based_on,
            save_id=save_id,
        )

    def newest(self, digest: str) -> Revision | None:
        """The annotation that counts; None where nobody saved one, or the last save was a deletion."""
        with self.database.reading() as connection:
            return queries.newest(connection, digest)

    def history(self, digest: str) -> tuple[Revision, ...]:
        """All revisions of an image, deletions too, newest first."""
        with self.database.reading() as connection:
            return queries.history(connection, digest)

    def revision(self, digest: str, number: int) -> Revision:
        """One revision of an image.

        Raises:
            StoreError: there is none of that number.
        """
        with self.database.reading() as connection:
            return revision_of(queries.revision_row(connection, digest, number), digest)

    def mask(self, mask_digest: str) -> Mask:
        """The mask that a revision or a proposal names.

        Raises:
            StoreError: there is none, or its file is missing or damaged.
        """
        if not is_digest(mask_digest):
            raise StoreError(f"{mask_digest[:64]!r} names no mask; take the name from a revision or a proposal.")
        return decode_png(self.mask_files.read(mask_digest), f"The mask {mask_digest[:12]}")

    def add_proposal(self, digest: str, new: NewProposal) -> Proposal:
        """Store what a model suggests for an image.

        Raises:
            ValueError: a number is not finite, or the mask is not bool.
            StoreError: the image is unknown, the mask is of another size, or the disk or the database refuses.
        """
        return saving.save_proposal(self.database, self.mask_files, self.image(digest), new)

    def proposal(self, proposal_id: int) -> Proposal:
        """The proposal with this id.

        Raises:
            StoreError: there is none.
        """
        with self.database.reading() as connection:
            return queries.proposal(connection, proposal_id)

    def newest_proposal(self, digest: str, *, preset: str | None = None) -> Proposal | None:
        """The newest proposal for an image, of one preset or of any."""
        with self.database.reading() as connection:
            return queries.newest_proposal(connection, digest, preset)

    def queue(
        self, *, states: Collection[State] = (), sort: Sort = "newest", offset: int = 0, limit: int = 50
    ) -> QueuePage:
        """A part of the queue: images in one of `states`, or all; `newest` and `oldest` go by when they were added.

        By score the highest come first, by uncertainty those next to the threshold, by benefit those from which a model
        is expected to learn most; images without a number come last.
        """
        with self.database.reading() as connection:
            return queue.page(connection, states, sort, offset, limit)

    def item(self, digest: str) -> QueueItem:
        """One image and how far it is.

        Raises:
            UnknownImageError: there is no such image.
        """
        with self.database.reading() as connection:
            return queue.items(connection, [queries.standing(connection, digest)["image_id"]])[0]

    def version(self) -> int:
        """A number that grows with every image, revision and proposal."""
        with self.database.reading() as connection:
            return queries.version(connection)

    def changed_since(self, version: int) -> tuple[str, ...]:
        """The digests of the images that got something after that version."""
        with self.database.reading() as connection:
            return queries.changed_since(connection, version)

    def annotated(self) -> Iterator[tuple[StoredImage, Revision]]:
        """Every image with its live revision, by name, then digest, read in parts."""
        last = ("", "")
        while True:
            with self.database.reading() as connection:
                part = queries.annotated_after(connection, last)
            yield from part
            if len(part) < queries.PART:
                return
            last = (part[-1][0].name, part[-1][0].digest)

    def newest_normals(self, limit: int) -> tuple[int, tuple[StoredImage, ...]]:
        """How many images a person has called normal, and at most `limit` of them, the newest decision first."""
        with self.database.reading() as connection:
            return queries.newest_normals(connection, limit)

    def defect_classes(self) -> tuple[str, ...]:
        """Every name that a region ever had, in the order of the alphabet."""
        with self.database.reading() as connection:
            return queries.defect_classes(connection)
