"""What every writer does: put pictures under names of their own, and keep the ledger that goes beside them."""

from __future__ import annotations

import shutil
from pathlib import Path

from app.store.exchange.base import Annotated
from app.store.exchange.names import NameBook, image_name
from app.store.exchange.sidecar import Ledger


class ExportFolder:
    """The folder that a format is written to."""

    def __init__(self, folder: Path, format_name: str) -> None:
        self.folder = folder
        self._names = NameBook()
        self._ledger = Ledger(format_name)

    def place(self, item: Annotated, under: str) -> str:
        """Copy the picture, byte for byte, into a folder below; its stem is used by no other picture of the export.

        Returns:
            Its path relative to the folder.
        """
        relative = f"{under}/{self.name_for(item)}"
        target = self.folder / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(item.path, target)
        return relative

    def name_for(self, item: Annotated) -> str:
        """A name whose stem no other picture of the export has; asked for once for each."""
        return self._names.give(image_name(item.image.name, item.path), item.image.digest)

    def put(self, relative: str, data: bytes) -> None:
        """Write a file below."""
        target = self.folder / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    def note(self, item: Annotated, file: str, annotation: bytes) -> None:
        """See `Ledger.add`."""
        self._ledger.add(item, file, annotation)

    def finish(self) -> None:
        """Write the ledger."""
        self._ledger.write(self.folder)
