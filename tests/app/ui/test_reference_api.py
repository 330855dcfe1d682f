"""The named endpoint `inspect` with reference pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from app.store.errors import StoreError
from app.ui.components import uploaded_paths
from app.ui.launch import Address, start
from models.errors import PictureError
from tests.app.fakes import FakeModel
from tests.app.reference_fakes import FakeDescriber, compared_engine
from tests.app.ui.reference_pictures import drawn


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    page, url = start(compared_engine(FakeModel(), FakeDescriber()), StoreError("none here"), Address(port=None))
    yield Client(url, verbose=False, download_files=str(tmp_path_factory.mktemp("downloads")))
    page.close()


def test_references_that_are_sent_are_compared_with(client: Client, tmp_path: Path) -> None:
    spotted = handle_file(drawn(tmp_path, "spotted.png", 204, spot=20))
    normals = [handle_file(drawn(tmp_path, f"grey {level}.png", level)) for level in (200, 204, 208)]

    record, _, _ = client.predict(file=spotted, references=normals, reference_weight=0.25, api_name="/inspect")
    alone, _, _ = client.predict(file=spotted, preset="nearest-patch", references=normals, api_name="/inspect")

    assert record["references"]["names"] == ["grey 200.png", "grey 204.png", "grey 208.png"]
    assert record["references"]["weight"] == 0.25
    assert (record["threshold"], record["verdict"]) == (1.0, "anomalous")
    assert alone["references"]["weight"] == 1.0


def test_a_reference_that_cannot_be_read_is_refused_because_nobody_would_miss_it(
    client: Client, tmp_path: Path
) -> None:
    spotted = handle_file(drawn(tmp_path, "spotted.png", 204, spot=20))
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    sent = [handle_file(drawn(tmp_path, "grey.png", 200)), handle_file(str(broken))]
    with pytest.raises(AppError, match="broken.png is left out of the references"):
        client.predict(file=spotted, references=sent, api_name="/inspect")


def test_a_weight_outside_its_range_is_refused(client: Client, tmp_path: Path) -> None:
    spotted = handle_file(drawn(tmp_path, "spotted.png", 204, spot=20))
    with pytest.raises(AppError, match="reference_weight must be in"):
        client.predict(file=spotted, reference_weight=2.0, api_name="/inspect")


def test_the_nearest_patch_without_references_says_what_it_needs(client: Client, tmp_path: Path) -> None:
    spotted = handle_file(drawn(tmp_path, "spotted.png", 204, spot=20))
    with pytest.raises(AppError, match="Nearest patch needs reference pictures"):
        client.predict(file=spotted, preset="nearest-patch", api_name="/inspect")


@pytest.mark.parametrize("sent", [[{"path": __file__}], {"path": __file__}, [__file__], "text"])
def test_a_file_of_the_server_cannot_be_named_as_a_reference(sent: object) -> None:
    with pytest.raises(PictureError, match="did not arrive as"):
        uploaded_paths(sent)
