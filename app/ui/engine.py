"""The engine behind the page: one inspector for all visitors, warmed up in the background."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.services.inspector import Inspector, LoadHead, LoadModel
from app.services.patch_tokens import PatchDescriber
from models.errors import ExpectedError
from models.registry import DEFAULT_PRESET, PRESETS
from models.weights import WeightsLocation

if TYPE_CHECKING:
    from app.store.workspace import Workspace
    from models.loading import LoadedModel

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """How far the warm-up is."""

    state: str  # "waiting", "loading", "ready" or "failed"
    text: str  # one line for people
    layers: tuple[int, ...] = ()  # of the loaded model, counted from 1; a head may have others than its preset
    default_layers: tuple[int, ...] = ()
    where: str = ""  # what computes, once it is known

    @property
    def settled(self) -> bool:
        """Nothing more will change."""
        return self.state in ("ready", "failed")

    def value(self) -> dict[str, str]:
        """What `Masthead` shows."""
        return {"state": self.state, "text": self.text}


class Engine:
    """An inspector and the state of its first model."""

    def __init__(
        self,
        where: WeightsLocation,
        device: str = "cpu",
        *,
        load: LoadModel | None = None,
        load_version: LoadHead | None = None,
        describe: Callable[[], PatchDescriber] | None = None,
    ) -> None:
        """Make the inspector; nothing is loaded yet.

        Args:
            where: where weights may come from.
            device: "cpu", "cuda", "mps", or "auto" for the fastest that torch finds when it is loaded.
            load: how a preset's name becomes a model; None = as `models.loading` does it.
            load_version: likewise with a head file in the place of the shipped one.
            describe: gives the backbone that references are compared with; None = that of `nearest-patch`.
        """
        self.inspector = Inspector(
            where, device, load=load, load_version=load_version, describe=describe, report=self._report
        )
        self.status = EngineStatus("waiting", "the engine starts with the first picture")

    def use_versions_of(self, workspace: Workspace) -> None:
        """Inspect from now on with the versions that are active in a workspace."""
        self.inspector.active = workspace.versions.active_path

    def warm_up(self) -> threading.Thread:
        """Load the default preset in the background, so that the page is up before torch is."""
        self.status = EngineStatus("loading", f"loading {PRESETS[DEFAULT_PRESET].title} …")
        thread = threading.Thread(target=self._load, name="warm-up", daemon=True)
        thread.start()
        return thread

    def header(self, preset: str) -> dict[str, str]:
        """What `Masthead` shows to someone who chose a preset: the first model's state until it is settled."""
        if preset == DEFAULT_PRESET or self.status.state != "ready":
            return self.status.value()
        return {"state": "ready", "text": f"{PRESETS[preset].title} · {self.status.where}"}

    def _report(self, doing: str) -> None:
        if self.status.state == "loading":
            self.status = EngineStatus("loading", doing)

    def _load(self) -> None:
        try:
            model = self._first_model()
        except ExpectedError as error:
            self.status = EngineStatus("failed", str(error))
        except Exception:  # noqa: BLE001 - a thread has no caller; the page says that it failed
            _log.exception("the engine could not be loaded")
            self.status = EngineStatus("failed", "the engine could not be loaded; the details are in the log")
        else:
            where = {"cpu": "CPU", "cuda": "GPU (CUDA)", "mps": "GPU (Apple)"}.get(model.device, model.device)
            text = f"{model.preset.title} · {where}"
            self.status = EngineStatus("ready", text, model.layers, model.default_layers, where)

    def _first_model(self) -> LoadedModel:
        """The default preset's, the shipped one where its active version cannot be used: inspecting says that."""
        try:
            return self.inspector.model(DEFAULT_PRESET)
        except ExpectedError:
            return self.inspector.model(DEFAULT_PRESET, "shipped")
