"""The inspector with taught versions: which one looks, and that one that is looking is not changed by another."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from app.services.heads import load_head, version_name
from app.services.inspector import Inspector, LoadHead, LoadModel
from app.services.model_shelf import ModelShelf
from app.services.results import json_record
from app.store.errors import StoreError
from app.store.workspace import Workspace
from app.ui.views import weights_sentence
from models.config import InspectionConfig
from models.errors import WeightsError
from models.head_files import read_head, save_head
from models.registry import DEFAULT_PRESET, PRESETS
from models.weights import HEADS_DIR, WeightsLocation
from tests.app.fakes import FakeModel, nowhere, spotted_picture
from tests.app.teaching_fakes import add_version

SETTINGS = InspectionConfig(blur_sigma=0.0)
SHIPPED = "5" * 64


@dataclass
class Shelf:
    """What the inspector is given in the place of a workspace: the active heads, and models for them."""

    active: dict[str, Path] = field(default_factory=dict)
    loaded: list[str] = field(default_factory=list)
    models: dict[str, FakeModel] = field(default_factory=dict)

    def load(self, _: str) -> FakeModel:
        self.loaded.append("shipped")
        return FakeModel(checkpoint_digest=SHIPPED)

    def load_version(self, _: str, head: Path) -> FakeModel:
        self.loaded.append(head.stem)
        return self.models.setdefault(head.stem, FakeModel(checkpoint_digest=head.stem))

    def inspector(self, where: WeightsLocation | None = None) -> Inspector:
        return Inspector(
            where or nowhere(),
            load=cast(LoadModel, self.load),
            load_version=cast(LoadHead, self.load_version),
            active=self.active.get,
        )


def head(letter: str) -> Path:
    return Path(f"/versions/{letter * 64}.safetensors")


def test_the_shipped_head_looks_until_a_version_is_active() -> None:
    shelf = Shelf()
    inspector = shelf.inspector()
    before = inspector.inspect(spotted_picture(), DEFAULT_PRESET, SETTINGS)
    shelf.active[DEFAULT_PRESET] = head("a")
    after = inspector.inspect(spotted_picture(), DEFAULT_PRESET, SETTINGS)
    del shelf.active[DEFAULT_PRESET]
    back = inspector.inspect(spotted_picture(), DEFAULT_PRESET, SETTINGS)
    assert (before.checkpoint, before.version, before.head) == (SHIPPED, "", None)
    assert (after.checkpoint, after.version, after.head) == ("a" * 64, "a" * 64, head("a"))
    assert (back.checkpoint, back.version, back.from_cache) == (SHIPPED, "", True)
    assert shelf.loaded == ["shipped", "a" * 64]


def test_a_version_that_is_asked_for_goes_before_the_active_one_and_the_shipped_head_can_be_asked_for() -> None:
    shelf = Shelf({DEFAULT_PRESET: head("a")})
    inspector = shelf.inspector()
    asked = inspector.inspect(spotted_picture(), DEFAULT_PRESET, SETTINGS, head=head("b"))
    shipped = inspector.inspect(spotted_picture(), DEFAULT_PRESET, SETTINGS, head="shipped")
    assert (asked.checkpoint, shipped.checkpoint) == ("b" * 64, SHIPPED)


def test_a_checkpoint_given_at_the_start_goes_before_the_active_version() -> None:
    shelf = Shelf({DEFAULT_PRESET: head("a")})
    inspector = shelf.inspector(replace(nowhere(), head_path=Path("mine.safetensors")))
    assert inspector.head(DEFAULT_PRESET) is None
    assert inspector.inspect(spotted_picture(), DEFAULT_PRESET, SETTINGS).version == ""


def test_presets_without_a_head_are_not_asked_for_versions() -> None:
    asked: list[str] = []

    def active(preset: str) -> Path | None:
        asked.append(preset)
        return None

    inspector = Inspector(nowhere(), active=active)
    assert inspector.head("clip-zero-shot") is None
    assert inspector.head("nearest-patch") is None
    assert asked == []


def test_versions_do_not_share_their_maps_and_each_remembers_its_own() -> None:
    shelf = Shelf()
    inspector = shelf.inspector()
    seen = [
        inspector.inspect(spotted_picture(), DEFAULT_PRESET, SETTINGS, head=head(letter)).from_cache
        for letter in ("a", "b", "a", "b")
    ]
    assert seen == [False, False, True, True]
    assert [shelf.models[letter * 64].calls for letter in ("a", "b")] == [1, 1]


class BlockingModel(FakeModel):
    """A model whose forward pass waits until it is let go."""

    def __init__(self, digest: str) -> None:
        super().__init__(checkpoint_digest=digest)
        self.began, self.may_go_on = threading.Event(), threading.Event()

    def layer_maps(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.began.set()
        assert self.may_go_on.wait(20)
        return super().layer_maps(rgb)


def test_a_running_inference_finishes_on_the_version_it_began_with() -> None:
    shelf = Shelf({DEFAULT_PRESET: head("a")})
    slow = BlockingModel("a" * 64)
    shelf.models["a" * 64] = slow
    inspector = shelf.inspector()
    with ThreadPoolExecutor(2) as pool:
        running = pool.submit(inspector.inspect, spotted_picture(), DEFAULT_PRESET, SETTINGS)
        assert slow.began.wait(20)
        shelf.active[DEFAULT_PRESET] = head("b")
        next_one = pool.submit(inspector.inspect, spotted_picture(), DEFAULT_PRESET, SETTINGS)
        for letter in ("c", "d", "e"):  # so many other models that the first would be forgotten
            inspector.model(DEFAULT_PRESET, head(letter))
        slow.may_go_on.set()
        first, second = running.result(20), next_one.result(20)
    assert (first.checkpoint, first.version, slow.calls) == ("a" * 64, "a" * 64, 1)
    assert (second.checkpoint, second.version) == ("b" * 64, "b" * 64)
    assert shelf.loaded.count("a" * 64) == 1


def test_a_model_that_is_held_stays_and_is_forgotten_afterwards() -> None:
    loaded: list[str] = []

    def load(name: str, _: Path | None) -> FakeModel:
        loaded.append(name)
        return FakeModel()

    shelf = ModelShelf(load, kept=1)  # type: ignore[arg-type]
    with shelf.held("a") as model:
        shelf.get("b")
        shelf.get("c")
        assert shelf.get("a") is model
        assert shelf.key_of(model) == ("a", None)
    shelf.get("d")
    shelf.get("a")
    assert loaded == ["a", "b", "c", "d", "a"]
    with pytest.raises(KeyError):
        shelf.key_of(model)


def test_the_active_version_of_a_workspace_is_used_named_and_damage_is_told(tmp_path: Path) -> None:
    shelf = Shelf()
    inspector = shelf.inspector()
    with Workspace.open(tmp_path / "workspace") as workspace:
        inspector.active = workspace.versions.active_path
        version = add_version(workspace, tmp_path, seed=1)
        workspace.versions.activate(DEFAULT_PRESET, version.id, "ann")
        inspection = inspector.inspect(spotted_picture(), DEFAULT_PRESET, SETTINGS)
        assert inspection.version == version.id
        assert version_name(inspection) == "version 1"
        record = json_record(inspection)
        assert (record["checkpoint"], record["version"], record["version_name"]) == (
            *(version.id, version.id, "version 1"),
        )
        assert f"version 1, taught here: head {version.id[:12]} (SHA-256)" in weights_sentence(inspection)

        workspace.versions.path(version.id).write_bytes(b"half a fi")
        with pytest.raises(StoreError, match=r"version 1 \(\w+\), the active version of .* is damaged; roll back"):
            inspector.inspect(spotted_picture(), DEFAULT_PRESET, SETTINGS)
        assert inspector.inspect(spotted_picture(), "daclip-compact", SETTINGS).version == ""
        assert len(inspector.statuses()) == len(PRESETS)
        workspace.versions.roll_back(DEFAULT_PRESET, "ann")
        assert inspector.inspect(spotted_picture(), DEFAULT_PRESET, SETTINGS).version == ""


def test_a_preset_without_a_shipped_head_is_ready_once_a_version_of_it_is_active(tmp_path: Path) -> None:
    version = tmp_path / f"{'a' * 64}.safetensors"
    version.write_bytes(b"any")
    shelf = Shelf({"visualad-dinov2-large": version})
    status = next(one for one in shelf.inspector().statuses() if one.preset == "visualad-dinov2-large")
    assert status.head_source == f"taught here, version {'a' * 12}"
    assert "no trained head" not in status.how_to_get


def test_a_version_that_does_not_fit_its_preset_says_how_to_get_back(tmp_path: Path) -> None:
    shipped = read_head(HEADS_DIR / str(PRESETS[DEFAULT_PRESET].head_file))
    foreign = tmp_path / "head.safetensors"
    digest = save_head(foreign, shipped.tensors, {**shipped.config, "backbone": "dinov2-large"})
    with pytest.raises(WeightsError, match=rf"The version {digest[:12]} cannot be loaded: .* Roll back to the version"):
        load_head(
            DEFAULT_PRESET,
            foreign.rename(tmp_path / f"{digest}.safetensors"),
            WeightsLocation(weights_dir=Path("weights")),
            "cpu",
            lambda _: None,
        )
