"""A few loaded models, the least recently used forgotten first.  Thread-safe."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.loading import LoadedModel

LoadModel = Callable[[str], "LoadedModel"]


class ModelShelf:
    """Loads a model when it is first asked for."""

    def __init__(self, load: LoadModel, kept: int) -> None:
        """Start empty.

        Args:
            load: how a preset's name becomes a model.
            kept: how many stay in memory.
        """
        self._load = load
        self._kept = kept
        self._models: OrderedDict[str, LoadedModel] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name: str) -> LoadedModel:
        """The model of that name, loaded now if it is not there; raises what loading raises."""
        with self._lock:
            if name not in self._models:
                self._models[name] = self._load(name)
            self._models.move_to_end(name)
            while len(self._models) > self._kept:
                self._models.popitem(last=False)
            return self._models[name]
