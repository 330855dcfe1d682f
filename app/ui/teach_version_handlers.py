"""What happens when someone acts on a version: use it, go back, delete, export, import."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from app.ui.components import is_uploaded
from app.ui.teach_handlers import DELETE, DELETE_REALLY, TeachDesk
from app.ui.teach_version_views import SHIPPED, SHIPPED_TITLE
from models.errors import DataError


class VersionDesk:
    """The handlers; each returns a sentence on what was done."""

    def __init__(self, desk: TeachDesk) -> None:
        """Work on the desk's workspace."""
        self._desk = desk
        self._shelf = desk.workspace.versions

    def activate(self, preset: str, chosen: str, author: str) -> str:
        """Let Inspect, Correct, the API and the command line use a version from now on.

        Raises:
            StoreError: it is gone or damaged, or the workspace cannot be written to.
        """
        self._shelf.activate(preset, None if chosen == SHIPPED else chosen, author)
        return f"{self._name(chosen).capitalize()} is in use now, everywhere."

    def keep_old(self, preset: str, chosen: str, author: str) -> str:
        """Go on with what a version was built on; a version that is not in use just stays in the list.

        Raises:
            StoreError: the old one is gone, or the workspace cannot be written to.
        """
        if chosen == SHIPPED:
            raise DataError("The shipped head is built on nothing; there is no older one to keep.")
        if self._shelf.active(preset) != chosen:
            return f"{self._active_name(preset).capitalize()} stays in use; {self._name(chosen)} is kept in the list."
        parent = self._shelf.get(chosen, preset).parent
        here = {version.id for version in self._shelf.list(preset)}
        return self.activate(preset, parent if parent in here else SHIPPED, author)

    def roll_back(self, preset: str, author: str) -> str:
        """Use again what was used before.

        Raises:
            StoreError: there is nothing to go back to, or the workspace cannot be written to.
        """
        return f"Rolled back: {self._name(self._shelf.roll_back(preset, author) or SHIPPED)} is in use now."

    def delete(self, chosen: str, label: str) -> tuple[Any, str]:
        """Delete a version at the second press; the first one asks.

        Args:
            chosen: the version.
            label: what stands on the button.
        Returns:
            The button, and what was done.
        Raises:
            StoreError: it is in use or gone, or the workspace cannot be written to.
        """
        if chosen == SHIPPED:
            raise DataError("The shipped head belongs to the app and cannot be deleted.")
        name = self._name(chosen)
        if label != DELETE_REALLY:
            return gr.update(value=DELETE_REALLY, variant="stop"), f"Press once more to delete {name} for good."
        self._shelf.delete(chosen)
        return gr.update(value=DELETE, variant="secondary"), f"{name.capitalize()} is deleted."

    def export(self, chosen: str) -> str:
        """Copy a version's file for a download; returns its path.

        Raises:
            StoreError: it is gone or damaged.
        """
        if chosen == SHIPPED:
            raise DataError("The shipped head comes with the app; choose a version to export.")
        return str(self._shelf.export(chosen, self._desk.scratch.folder()))

    def take_in(self, path: str | None, preset: str, author: str) -> str:
        """Import a version's file.

        Raises:
            WeightsError: it is no head file.
            StoreError: it fits no preset, or the workspace cannot be written to.
        """
        if path is None or not is_uploaded(path) or not Path(path).is_file():
            raise DataError("Nothing arrived; choose a version's file again.")
        version = self._shelf.take_in(Path(path), author)
        other = "" if version.preset == preset else f" It belongs to {version.preset}; choose that above to see it."
        return f"Imported as {version.name}; it is not in use until you activate it.{other}"

    def _name(self, chosen: str) -> str:
        return SHIPPED_TITLE if chosen == SHIPPED else self._shelf.get(chosen).name

    def _active_name(self, preset: str) -> str:
        return self._name(self._shelf.active(preset) or SHIPPED)
