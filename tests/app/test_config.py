"""Settings come from the environment, and what they cannot mean is refused in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.config import AppConfig, resolve_device
from models.errors import ExpectedError


def test_an_empty_environment_gives_the_defaults() -> None:
    config = AppConfig.from_environment({})

    assert config == AppConfig()
    assert (config.weights_dir, config.host, config.port) == (Path("weights"), "127.0.0.1", 7860)
    assert not config.allow_hub
    assert (config.workspace, config.database) == (Path("workspace"), None)


def test_every_variable_is_read() -> None:
    config = AppConfig.from_environment({
        "ODDITY_WEIGHTS": "/w", "ODDITY_DEVICE": "cpu", "ODDITY_HOST": "::1", "ODDITY_PORT": "80",
        "ODDITY_ALLOW_HUB": "Yes", "ODDITY_WORKSPACE": "/s", "ODDITY_DATABASE": "postgresql://somewhere/oddity",
    })  # fmt: skip

    assert config == AppConfig(
        weights_dir=Path("/w"), device="cpu", host="::1", port=80, allow_hub=True, workspace=Path("/s"),
        database="postgresql://somewhere/oddity",
    )  # fmt: skip


def test_a_space_is_reachable_and_may_use_the_hub() -> None:
    config = AppConfig.from_environment({"SPACE_ID": "someone/oddity"})

    assert (config.host, config.allow_hub) == ("0.0.0.0", True)


@pytest.mark.parametrize(
    ("environment", "writable", "folder"),
    [
        ({"SPACE_ID": "a/b"}, True, "/data/workspace"),
        ({"SPACE_ID": "a/b"}, False, "workspace"),
        ({"SPACE_ID": "a/b", "ODDITY_WORKSPACE": "/mine"}, True, "/mine"),
        ({}, True, "workspace"),
    ],
)
def test_a_space_keeps_its_corrections_on_its_storage_where_it_has_one(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], writable: bool, folder: str
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: writable)
    assert AppConfig.from_environment(environment).workspace == Path(folder)


def test_the_hub_can_be_forbidden_in_a_space() -> None:
    assert not AppConfig.from_environment({"SPACE_ID": "a/b", "ODDITY_ALLOW_HUB": "0"}).allow_hub


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("ODDITY_PORT", "web", "ODDITY_PORT is 'web', which is not a whole number; set it to one, or unset it."),
        ("ODDITY_PORT", "70000", "There is no port 70000; choose one from 1024 to 65535"),
        ("ODDITY_ALLOW_HUB", "maybe", "ODDITY_ALLOW_HUB is 'maybe', which is neither yes nor no; set it to 1 or 0"),
        ("ODDITY_DEVICE", "tpu", "There is no device 'tpu'; choose one of: auto, cpu, cuda, mps"),
    ],
)
def test_a_value_without_meaning_is_refused(name: str, value: str, sentence: str) -> None:
    with pytest.raises(ExpectedError, match=sentence):
        AppConfig.from_environment({name: value})


def test_the_location_carries_the_paths_that_a_person_gives() -> None:
    where = AppConfig(weights_dir=Path("w"), allow_hub=True).location(backbone_path=Path("b"), head_path=Path("h"))

    assert (where.weights_dir, where.allow_hub) == (Path("w"), True)
    assert (where.backbone_path, where.head_path) == (Path("b"), Path("h"))


@pytest.mark.parametrize(
    ("cuda", "mps", "fastest"), [(True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")]
)
def test_auto_is_the_fastest_device_there_is(
    monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, fastest: str
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: cuda)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: mps)

    assert resolve_device("auto") == fastest


def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)

    with pytest.raises(ExpectedError, match="Device 'cuda' was asked for, but torch finds only: cpu; choose one"):
        resolve_device("cuda")
