"""The named endpoints for corrections, called by gradio_client against a started page with a fake model."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from app.store.workspace import Workspace
from app.ui.engine import Engine
from app.ui.launch import Address, start
from models.data.pictures import load_picture
from models.registry import DEFAULT_PRESET
from tests.app.fakes import FakeModel, loader, nowhere, spotted_picture


@dataclass(frozen=True, slots=True)
class Served:
    url: str
    workspace: Workspace
    folder: Path  # for downloads

    def client(self) -> Client:
        return Client(self.url, verbose=False, download_files=str(self.folder))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with Workspace.open(tmp_path_factory.mktemp("workspace")) as workspace:
        page, url = start(Engine(nowhere(), load=loader(FakeModel())), workspace, Address(port=None))
        yield Served(url, workspace, tmp_path_factory.mktemp("downloads"))
        page.close()


@pytest.fixture(scope="module")
def client(served: Served) -> Client:
    return served.client()


@pytest.fixture
def spot(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A picture of its own for every test."""
    rgb = spotted_picture((90, 120)).rgb.copy()
    rgb[0, :32] = np.frombuffer(request.node.name.encode().ljust(32)[:32], dtype=np.uint8)[:, None]
    path = tmp_path / "spot.png"
    Image.fromarray(rgb).save(path)
    return path


def mask_file(tmp_path: Path, mask: np.ndarray) -> Any:
    Image.fromarray(mask.astype(np.uint8) * 255).save(tmp_path / "mask.png")
    return handle_file(tmp_path / "mask.png")


def marked() -> np.ndarray:
    mask = np.zeros((90, 120), dtype=np.bool_)
    mask[10:14, 20:50] = True
    return mask


def test_an_image_is_uploaded_proposed_for_and_corrected(
    served: Served, client: Client, spot: Path, tmp_path: Path
) -> None:
    added = client.predict(file=handle_file(spot), api_name="/add_image")
    digest = added["digest"]
    record, proposed, anomaly_map = client.predict(digest=digest, preset=DEFAULT_PRESET, api_name="/propose")
    saved = client.predict(
        digest=digest, label="anomalous", mask=mask_file(tmp_path, marked()), author="Ann", note="by script",
        based_on=0, classes=[{"x": 20, "y": 10, "name": "crack"}], proposal=record["proposal"],
        api_name="/save_correction",
    )  # fmt: skip
    revision = served.workspace.newest(digest)
    assert (added["is_new"], added["width"], added["height"], added["state"]) == (True, 120, 90, "new")
    assert digest == load_picture(spot).digest
    assert record["verdict"] == "anomalous"
    assert np.array_equal(np.asarray(Image.open(proposed)) == 255, np.load(anomaly_map) >= record["threshold"])
    assert (saved["revision"]["number"], saved["revision"]["area_px"]) == (1, 120)
    assert revision is not None
    assert revision.mask_digest is not None
    assert np.array_equal(served.workspace.mask(revision.mask_digest), marked())
    assert (revision.author, revision.source.preset, revision.regions[0].defect_class) == (
        "Ann", DEFAULT_PRESET, "crack",
    )  # fmt: skip


def test_the_same_picture_again_is_recognised(client: Client, spot: Path) -> None:
    first = client.predict(file=handle_file(spot), api_name="/add_image")
    again = client.predict(file=handle_file(spot), api_name="/add_image")
    assert (first["is_new"], again["is_new"], first["digest"]) == (True, False, again["digest"])


def test_the_list_the_history_and_the_export_tell_what_was_saved(client: Client, spot: Path, tmp_path: Path) -> None:
    digest = client.predict(file=handle_file(spot), api_name="/add_image")["digest"]
    before = client.predict(state="new", limit=200, api_name="/list_images")
    client.predict(digest=digest, label="normal", mask=None, author="Ann", api_name="/save_correction")
    client.predict(
        digest=digest, label="anomalous", mask=mask_file(tmp_path, marked()), author="Ben", based_on=1,
        api_name="/save_correction",
    )  # fmt: skip
    history = client.predict(digest=digest, api_name="/history")["revisions"]
    exported, report = client.predict(format="masks", api_name="/export")
    assert digest in [item["digest"] for item in before["items"]]
    assert [(revision["number"], revision["author"], revision["label"]) for revision in history] == [
        (2, "Ben", "anomalous"),
        (1, "Ann", "normal"),
    ]
    assert [name for name in zipfile.ZipFile(exported).namelist() if name.endswith(".png")]
    assert "images" in report["report"][0]


