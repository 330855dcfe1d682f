"""The endpoint `inspect` with a preset that compares with words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from app.store.errors import StoreError
from app.ui.launch import Address, start
from tests.app.text_fakes import TEXT_PRESET, FakeTextModel, text_engine


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    blocks, url = start(text_engine(FakeTextModel()), StoreError("none"), Address(port=None))
    yield Client(url, verbose=False, download_files=str(tmp_path_factory.mktemp("downloads")))
    blocks.close()


@pytest.fixture
def black(tmp_path: Path) -> Path:
    path = tmp_path / "black.png"
    Image.new("RGB", (56, 56)).save(path)
    return path


def inspected(client: Client, path: Path, **settings: Any) -> dict[str, Any]:
    record: dict[str, Any] = client.predict(file=handle_file(path), **settings, api_name="/inspect")[0]
    return record


def test_alpha_patches_and_words_reach_the_score(client: Client, black: Path) -> None:
    record = inspected(
        client, black, preset=TEXT_PRESET, alpha=0.0, top_patches=3, object_name="cell", anomalous=["cracked", "{} ab"]
    )
    assert record["settings"]["alpha"] == 0.0
    assert record["settings"]["top_patches"] == 3
    assert record["settings"]["prompts"] == {
        "object_name": "cell",
        "normal": ["{}", "a {}", "the {}"],
        "anomalous": ["cracked {}", "{} ab"],
    }
    # 4 of 10 texts are anomalous, and layers 6, 7 and 9 have 1/4, 2/4 and 3/4 of that.
    assert record["image_score"] == pytest.approx(0.5 * 0.25 + 0.5 * 0.4 * 0.5)


def test_what_is_not_sent_is_the_presets_and_the_papers(client: Client, black: Path) -> None:
    record = inspected(client, black, preset=TEXT_PRESET)
    assert (record["settings"]["alpha"], record["settings"]["top_patches"]) == (0.7, 8)
    assert "prompts" not in record["settings"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alpha": 0.5}, "visualad-dinov2-small has no refined maps"),
        ({"object_name": "cell"}, "visualad-dinov2-small takes no words"),
        ({"preset": TEXT_PRESET, "alpha": 2}, r"alpha must be in \[0, 1\]"),
        ({"preset": TEXT_PRESET, "normal": "intact"}, "`normal` must be a list of states"),
        ({"preset": TEXT_PRESET, "normal": [" "]}, "There is no normal state"),
        ({"preset": TEXT_PRESET, "object_name": "cell" * 20}, "is too long"),
    ],
)
def test_what_does_not_fit_is_answered_with_a_sentence(
    client: Client, black: Path, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(AppError, match=message):
        inspected(client, black, **settings)
