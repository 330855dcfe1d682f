"""What one visitor's page remembers, and the pictures that the server keeps for all of them.

A session holds digests and plain values only (Gradio copies it); arrays stay in a bounded shelf.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from app.services.caches import BoundedCache
from app.services.rendering import fit
from app.ui.scratch import Scratch
from models.data.pictures import Picture, load_picture
from models.errors import PictureError
from models.methods.prompts import PromptSet
from models.registry import DEFAULT_PRESET

PREVIEW_PX = 1200
_SMALLEST_PREVIEW_PX = 760  # smaller pictures are enlarged, else outlines and numbers would be coarse
_PAGES_KEPT: Final = 10_000
_SHELF_BYTES = 512 * 2**20


@dataclass(frozen=True, slots=True)
class PictureRef:
    """Which picture a session looks at."""

    path: str  # on the server
    name: str
    digest: str  # SHA-256 of the file


@dataclass(frozen=True, slots=True)
class Session:
    """One visitor's choices that are not the value of a control."""

    page: str = ""  # which page this is, known once it is loaded
    preset: str = DEFAULT_PRESET
    picture: PictureRef | None = None
    threshold: float | None = None  # set by hand, in units of the fused map; None = calibrated
    references: tuple[PictureRef, ...] = ()  # normal pictures that each picture is compared with
    reference_weight: float | None = None  # set by hand; None = by the rule
    prompts: PromptSet | None = None  # words of one's own, for methods that compare with text; None = the model's own
    drawn: str = ""  # the values of the controls that the result on screen was made with
    sheet: tuple[str, ...] = ()  # what the layer sheet on screen shows; it is drawn again only if this changes
    sources: tuple[str, ...] = ()  # likewise the maps of the method alone and of the references alone

    def with_page(self) -> Session:
        """The same with a page, which is a new one if there is none yet."""
        return self if self.page else replace(self, page=uuid4().hex)


class NewestChoices:
    """What every page asked for last, so that a slow event does not overwrite a newer choice."""

    def __init__(self) -> None:
        """Know nothing."""
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def of(self, session: Session) -> Session:
        """The last choice of the session's page."""
        return self._sessions.get(session.page, session)

    def is_outdated(self, session: Session) -> bool:
        """Whether its page has chosen another picture, preset, other words or references since."""
        return _choices(self.of(session)) != _choices(session)

    def choose(self, session: Session) -> None:
        """Make this the last choice of its page; pages that did nothing for long are forgotten."""
        if not session.page:
            return
        self._sessions[session.page] = session
        self._sessions.move_to_end(session.page)
        while len(self._sessions) > _PAGES_KEPT:
            self._sessions.popitem(last=False)

    @contextmanager
    def choosing(self, session: Session) -> Iterator[None]:
        """`choose`, taken back if what is done with it fails and nothing newer was chosen."""
        before = self.of(session)
        self.choose(session)
        try:
            yield
        except BaseException:
            if self.of(session) is session:
                self.choose(before)
            raise


def _choices(session: Session) -> tuple[object, ...]:
    return session.picture, session.preset, session.prompts, session.references


@dataclass(frozen=True, slots=True, eq=False)
class ShelvedPicture:
    """A picture as the page needs it."""

    picture: Picture
    preview: NDArray[np.uint8]  # (h, w, 3), enlarged or shrunk for the page
    preview_path: str  # the preview as a PNG


class PictureShelf:
    """Pictures by digest and name; the least recently used are dropped and read again when they are wanted.

    The name is part of the key because results carry it: two visitors may call one picture differently.
    """

    def __init__(self, scratch: Scratch) -> None:
        """Make an empty shelf whose previews go to `scratch`."""
        self._scratch = scratch
        self._kept: BoundedCache[tuple[str, str], ShelvedPicture] = BoundedCache(
            _SHELF_BYTES, lambda shelved: shelved.picture.rgb.nbytes + shelved.preview.nbytes
        )

    def open(self, path: str) -> PictureRef:
        """Read a picture file and keep it.

        Raises:
            PictureError: it cannot be read as a picture.
        """
        picture = load_picture(Path(path))
        self._kept.put((picture.digest, picture.name), self._prepare(picture))
        return PictureRef(path=path, name=picture.name, digest=picture.digest)

    def get(self, ref: PictureRef) -> ShelvedPicture:
        """The picture that a session looks at.

        Raises:
            PictureError: it was dropped and its file is gone or has changed.
        """
        kept = self._kept.get((ref.digest, ref.name))
        if kept is not None and self._scratch.renew(kept.preview_path):
            return kept
        if not Path(ref.path).is_file():
            raise PictureError(f"{ref.name} is no longer kept on the server; choose the picture again.")
        picture = load_picture(Path(ref.path))
        if picture.digest != ref.digest:
            raise PictureError(f"{ref.name} has changed on the server; choose the picture again.")
        shelved = self._prepare(picture)
        self._kept.put((ref.digest, ref.name), shelved)
        return shelved

    def _prepare(self, picture: Picture) -> ShelvedPicture:
        preview = fit(picture.rgb, _SMALLEST_PREVIEW_PX, PREVIEW_PX)
        return ShelvedPicture(picture, preview, self._scratch.png(preview, "original"))
