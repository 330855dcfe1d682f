"""Files for the page and for downloads: written once, shown or downloaded once, thrown away in turn."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections import deque
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_FOLDERS_KEPT = 48
_RUN_LENGTHS = 3  # zlib's Z_RLE: lossless, without the search for longer matches


class Scratch:
    """A temporary folder of the process; each file gets a folder of its own so that its name can be plain."""

    def __init__(self) -> None:
        """Make the folder; it goes when the process ends."""
        self._root = tempfile.TemporaryDirectory(prefix="oddity-")
        self._folders: deque[Path] = deque()
        self._lock = threading.Lock()

    def folder(self) -> Path:
        """A new empty folder; the oldest ones are removed, as Gradio has copied what it needed."""
        with self._lock:
            made = Path(tempfile.mkdtemp(dir=self._root.name))
            self._folders.append(made)
            while len(self._folders) > _FOLDERS_KEPT:
                shutil.rmtree(self._folders.popleft(), ignore_errors=True)
        return made

    def renew(self, path: str) -> bool:
        """Keep a file as if it were written now; False if it has been removed."""
        folder = Path(path).parent
        with self._lock:
            if folder not in self._folders:
                return False
            self._folders.remove(folder)
            self._folders.append(folder)
        return True

    def png(self, pixels: NDArray[np.uint8], name: str) -> str:
        """Write a picture for the page.

        Args:
            pixels: (H, W, 3 or 4).
            name: the file's name without ending.
        Returns:
            The file's path.
        """
        path = self.folder() / f"{name}.png"
        # On a local connection compressing harder costs more time than it saves.
        Image.fromarray(pixels).save(path, compress_level=1, compress_type=_RUN_LENGTHS)
        return str(path)
