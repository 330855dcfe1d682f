"""Thumbnails: small, kept, made again when they are gone, and never in the way."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.services import thumbnails
from app.services.thumbnails import Thumbnails, thumbnail
from app.store.workspace import Workspace
from models.errors import PictureError


def png(width: int, height: int, colour: tuple[int, int, int] = (200, 30, 30)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(file, format="PNG")
    return file.getvalue()


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(tmp_path / "w") as opened:
        yield opened


def cached(workspace: Workspace) -> list[Path]:
    return sorted((workspace.folder / "cache").rglob("*.webp"))


@pytest.mark.parametrize(
    ("size_wh", "small_wh"), [((400, 200), (192, 96)), ((200, 800), (48, 192)), ((60, 40), (60, 40))]
)
def test_the_longer_side_is_192_pixels_at_most(size_wh: tuple[int, int], small_wh: tuple[int, int]) -> None:
    small = Image.open(io.BytesIO(thumbnail(png(*size_wh), "a.png")))
    assert (small.format, small.size) == ("WEBP", small_wh)
    assert np.abs(np.asarray(small.convert("RGB"), dtype=int) - (200, 30, 30)).max() < 12  # WebP is lossy


def test_a_thumbnail_is_made_once(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = workspace.add_image(png(400, 200), "a.png", author="").image.digest
    first = Thumbnails(workspace).many([digest])
    monkeypatch.setattr(thumbnails, "thumbnail", lambda data, name: pytest.fail("made again"))
    assert Thumbnails(workspace).many([digest]) == first
    assert len(cached(workspace)) == 1


def test_a_cache_that_was_emptied_is_filled_again(workspace: Workspace) -> None:
    digest = workspace.add_image(png(400, 200), "a.png", author="").image.digest
    shown = Thumbnails(workspace)
    first = shown.many([digest])
    cached(workspace)[0].unlink()
    assert shown.many([digest]) == first
    assert len(cached(workspace)) == 1


def test_an_image_that_is_unknown_is_left_out(workspace: Workspace) -> None:
    digest = workspace.add_image(png(10, 10), "a.png", author="").image.digest
    assert list(Thumbnails(workspace).many(["f" * 64, digest, digest])) == [digest]


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(workspace: Workspace) -> None:
    digest = workspace.add_image(png(10, 10), "a.png", author="").image.digest
    (workspace.folder / "cache").mkdir(exist_ok=True)
    (workspace.folder / "cache" / "thumbnails").write_text("a file where the folder should be")
    assert list(Thumbnails(workspace).many([digest])) == [digest]


def test_bytes_that_are_no_picture_are_refused() -> None:
    with pytest.raises(PictureError, match="a.txt"):
        thumbnail(b"no picture", "a.txt")


def test_an_empty_file_in_the_cache_is_made_again(workspace: Workspace) -> None:
    digest = workspace.add_image(png(400, 200), "a.png", author="").image.digest
    whole = Thumbnails(workspace).many([digest])
    cached(workspace)[0].write_bytes(b"")

    assert Thumbnails(workspace).many([digest]) == whole
