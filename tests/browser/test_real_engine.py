"""The whole way: a real solar cell through the real backbone and the shipped head, seen in a real Chromium."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

from app.config import AppConfig
from app.store.workspace import Workspace
from app.ui.engine import Engine
from app.ui.launch import Address, start
from models.config import InspectionConfig
from models.data.pictures import load_picture
from models.registry import DEFAULT_PRESET, PRESETS
from models.status import preset_status
from tests.browser.conftest import Visit, visiting
from tests.browser.test_inspect_page import overlay_url, score, upload

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def engine() -> Engine:
    where = AppConfig.from_environment().location()
    status = preset_status(PRESETS[DEFAULT_PRESET], where)
    if not status.ready:
        pytest.fail(f"the default preset has no weights here: {status.how_to_get}")
    return Engine(where, "cpu")


@pytest.fixture
def real_visit(chromium: Browser, engine: Engine, tmp_path: Path) -> Iterator[Visit]:
    with Workspace.open(tmp_path / "workspace") as workspace:
        page, url = start(engine, workspace, Address(port=None))
        yield from visiting(chromium, url)
        page.close()


def test_a_cracked_cell_is_inspected_shown_changed_and_downloaded(
    real_visit: Visit, engine: Engine, cell: Path, tmp_path: Path
) -> None:
    page = real_visit.page
    upload(page, cell)
    first_score, first_overlay = score(page), overlay_url(page)
    expected = engine.inspector.inspect(load_picture(cell), DEFAULT_PRESET, InspectionConfig())
    assert first_score.replace("\N{MINUS SIGN}", "-") == f"{expected.image_score:.2f}"
    expect(page.locator("#verdict .badge")).to_have_text(expected.verdict.capitalize())

    assert expected.layers == expected.available_layers[:-1]
    page.locator("#layers label").last.click()  # the one that is not used by default
    expect(page.locator("#verdict .number")).not_to_have_text(first_score)
    page.locator("#top-k-medical").click()
    expect(page.locator("#verdict .how")).to_contain_text("highest 5 %")
    assert overlay_url(page) != first_overlay

    with page.expect_download() as download:
        page.locator("#download-mask").click()
    download.value.save_as(tmp_path / "mask.png")
    with page.expect_download() as download:
        page.locator("#download-json").click()
    download.value.save_as(tmp_path / "result.json")
    settings = InspectionConfig(layers=expected.available_layers, top_k=0.05)
    changed = engine.inspector.inspect(load_picture(cell), DEFAULT_PRESET, settings)
    record = json.loads((tmp_path / "result.json").read_text())
    assert np.array_equal(np.asarray(Image.open(tmp_path / "mask.png")) == 255, changed.pred_mask)
    assert record["image_score"] == pytest.approx(changed.image_score)
    assert record["checkpoint"] == changed.checkpoint

    assert real_visit.foreign_requests == []
    assert real_visit.complaints == []
