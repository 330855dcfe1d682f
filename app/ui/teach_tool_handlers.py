"""What happens in the lower part of the Teach tab: maps side by side, the threshold, what to label next."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import gradio as gr
import numpy as np

from app.services.threshold_figure import threshold_figure
from app.services.threshold_preview import preview_threshold
from app.services.thresholding import set_threshold
from app.services.version_sheet import held_out_sheet, version_sheet
from app.store.records import Label, Mask
from app.store.versions import TaughtRevision, Version
from app.ui.teach_handlers import TeachDesk
from app.ui.teach_tool_views import SHOWN, looking_text, rule_of, suggestions_value, threshold_text
from app.ui.teach_version_views import SHIPPED, SHIPPED_TITLE
from app.ui.teach_views import threshold_change
from models.errors import DataError

if TYPE_CHECKING:
    from models.data.pictures import Picture

MOST_CHOICES: Final = 300
MOST_DRAWN: Final = 4
SHIPPED_HEAD: Final = "shipped head"  # what `VersionShelf.parent_name` calls it
LEFT_OUT: Final = "Taught pictures, before and after; for the numbers above each of them was left out once"


class ToolDesk:
    """The handlers."""

    def __init__(self, desk: TeachDesk) -> None:
        """Work on the desk's workspace."""
        self._desk = desk
        self._annotator = desk.annotator
        self._workspace = desk.workspace
        self._inspector = desk.annotator.proposer.inspector

    def suggestions(self, preset: str) -> dict[str, Any]:
        """The pictures to label next, by what is known of them; no model runs.

        Raises:
            StoreError: the workspace cannot be read.
        """
        found = self._annotator.next_to_label.suggest(preset, limit=SHOWN)
        return suggestions_value(found, self._annotator.thumbnails.many(one.image_digest for one in found))

    def look(self, preset: str) -> Iterator[tuple[str, Any]]:
        """Look at all pictures with a preset; yields how far it is and in the end what to label next.

        Raises:
            WeightsError: the preset's weights are missing or damaged.
            StoreError: the workspace cannot be written to.
        """
        for progress in self._annotator.next_to_label.look(preset):
            is_last = progress.suggestions is not None
            yield looking_text(progress), self.suggestions(preset) if is_last else gr.skip()

    def held_out(self, chosen: str) -> Any:
        """The maps of pictures that a version was measured with, beside those of what it was built on.

        Raises:
            DataError: there is no such picture.
            StoreError: the version or what it was built on is gone.
            WeightsError: a head is missing or damaged.
        """
        if chosen == SHIPPED:
            raise DataError("The shipped head was taught nothing here; choose a version.")
        shelf = self._workspace.versions
        version = shelf.get(chosen)
        apart = [taught for taught in version.revisions if taught.held_out]
        pictures = [self._labelled(taught) for taught in (apart or version.revisions)[:MOST_DRAWN]]
        before = shelf.parent_name(version)
        heads = [(f"before: {before}", self._parent_path(version)), (f"after: {version.name}", shelf.path(version.id))]
        sheet = held_out_sheet(self._inspector, pictures, version.preset, heads)
        label = "Held-out pictures, before and after" if apart else LEFT_OUT
        return gr.update(value=self._desk.scratch.png(np.asarray(sheet), "held-out"), label=label, visible=True)

    def compare(self, preset: str, left: str, right: str, digest: str | None) -> Any:
        """One picture as two versions see it.

        Raises:
            DataError: no picture or no version was chosen.
            StoreError: one of them is gone.
            WeightsError: a head is missing or damaged.
        """
        if not digest:
            raise DataError("Choose a picture to compare the two on.")
        if not left or not right:
            raise DataError("Choose two versions to compare.")
        heads = [self._head(preset, chosen) for chosen in dict.fromkeys((left, right))]
        picture = self._annotator.proposer.picture(digest)
        sheet = version_sheet(self._inspector, picture, preset, heads)
        return gr.update(value=self._desk.scratch.png(np.asarray(sheet), "versions"), visible=True)

    def threshold(self, preset: str, rule: str, rate_percent: float) -> tuple[str, Any]:
        """What a rule would choose, in words and as a histogram; nothing is changed.

        Raises:
            DataError: the labels do not suffice for the rule.
            WeightsError: the preset's weights are missing or damaged.
        """
        seen = preview_threshold(self._annotator.proposer, preset, rule_of(rule, rate_percent))
        figure = threshold_figure(seen.scores, seen.labels, seen.threshold, others=seen.others, in_odds=seen.in_odds)
        path = self._desk.scratch.png(np.asarray(figure), "threshold")
        return threshold_text(seen), gr.update(value=path, visible=True)

    def use_threshold(self, preset: str, rule: str, rate_percent: float, author: str) -> str:
        """Make a version with the threshold that a rule chooses, and use it from now on.

        Raises:
            DataError: the labels do not suffice for the rule.
            WeightsError: the preset's weights are missing or damaged.
            StoreError: something is being taught, or the workspace cannot be written to.
        """
        asked, teaching = rule_of(rule, rate_percent), self._desk.teaching
        with self._workspace.jobs.training():  # both would write the features that are kept
            version = set_threshold(self._workspace, teaching.where, teaching.device, preset, asked, author)
        self._workspace.versions.activate(preset, version.id, author)
        return f"{version.name.capitalize()} is in use now, everywhere: {threshold_change(version)}"

    def _head(self, preset: str, chosen: str) -> tuple[str, Path | None]:
        if chosen == SHIPPED:
            return SHIPPED_TITLE, None
        version = self._workspace.versions.get(chosen, preset)
        return version.name, self._workspace.versions.path(version.id)

    def _parent_path(self, version: Version) -> Path | None:
        """The file of what a version was built on; None: the shipped head.

        Raises:
            DataError: it is gone.
        """
        shelf = self._workspace.versions
        if version.parent in {other.id for other in shelf.list(version.preset)}:
            return shelf.path(version.parent)
        name = shelf.parent_name(version)
        if name != SHIPPED_HEAD:
            raise DataError(f"What {version.name} was built on, {name}, is gone; compare it with another one.")
        return None

    def _labelled(self, taught: TaughtRevision) -> tuple[Picture, Mask | None, Label]:
        """A picture as a version was shown it."""
        revision = self._workspace.revision(taught.image_digest, taught.number)
        mask = None if revision.mask_digest is None else self._workspace.mask(revision.mask_digest)
        assert revision.label is not None
        return self._annotator.proposer.picture(taught.image_digest), mask, revision.label

    def pictures(self) -> Any:
        """The pictures that versions can be compared on: those with a correction first, then the newest."""
        corrected = [(image.name, image.digest) for image, _ in self._workspace.annotated()]
        page = self._workspace.queue(limit=MOST_CHOICES)
        names = {digest: name for name, digest in corrected[:MOST_CHOICES]}
        for item in page.items:
            names.setdefault(item.image.digest, item.image.name)
        choices = [(name, digest) for digest, name in list(names.items())[:MOST_CHOICES]]
        return gr.update(choices=choices)
