"""The page without a browser: how it is launched, and what may be called from outside."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from app.store.errors import StoreError
from app.store.workspace import Workspace
from app.ui.engine import Engine
from app.ui.launch import Address, start
from app.ui.layout import build_page
from models.errors import WeightsError
from tests.app.fakes import FakeModel, loader, nowhere


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[gr.Blocks, str]]:
    with Workspace.open(tmp_path_factory.mktemp("workspace")) as workspace:
        blocks, url = start(Engine(nowhere(), load=loader(FakeModel())), workspace, Address(port=None))
        yield blocks, url
        blocks.close()


@pytest.fixture(scope="module")
def client(page: tuple[gr.Blocks, str], tmp_path_factory: pytest.TempPathFactory) -> Client:
    return Client(page[1], verbose=False, download_files=str(tmp_path_factory.mktemp("downloads")))


@pytest.fixture
def spot(tmp_path: Path) -> Path:
    grey = np.full((100, 140), 60_000, dtype=np.uint16)
    grey[30:70, 50:90] = 0
    path = tmp_path / "spot.png"
    Image.fromarray(grey).save(path)
    return path


def test_the_inspect_endpoint_answers_with_record_overlay_and_map(client: Client, spot: Path) -> None:
    record, overlay, anomaly_map = client.predict(
        file=handle_file(spot), preset="visualad-dinov2-small", layers=[6, 12], top_k=0.05, sigma=0, api_name="/inspect"
    )
    values = np.load(anomaly_map)
    assert (record["verdict"], record["size_hw"], record["settings"]["layers"]) == ("anomalous", [100, 140], [6, 12])
    assert values.shape == (100, 140)
    assert record["image_score"] == pytest.approx(float(np.sort(values.ravel())[-700:].mean()), abs=1e-5)
    assert Image.open(overlay).size == (140, 100)


def test_the_endpoint_has_defaults_for_all_but_the_picture(client: Client, spot: Path) -> None:
    record, _, _ = client.predict(file=handle_file(spot), api_name="/inspect")
    assert record["settings"]["layers"] == [3, 6, 9, 12]
    assert record["settings"]["top_k"] == 0.01


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layers": [5]}, "no layer 5; choose among 3, 6, 9, 12"),
        ({"layers": "6"}, "must be a list of layer numbers"),
        ({"top_k": 2.0}, r"top_k must be in \(0, 1\], got 2.0"),
        ({"preset": "nonsense"}, "There is no model &#x27;nonsense&#x27;"),
    ],
)
def test_settings_that_do_not_fit_are_answered_with_a_sentence(
    client: Client, spot: Path, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(AppError, match=message):
        client.predict(file=handle_file(spot), **settings, api_name="/inspect")


CORRECT = ["/add_image", "/propose", "/save_correction", "/list_images", "/history", "/export"]


def test_only_inspect_and_the_corrections_are_public(client: Client) -> None:
    endpoints = client.view_api(return_format="dict", print_info=False)
    assert list(endpoints["named_endpoints"]) == ["/inspect", *CORRECT, "/list_versions"]
    assert not endpoints["unnamed_endpoints"]


def test_mcp_clients_may_only_read(tmp_path: Path) -> None:
    engine = Engine(nowhere(), load=loader(FakeModel()))
    with Workspace.open(tmp_path) as workspace:
        offered = build_page(engine, workspace, is_mcp=True).get_api_info()["named_endpoints"]
    assert list(offered) == ["/inspect", "/list_images", "/history", "/export", "/list_versions"]


def test_without_a_workspace_inspect_works_and_correct_says_why() -> None:
    problem = StoreError("/w is a file, and a folder is needed; choose another folder.")
    page = build_page(Engine(nowhere(), load=loader(FakeModel())), problem)
    shown = [block for block in page.blocks.values() if getattr(block, "elem_id", None) == "correct-problem"]
    assert list(page.get_api_info()["named_endpoints"]) == ["/inspect"]
    assert str(problem) in shown[0].get_config()["value"]


@pytest.mark.parametrize(
    ("mark", "answer"),
    [
        ({"meta": {"_type": "gradio.FileData"}}, '"error": null'),  # refused by gradio
        ({"meta": {}}, "did not arrive as a file"),
        ({}, "did not arrive as a file"),
    ],
)
def test_a_picture_of_the_server_cannot_be_read_by_naming_its_path(
    page: tuple[gr.Blocks, str], mark: dict[str, Any], answer: str
) -> None:
    private = Path(__file__).parents[3] / "assets" / "examples" / "brick_wall_intact.jpg"
    assert private.is_file()
    call = f"{page[1]}gradio_api/call/inspect"  # gradio_client would upload the file instead of naming it
    named = {"path": str(private), **mark}
    data = [named, "visualad-dinov2-small", [], 0.01, 4.0, None, None, "", [], [], None, None, False, False]
    event = httpx.post(call, json={"data": data}).json()["event_id"]
    assert answer in httpx.get(f"{call}/{event}", timeout=60).text


def test_the_page_is_launched_locally_and_keeps_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def launch(self: gr.Blocks, **settings: Any) -> tuple[None, str, None]:
        asked.update(settings)
        return None, "http://127.0.0.1:1/", None

    monkeypatch.setattr(gr.Blocks, "launch", launch)
    start(Engine(nowhere(), load=loader(FakeModel())), StoreError("none"), Address())

    assert (asked["server_name"], asked["share"], asked["allowed_paths"]) == ("127.0.0.1", False, [])
    assert (asked["ssr_mode"], asked["run_history"], asked["enable_monitoring"]) == (False, False, False)
    assert (asked["show_error"], asked["mcp_server"]) == (False, False)
    assert asked["max_file_size"] == 2_000_000_000


def test_the_warm_up_says_in_the_header_why_there_is_no_engine() -> None:
    def fail(name: str) -> Any:
        raise WeightsError("There is no checkpoint; train one.")

    engine = Engine(nowhere(), load=fail)
    engine.warm_up().join(timeout=10)
    assert engine.status.value() == {"state": "failed", "text": "There is no checkpoint; train one."}


def test_the_theme_names_no_font_of_another_host() -> None:
    from app.ui.theme import STYLE_SHEET, WORKBENCH_SHEETS, make_theme

    assert not [sheet for sheet in make_theme()._stylesheets if sheet]
    assert not [sheet.name for sheet in (STYLE_SHEET, *WORKBENCH_SHEETS) if "http" in sheet.read_text()]
