"""Images are kept once each, as they came."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image

from app.store import queries
from app.store.workspace import Workspace
from models.errors import PictureError
from tests.app.store.making import add, files_below, picture


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(tmp_path / "work") as opened:
        yield opened


def test_an_image_is_kept_as_it_came_under_the_digest_of_its_bytes(workspace: Workspace) -> None:
    data = picture(1)
    before = datetime.now(UTC)

    added = workspace.add_image(data, "cell.png", author="ann", origin="line 3")

    digest = hashlib.sha256(data).hexdigest()
    image = added.image
    assert added.is_new
    assert (image.digest, image.name, image.size_hw, image.file_bytes) == (digest, "cell.png", (4, 6), len(data))
    assert (image.added_by, image.origin, image.note) == ("ann", "line 3", "")
    assert before <= image.added_at <= before + timedelta(seconds=10)
    assert workspace.image(digest) == image
    assert workspace.image_path(digest) == workspace.folder / "images" / digest[:2] / digest
    assert workspace.image_bytes(digest) == data


def test_the_same_bytes_are_one_image_whatever_they_are_called(workspace: Workspace) -> None:
    first = workspace.add_image(picture(1), "cell.png", author="ann")
    version = workspace.version()

    again = workspace.add_image(picture(1), "copy of cell.png", author="bob")

    assert not again.is_new
    assert again.image == first.image
    assert [image.name for image in workspace.images()] == ["cell.png"]
    assert workspace.version() == version


def test_adding_an_image_again_brings_its_lost_file_back(workspace: Workspace) -> None:
    digest = add(workspace, 1)
    workspace.image_path(digest).unlink()

    add(workspace, 1)

    assert workspace.image_bytes(digest) == picture(1)


def test_the_size_is_that_of_the_upright_picture(workspace: Workspace) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by a quarter
    file = io.BytesIO()
    Image.new("RGB", (6, 4)).save(file, format="JPEG", exif=exif)

    image = workspace.add_image(file.getvalue(), "phone.jpg", author="ann").image

    assert image.size_hw == (6, 4)
    assert image.note == "turned as its EXIF orientation says"


def test_what_is_no_picture_is_refused_and_leaves_no_file(workspace: Workspace) -> None:
    before = files_below(workspace.folder / "images")

    with pytest.raises(PictureError, match="notes.png"):
        workspace.add_image(b"not a picture", "notes.png", author="ann")
    with pytest.raises(PictureError, match="the limit is"):
        workspace.add_image(picture(1), "large.png", author="ann", max_pixels=23)
    assert files_below(workspace.folder / "images") == before
    assert list(workspace.images()) == []


def test_names_that_no_database_could_hold_are_made_storable(workspace: Workspace) -> None:
    image = workspace.add_image(picture(1), "a\0b\udcff.png", author="ann").image
    long = workspace.add_image(picture(2), "x" * 300 + ".png", author="ann").image

    assert image.name == "a?b?.png"
    assert workspace.image(image.digest) == image
    assert len(long.name) == 255
    assert long.name.endswith("xx.png")


def test_images_are_streamed_oldest_first_across_parts(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "PART", 2)
    digests = [add(workspace, number) for number in range(5)]

    assert [image.digest for image in workspace.images()] == digests
