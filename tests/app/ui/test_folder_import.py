"""The zips that the page makes of folders, and what the server takes for one."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from gradio.utils import get_upload_folder

from app.store.exchange.base import Refusal
from app.store.intake import names
from app.store.intake.archives import unpack
from app.store.intake.limits import DEFAULT_LIMITS
from app.ui.folder_import import arrived_zip, refuse
from app.ui.workbench_component import SCRIPTS
from models.errors import DataError
from tests.app.ui.test_workbench_modules import TESTS, node

FILES = {
    "test/good/000.png": np.random.default_rng(1).bytes(70_000),
    "test/größe 2/日本.png": b"abc",
    "ground_truth/größe 2/日本_mask.png": b"",
}


@pytest.fixture(scope="module")
def page_zip() -> bytes:
    question = json.dumps([[path, base64.b64encode(content).decode()] for path, content in FILES.items()])
    run = subprocess.run(
        [node(), str(TESTS / "zip_answer.mjs")], input=question.encode(), check=False, capture_output=True, timeout=120
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_python_reads_the_zip_that_the_page_made(page_zip: bytes) -> None:
    archive = zipfile.ZipFile(io.BytesIO(page_zip))

    assert archive.testzip() is None
    assert {entry.filename: archive.read(entry) for entry in archive.infolist()} == FILES
    assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}


def test_the_zip_has_the_entries_of_one_that_python_writes_at_the_same_places(page_zip: bytes) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, content in FILES.items():
            entry = zipfile.ZipInfo(path)  # of 1 January 1980
            entry.create_system, entry.external_attr = 0, 0
            archive.writestr(entry, content)
    expected = zipfile.ZipFile(buffer)
    made = zipfile.ZipFile(io.BytesIO(page_zip))

    facts = ("filename", "date_time", "CRC", "file_size", "compress_size", "header_offset", "extract_version")
    for one, other in zip(made.infolist(), expected.infolist(), strict=True):
        assert [getattr(one, fact) for fact in facts] == [getattr(other, fact) for fact in facts]
    assert len(page_zip) == len(buffer.getvalue())


def test_the_store_unpacks_it_without_a_refusal(page_zip: bytes, tmp_path: Path) -> None:
    (tmp_path / "set.zip").write_bytes(page_zip)
    (tmp_path / "out").mkdir()
    refused: list[Refusal] = []

    unpacked = unpack(tmp_path / "set.zip", tmp_path / "out", refused.append, DEFAULT_LIMITS)

    assert (unpacked.files, unpacked.skipped, refused) == (3, 0, [])
    assert {path: (tmp_path / "out" / path).read_bytes() for path in FILES} == FILES


def test_page_and_store_pass_over_the_same_names() -> None:
    script = (SCRIPTS / "folder.js").read_text(encoding="utf-8")
    listed = re.search(r"SYSTEM_NAMES = new Set\(\[(.*?)\]\)", script)

    assert listed
    assert set(re.findall(r"'([^']+)'", listed[1])) == names._SYSTEM_NAMES


@pytest.fixture
def uploads() -> Iterator[Path]:
    folder = Path(get_upload_folder()) / "of-a-test"
    folder.mkdir(parents=True, exist_ok=True)
    yield folder
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def told(data: Any) -> gr.EventData:
    return gr.EventData(None, data)


def test_an_arrived_zip_is_gone_after_its_import(uploads: Path) -> None:
    path = uploads / "set.zip"
    path.write_bytes(b"zip")

    with arrived_zip(told({"path": str(path)})) as found:
        assert found.read_bytes() == b"zip"

    assert not path.exists()


def test_nothing_but_an_uploaded_zip_is_imported_or_removed(uploads: Path, tmp_path: Path) -> None:
    private, picture, link = tmp_path / "private.zip", uploads / "a.png", uploads / "link.zip"
    for path in (private, picture):
        path.write_bytes(b"private")
    link.symlink_to(private)
    sent = [private, picture, link, uploads, uploads / "none.zip", uploads / ".." / ".." / private]

    for data in [None, "text", {}, {"path": 3}, *({"path": str(path)} for path in sent)]:
        with pytest.raises(DataError, match="The folder did not arrive; choose it again."), arrived_zip(told(data)):
            pytest.fail(f"{data} was taken")

    assert private.read_bytes() == picture.read_bytes() == b"private"


def test_what_the_browser_refused_is_shown_as_an_error() -> None:
    with pytest.raises(DataError, match="There is no file in that folder."):
        refuse(told({"problem": "There is no file in that folder."}))