def test_a_save_that_was_overtaken_stays_and_is_told(client: Client, spot: Path) -> None:
    digest = client.predict(file=handle_file(spot), api_name="/add_image")["digest"]
    correct = {"digest": digest, "mask": None, "based_on": 0, "api_name": "/save_correction"}
    client.predict(label="unsure", author="Ann", **correct)
    second = client.predict(label="normal", author="Ben", **correct)
    assert second["revision"]["number"] == 2
    assert [revision["author"] for revision in second["overtaken"]] == ["Ann"]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        ({"api_name": "/add_image", "file": None}, "No picture was sent"),
        ({"api_name": "/propose", "digest": "spot.png", "preset": DEFAULT_PRESET}, "must be 64 hexadecimal digits"),
        ({"api_name": "/propose", "digest": "0" * 64, "preset": DEFAULT_PRESET}, "0" * 12),
        ({"api_name": "/history", "digest": "../oddity.db"}, "must be 64 hexadecimal digits"),
        ({"api_name": "/list_images", "state": "lost"}, "states must be a list of new, proposed"),
        ({"api_name": "/list_images", "limit": 100_000}, "limit must be a whole number from 1 to 200"),
        ({"api_name": "/export", "format": "../../x"}, "choose one of"),
        ({"api_name": "/save_correction", "digest": "0" * 64, "label": "good", "mask": None}, "label must be one of"),
    ],
)
def test_bad_input_is_one_sentence(client: Client, call: dict[str, Any], sentence: str) -> None:
    with pytest.raises(AppError, match=sentence):
        client.predict(**call)


@pytest.mark.parametrize(
    ("pixels", "sentence"),
    [
        (np.full((90, 121), 255, dtype=np.uint8), "121 x 90"),
        (np.full((90, 120), 77, dtype=np.uint8), "grey values such as 77"),
    ],
    ids=["another size", "grey"],
)
def test_a_mask_that_does_not_fit_is_refused_and_nothing_is_saved(
    served: Served, client: Client, spot: Path, tmp_path: Path, pixels: np.ndarray, sentence: str
) -> None:
    digest = client.predict(file=handle_file(spot), api_name="/add_image")["digest"]
    Image.fromarray(pixels).save(tmp_path / "mask.png")
    with pytest.raises(AppError, match=sentence):
        client.predict(
            digest=digest, label="anomalous", mask=handle_file(tmp_path / "mask.png"), author="Ann",
            api_name="/save_correction",
        )  # fmt: skip
    assert served.workspace.history(digest) == ()


def test_a_file_that_is_no_picture_is_not_added(served: Served, client: Client, tmp_path: Path) -> None:
    before = served.workspace.version()
    (tmp_path / "notes.png").write_text("these are words")
    with pytest.raises(AppError, match="notes.png"):
        client.predict(file=handle_file(tmp_path / "notes.png"), api_name="/add_image")
    assert served.workspace.version() == before


def test_a_mask_of_the_server_cannot_be_read_by_naming_its_path(served: Served, client: Client, spot: Path) -> None:
    digest = client.predict(file=handle_file(spot), api_name="/add_image")["digest"]
    private = served.workspace.image_path(digest)  # gradio_client would upload the file instead of naming it
    call = f"{served.url}gradio_api/call/save_correction"
    marks: list[dict[str, Any]] = [{}, {"meta": {}}, {"meta": {"_type": "gradio.FileData"}}]
    for mark in marks:
        data = [digest, "anomalous", {"path": str(private), **mark}, "", "", 0, [], 0]
        event = httpx.post(call, json={"data": data}).json()["event_id"]
        assert httpx.get(f"{call}/{event}", timeout=60).text.startswith("event: error")
    assert served.workspace.history(digest) == ()


def test_what_one_visitor_uploads_to_be_inspected_no_other_one_sees(served: Served, spot: Path) -> None:
    before = served.workspace.queue().total
    served.client().predict(file=handle_file(spot), api_name="/inspect")
    listed = served.client().predict(api_name="/list_images")
    assert listed["total"] == before
    assert load_picture(spot).digest not in [item["digest"] for item in listed["items"]]
