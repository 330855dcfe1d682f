"""`python -m app weights`: what is ready, and what to do about the rest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.cli import main
from app.commands.weights import describe
from models.errors import WeightsError
from models.registry import PRESETS, Preset
from models.status import PresetStatus
from models.weights import WeightsLocation

READY = PresetStatus(
    preset="some", ready=True, backbone_source="here", head_source="shipped", size_bytes=88_200_000, licence="MIT",
    how_to_get="",
)  # fmt: skip


def test_a_ready_preset_tells_its_sources_size_and_licence() -> None:
    assert describe(READY).splitlines() == [
        "some: ready",
        "  backbone  here",
        "  head      shipped",
        "  size      88.2 MB on disk",
        "  licence   MIT",
    ]


def test_a_missing_preset_tells_how_to_get_it() -> None:
    status = PresetStatus(
        preset="some", ready=False, backbone_source="none", head_source="none", size_bytes=0, licence="MIT",
        how_to_get="Bring weights.",
    )  # fmt: skip

    assert describe(status).splitlines()[0] == "some: not ready"
    assert describe(status).splitlines()[-1] == "  to get it Bring weights."


def test_every_preset_is_a_json_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "--json", "--weights-dir", str(tmp_path)]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert [record["preset"] for record in records] == list(PRESETS)
    assert all(record["ready"] == (record["how_to_get"] == "") for record in records)


def test_one_preset_can_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "--preset", "visualad-clip-large"]) == 0

    assert capsys.readouterr().out.startswith("visualad-clip-large: ")


def test_fetch_says_what_it_does_and_where_the_weights_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fetch(preset: Preset, where: WeightsLocation, report: object) -> Path:
        assert callable(report)
        report("Reading.")
        path = where.weights_dir / f"{preset.backbone}.safetensors"
        path.write_bytes(bytes(1_500_000))
        return path

    monkeypatch.setattr("models.weights.fetch_backbone", fetch)

    assert main(["weights", "fetch", "--weights-dir", str(tmp_path)]) == 0
    captured = capsys.readouterr()
    assert captured.err == "Reading.\n"
    assert captured.out.startswith(f"The weights are at {tmp_path}/dinov2-small.safetensors (1.5 MB, ")


def test_what_cannot_be_fetched_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> Path:
        raise WeightsError("They are not here; bring them.")

    monkeypatch.setattr("models.weights.fetch_backbone", fail)

    assert main(["weights", "fetch"]) == 2
    assert capsys.readouterr().err == "error: They are not here; bring them.\n"
