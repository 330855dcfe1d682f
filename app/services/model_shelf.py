"""A few loaded models, the least recently used forgotten first.  Thread-safe."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.loading import LoadedModel

LoadModel = Callable[[str], "LoadedModel"]
LoadHead = Callable[[str, Path], "LoadedModel"]
ModelKey = tuple[str, Path | None]  # a preset, and a head file in the place of its shipped one


class ModelShelf:
    """Loads a model when it is first asked for."""

    def __init__(self, load: Callable[[str, Path | None], LoadedModel], kept: int) -> None:
        """Start empty.

        Args:
            load: how a preset's name and a head file (None: the shipped one) become a model.
            kept: how many stay in memory, those apart that are held.
        """
        self._load = load
        self._kept = kept
        self._models: OrderedDict[ModelKey, LoadedModel] = OrderedDict()
        self._holders: Counter[ModelKey] = Counter()
        self._lock = threading.Lock()

    def get(self, name: str, head: Path | None = None) -> LoadedModel:
        """The model of that name and head, loaded now if it is not there; raises what loading raises."""
        with self._lock:
            return self._get((name, head))

    @contextmanager
    def held(self, name: str, head: Path | None = None) -> Iterator[LoadedModel]:
        """`get`, and the model stays until the end of the block, whatever else is asked for meanwhile."""
        key = (name, head)
        with self._lock:
            model = self._get(key)
            self._holders[key] += 1
        try:
            yield model
        finally:
            with self._lock:
                self._holders[key] -= 1
                self._forget_old()

    def key_of(self, model: LoadedModel) -> ModelKey:
        """Under what a model that is held stands here.

        Raises:
            KeyError: it is not here.
        """
        with self._lock:
            for key, known in self._models.items():
                if known is model and self._holders[key]:
                    return key
        raise KeyError(model.preset.name)

    def _get(self, key: ModelKey) -> LoadedModel:
        if key not in self._models:
            self._models[key] = self._load(*key)
        self._models.move_to_end(key)
        self._forget_old(but=key)
        return self._models[key]

    def _forget_old(self, but: ModelKey | None = None) -> None:
        for key in [key for key in self._models if not self._holders[key] and key != but]:
            if len(self._models) <= self._kept:
                return
            del self._models[key]
