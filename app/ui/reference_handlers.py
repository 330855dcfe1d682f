"""What happens when someone adds or removes reference pictures; plain values in, component values out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import gradio as gr

from app.services.references import MOST_REFERENCES
from app.services.workspace_references import ConfirmedNormals, confirmed_normals
from app.ui import reference_views as views
from app.ui.handlers import Desk
from app.ui.session import PictureRef, Session
from app.ui.shown import Chosen
from models.errors import DataError, PictureError
from models.registry import DEFAULT_PRESET, PRESETS

if TYPE_CHECKING:
    from app.store.workspace import Workspace


class References(NamedTuple):
    """New values for what shows the references, in the order of `ReferencePanel.outputs`."""

    session: Any
    title: Any
    pictures: dict[str, Any]
    says: Any


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceDesk:
    """What the panel's handlers work with; one for the whole process."""

    desk: Desk
    workspace: Workspace | None  # None: there is none here

    def add(self, paths: Sequence[str], session: Session) -> References:
        """Take pictures to those that are there; one that cannot be read is left out, and a sentence says why.

        Raises:
            DataError: there would be too many; those that were there stay.
        """
        present = self._newest(session).references
        if len(paths) > MOST_REFERENCES:
            raise DataError(
                f"{len(paths)} pictures are more than can be compared with; choose at most {MOST_REFERENCES}, such as "
                "those that differ most."
            )
        opened: list[PictureRef] = []
        told: list[str] = []
        for path in paths:
            try:
                ref = self.desk.references.open(path)
            except PictureError as error:
                told.append(f"{error} It is left out.")
                continue
            if ref.digest in {known.digest for known in (*present, *opened)}:
                told.append(f"{ref.name} is there already, so it counts once.")
            else:
                opened.append(ref)
        together = (*present, *opened)
        if len(together) > MOST_REFERENCES:
            raise DataError(
                f"{len(present)} and {len(opened)} more are {len(together)} normal pictures; {MOST_REFERENCES} can be "
                f"used, so remove some or add at most {MOST_REFERENCES - len(present)}."
            )
        return self._use(together, session, told)

    def remove(self, digest: str, session: Session) -> References:
        """Take one picture away."""
        return self._use(tuple(ref for ref in self._newest(session).references if ref.digest != digest), session)

    def clear(self, session: Session) -> References:
        """Take all pictures away."""
        return self._use((), session)

    def use_workspace(self, session: Session) -> References:
        """Use the newest confirmed normals of the workspace in the place of what is there.

        Raises:
            DataError: nothing was confirmed as normal there yet.
        """
        normals = self.normals()
        if normals is None or not normals.images:
            raise DataError(
                "Nobody has called a picture of this workspace normal yet; do so in Correct (the N key), or drop "
                "normal pictures here."
            )
        assert self.workspace is not None
        opened, told = [], []
        for image in normals.images:
            path = str(self.workspace.image_path(image.digest))
            try:
                opened.append(self.desk.references.open(path, image.name))
            except PictureError as error:
                told.append(f"{error} It is left out.")
        if not opened:
            raise DataError(f"None of the workspace's confirmed normals can be read ({told[0]})")
        return self._use(tuple(opened), session, told)

    def without_references(self, session: Session) -> tuple[Any, ...]:
        """The default method in the place of one that knows nothing but references, once these are gone.

        Returns:
            The method's name, and what `Desk.choose_preset` returns; nothing changes where all is well.
        """
        if session.references or not PRESETS[session.preset].needs_references:
            return (gr.skip(),) * (1 + len(Chosen._fields))
        return PRESETS[DEFAULT_PRESET].method, *self.desk.choose_preset(DEFAULT_PRESET, session)

    def normals(self) -> ConfirmedNormals | None:
        """What the workspace has at the moment; None = there is no workspace."""
        return None if self.workspace is None else confirmed_normals(self.workspace)

    def _use(self, references: tuple[PictureRef, ...], session: Session, told: Sequence[str] = ()) -> References:
        newest = self._newest(session)
        weight = newest.reference_weight if references else None
        # A threshold by hand was in the units of other references, or of none.
        chosen = replace(newest, references=references, reference_weight=weight, threshold=None)
        self.desk.newest.choose(chosen)
        thumbnails = [self.desk.references.thumbnail(ref) for ref in references]
        return References(
            chosen,
            gr.update(label=views.panel_title(len(references))),
            views.list_value(references, thumbnails, told),
            views.says_value(chosen),
        )

    def _newest(self, session: Session) -> Session:
        """The session with the page's last choices: events that are on their way know older ones."""
        newest = self.desk.newest.of(session)
        return replace(session.with_page(), picture=newest.picture, references=newest.references)
