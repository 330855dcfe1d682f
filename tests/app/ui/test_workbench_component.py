"""The workbench's server functions as the browser calls them, and where it gets scripts and images from."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import numpy as np
import pytest
from PIL import Image

from app.services.annotating import Annotator
from app.store.workspace import Workspace
from app.ui import image_urls
from app.ui.errors import UNEXPECTED
from app.ui.image_urls import image_url
from app.ui.workbench_component import serve_scripts, workbench
from app.ui.workbench_protocol import Json, mask_json
from app.ui.workbench_server import WorkbenchServer, account_of
from models.data.pictures import load_picture
from models.errors import ExpectedError
from models.registry import DEFAULT_PRESET
from tests.app.fakes import FakeModel, fake_inspector, spotted_picture

Call = Callable[..., Json]


@pytest.fixture
def annotator(tmp_path: Path) -> Iterator[Annotator]:
    with Workspace.open(tmp_path / "w") as workspace:
        yield Annotator(workspace, fake_inspector(FakeModel()))


@pytest.fixture
def digest(annotator: Annotator) -> str:
    file = io.BytesIO()
    Image.fromarray(spotted_picture((90, 120)).rgb).save(file, format="PNG")
    return annotator.workspace.add_image(file.getvalue(), "<b>${spot}</b>.png", author="ann").image.digest


@pytest.fixture
def call(annotator: Annotator) -> Call:
    functions = {function.__name__: function for function in WorkbenchServer(annotator).functions()}
    return lambda name, request: functions[name](request, None)


def some_mask() -> Json:
    mask = np.zeros((90, 120), dtype=np.bool_)
    mask[3:6, 100:120] = True
    return mask_json(mask)


def test_an_image_is_opened_painted_and_saved(call: Call, digest: str, annotator: Annotator) -> None:
    opened = call("open_image", {"digest": digest, "preset": DEFAULT_PRESET})
    saved = call("save", {
        "digest": digest, "label": "anomalous", "mask": some_mask(), "classes": [{"x": 101, "y": 4, "name": "crack"}],
        "author": "Ann", "note": "n", "based_on": 0, "proposal": opened["proposal"]["id"],
        "save_id": "1",
    })  # fmt: skip
    again = call("open_image", {"digest": digest, "preset": DEFAULT_PRESET})
    assert (opened["mask_from"], opened["revision"], opened["proposal_problem"]) == ("proposal", None, None)
    assert opened["mask"] == opened["proposal"]["mask"]
    assert (saved["revision"]["number"], saved["revision"]["area_px"], saved["overtaken"]) == (1, 60, [])
    assert saved["revision"]["classes"] == [{"x": 101, "y": 4, "name": "crack"}]
    assert (saved["item"]["state"], saved["item"]["author"]) == ("corrected", "Ann")
    assert (again["mask_from"], again["mask"], again["classes"]) == ("revision", some_mask(), ["crack"])


def test_a_save_that_was_meant_for_another_workspace_is_refused(call: Call, digest: str, annotator: Annotator) -> None:
    save = {"digest": digest, "label": "anomalous", "mask": some_mask(), "author": "Ann", "save_id": "1"}
    mine = call("queue_page", {})["workspace"]
    refused = call("save", {**save, "workspace": "f" * 32})
    assert refused["error"].startswith("The server keeps another workspace now; reload the page.")
    assert annotator.workspace.history(digest) == ()
    assert call("save", {**save, "workspace": mine})["revision"]["number"] == 1


def test_what_the_browser_needs_to_draw_is_there(call: Call, digest: str) -> None:
    opened = call("open_image", {"digest": digest, "preset": DEFAULT_PRESET})
    assert (opened["map"]["h"], opened["map"]["w"]) == (518, 518)
    assert [layer["layer"] for layer in opened["layers"]] == [3, 6, 9, 12]
    assert opened["layers"][0]["h"] == 37
    assert opened["layer_scale"]["low"] < opened["layer_scale"]["high"]
    assert len(opened["palette"]) == 1024  # base64 of 768 bytes
    assert (opened["item"]["width"], opened["item"]["height"]) == (120, 90)


def test_a_second_save_tells_who_was_faster(call: Call, digest: str) -> None:
    base = {"digest": digest, "label": "anomalous", "mask": some_mask(), "based_on": 0}
    call("save", {**base, "author": "Ann", "save_id": "a"})
    second = call("save", {**base, "author": "Ben", "save_id": "b"})
    repeated = call("save", {**base, "author": "Ben", "save_id": "b"})
    assert [revision["author"] for revision in second["overtaken"]] == ["Ann"]
    assert (repeated["repeated"], repeated["revision"]["number"]) == (True, 2)


def test_a_removed_correction_is_restored_with_its_mask(call: Call, digest: str) -> None:
    call("save", {"digest": digest, "label": "anomalous", "mask": some_mask(), "author": "Ann", "save_id": "a"})
    removed = call("remove", {"digest": digest, "author": "Ann", "based_on": 1, "save_id": "b"})
    restored = call("restore", {"digest": digest, "number": 1, "author": "Ann", "based_on": 2, "save_id": "c"})
    kinds = [revision["kind"] for revision in call("history", {"digest": digest})["revisions"]]
    assert removed["item"]["revision"] == 0
    assert restored["mask"] == some_mask()
    assert kinds == ["save", "delete", "save"]
    assert call("revision_mask", {"digest": digest, "number": 1})["mask"] == some_mask()
    assert call("revision_mask", {"digest": digest, "number": 2})["mask"] is None


def test_the_queue_and_its_changes(call: Call, digest: str, annotator: Annotator) -> None:
    page = call("queue_page", {"states": ["new"], "sort": "newest", "offset": 0, "limit": 10})
    assert page["workspace"] == annotator.workspace.identity
    call("save", {"digest": digest, "label": "normal", "mask": None, "author": "Ann", "save_id": "a"})
    changes = call("changes", {"since": page["version"]})
    quiet = call("changes", {"since": changes["version"]})
    assert ([item["digest"] for item in page["items"]], page["total"]) == ([digest], 1)
    assert page["items"][0]["name"] == "<b>${spot}</b>.png"
    assert changes["changed"] == [digest]
    assert changes["counts"]["corrected"] + changes["counts"]["confirmed"] == 1
    assert quiet["changed"] == []


def test_the_order_by_benefit_is_made_when_it_is_asked_for_and_says_why(
    call: Call, digest: str, annotator: Annotator
) -> None:
    annotator.proposer.propose(digest, DEFAULT_PRESET)

    by_name = call("queue_page", {"sort": "name"})["items"][0]
    by_benefit = call("queue_page", {"sort": "benefit"})["items"][0]

    assert (by_name["benefit"], by_name["why_next"]) == (None, "")
    assert 0 < by_benefit["benefit"] < 1
    assert by_benefit["why_next"] == "its score lies next to the threshold"


def test_thumbnails_and_snapping_answer(call: Call, digest: str) -> None:
    shown = call("thumbnails", {"digests": [digest]})["thumbnails"][digest]
    mask = np.zeros((90, 120), dtype=np.bool_)
    mask[29:61, 39:81] = True  # one pixel around the black square
    snapped = call("snap", {"digest": digest, "mask": mask_json(mask)})["mask"]
    true = np.zeros((90, 120), dtype=np.bool_)
    true[30:60, 40:80] = True
    assert shown.startswith("data:image/webp;base64,")
    assert snapped == mask_json(true)


@pytest.mark.parametrize(
    ("name", "request_sent", "sentence"),
    [
        ("open_image", {"digest": "f" * 64, "preset": ""}, "f" * 12),
        ("open_image", {"digest": "/etc/passwd"}, "64 hexadecimal digits"),
        ("save", None, "must be one JSON object"),
        ("history", {"digest": "f" * 64}, "f" * 12),
        ("snap", {"digest": "f" * 64, "mask": None}, "There is no mask"),
    ],
)
def test_a_failure_is_one_sentence(call: Call, name: str, request_sent: Any, sentence: str) -> None:
    answer = call(name, request_sent)
    assert list(answer) == ["error"]
    assert sentence in answer["error"]


def test_what_nobody_expected_is_logged_and_not_shown(
    call: Call, annotator: Annotator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(**_: Any) -> Any:
        raise RuntimeError("a secret path")

    monkeypatch.setattr(annotator.workspace, "queue", fail)
    assert call("queue_page", {}) == {"error": UNEXPECTED}
    assert "a secret path" in caplog.text


def saved_as(tmp_path: Path, name: str, image: Image.Image, **settings: Any) -> Path:
    image.save(tmp_path / name, **settings)
    return tmp_path / name


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def placed(cache: Path) -> list[Path]:
    return [path for path in cache.rglob("*") if path.is_file()]


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "bmp", "gif"])
def test_an_ordinary_picture_is_given_as_it_is(tmp_path: Path, cache: Path, ending: str) -> None:
    original = saved_as(tmp_path, f"a.{ending}", Image.new("RGB", (8, 6), "red"))
    url = image_url(load_picture(original), original)
    assert url == f"/gradio_api/file={placed(cache)[0]}"
    assert placed(cache)[0].read_bytes() == original.read_bytes()


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter to the right
    return exif


@pytest.mark.parametrize(
    ("name", "mode", "settings"),
    [
        ("turned.jpg", "RGB", {"exif": turned()}),
        ("clear.png", "RGBA", {}),
        ("print.jpg", "CMYK", {}),
        ("deep.png", "I;16", {}),
        ("scan.tif", "RGB", {}),
    ],
)
def test_a_picture_that_a_browser_shows_otherwise_becomes_a_png_of_its_size(
    tmp_path: Path, cache: Path, name: str, mode: str, settings: dict[str, Any]
) -> None:
    picture = load_picture(original := saved_as(tmp_path, name, Image.new(mode, (8, 6)), **settings))
    image_url(picture, original)
    shown = Image.open(placed(cache)[0])
    assert shown.format == "PNG"
    assert np.array_equal(np.asarray(shown), picture.rgb)


def test_an_image_that_the_cache_has_lost_is_placed_again(tmp_path: Path, cache: Path) -> None:
    original = saved_as(tmp_path, "a.png", Image.new("RGB", (8, 6), "red"))
    picture = load_picture(original)
    url = image_url(picture, original)
    placed(cache)[0].unlink()
    assert image_url(picture, original) == url
    assert len(placed(cache)) == 1


def test_an_original_is_never_linked_into_the_cache(tmp_path: Path, cache: Path) -> None:
    original = saved_as(tmp_path, "a.png", Image.new("RGB", (8, 6), "red"))
    image_url(load_picture(original), original)
    assert original.stat().st_nlink == 1
    assert not [path for path in placed(cache) if path.is_symlink()]


@pytest.fixture
def served(annotator: Annotator) -> Iterator[tuple[gr.Blocks, str]]:
    with gr.Blocks(analytics_enabled=False) as page:
        workbench(annotator, DEFAULT_PRESET, "workbench")
    serve_scripts()
    _, url, _ = page.launch(
        prevent_thread_lock=True, quiet=True, auth=("ann", "secret"), server_name="127.0.0.1", ssr_mode=False
    )
    yield page, str(url)
    page.close()


def test_who_is_logged_in_signs_and_strangers_are_turned_away(served: tuple[gr.Blocks, str], digest: str) -> None:
    page, url = served
    component = next(number for number, block in page.blocks.items() if isinstance(block, gr.HTML))
    request = {"digest": digest, "label": "unsure", "mask": None, "author": "somebody else", "save_id": "a"}
    body = {"data": request, "component_id": component, "fn_name": "save", "session_hash": "s"}
    call = f"{url}gradio_api/component_server"
    with httpx.Client() as visitor:
        stranger = visitor.post(call, json=body)
        visitor.post(f"{url}login", data={"username": "ann", "password": "secret"})
        answer = visitor.post(call, json=body).json()
    assert stranger.status_code == 401
    assert answer["revision"]["author"] == "ann"


def test_the_scripts_are_served_and_nothing_beside_them(served: tuple[gr.Blocks, str]) -> None:
    _, url = served
    folder = Path(image_urls.__file__).parent
    with httpx.Client() as visitor:
        visitor.post(f"{url}login", data={"username": "ann", "password": "secret"})
        script = visitor.get(f"{url}gradio_api/file={folder / 'workbench' / 'workbench.js'}")
        beside = visitor.get(f"{url}gradio_api/file={folder / 'errors.py'}")
    assert script.headers["content-type"].startswith(("application/javascript", "text/javascript"))
    assert beside.status_code == 403


def test_without_accounts_nobody_is_logged_in() -> None:
    assert account_of(None) == ""
    assert account_of(gr.Request(username="ben")) == "ben"


def test_a_cache_that_cannot_be_written_is_told_in_a_sentence(tmp_path: Path, cache: Path) -> None:
    original = saved_as(tmp_path, "a.png", Image.new("RGB", (8, 6), "red"))
    cache.write_text("a file where the cache should be")
    with pytest.raises(
        ExpectedError, match="a.png cannot be shown, because its copy for the browser cannot be written"
    ):
        image_url(load_picture(original), original)
