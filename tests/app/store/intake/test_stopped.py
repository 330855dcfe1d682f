"""An import that ends early: what came in before stays, whole; the sentence says how far it got."""

from __future__ import annotations

import errno
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from app.store.check import check
from app.store.errors import StoreError
from app.store.intake.report import IntakeReport, IntakeStoppedError
from app.store.intake.take_in import take_in
from app.store.records import NewRevision, Saved
from app.store.workspace import Workspace
from tests.app.store.intake.zips import mask_png, png, write_zip

MASK = np.eye(6, 8, dtype=np.bool_)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    pictures = [(f"images/{number}.png", png(6, 8, number)) for number in range(4)]
    masks = [(f"masks/{number}.png", mask_png(MASK)) for number in range(4)]
    return write_zip(tmp_path / "set.zip", *pictures, *masks)


def whole_so_far(workspace: Workspace) -> list[tuple[str, int]]:
    """Every image and how many revisions it has, once the files have been looked at."""
    assert check(workspace, min_age_s=0).problems == ()
    assert list(workspace.folder.glob("cache/*")) == []
    return [(image.name, len(workspace.history(image.digest))) for image in workspace.images()]


def interrupt_after(number: int) -> Callable[[int, int], None]:
    def progress(done: int, _: int) -> None:
        if done == number:
            raise KeyboardInterrupt

    return progress


def test_an_interruption_keeps_what_came_in_and_says_how_much(workspace: Workspace, archive: Path) -> None:
    with pytest.raises(
        IntakeStoppedError,
        match=r"^The import was interrupted; 2 new images and 2 annotations had come in before and stay, so run the",
    ) as caught:
        take_in(workspace, [archive], author="Ada", progress=interrupt_after(2))

    assert caught.value.interrupted
    assert caught.value.report == IntakeReport(2, 0, 2, 0, (), ())
    assert whole_so_far(workspace) == [("0.png", 1), ("1.png", 1)]


def test_the_same_import_again_brings_the_rest(workspace: Workspace, archive: Path) -> None:
    with pytest.raises(IntakeStoppedError, match="interrupted"):
        take_in(workspace, [archive], author="Ada", progress=interrupt_after(3))

    report = take_in(workspace, [archive], author="Ada")

    assert report == IntakeReport(1, 3, 1, 3, (), ())
    assert whole_so_far(workspace) == [(f"{number}.png", 1) for number in range(4)]


def test_a_disk_that_fills_up_while_saving_stops_the_import(
    workspace: Workspace, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = Workspace.save

    def full_at_the_third(self: Workspace, digest: str, new: NewRevision) -> Saved:
        if self.image(digest).name == "2.png":
            raise StoreError("The disk is full, so nothing was saved; make room.")
        return save(self, digest, new)

    monkeypatch.setattr(Workspace, "save", full_at_the_third)

    with pytest.raises(IntakeStoppedError, match=r"^The disk is full.*; 3 new images and 2 annotations had") as caught:
        take_in(workspace, [archive], author="Ada")

    assert not caught.value.interrupted
    assert whole_so_far(workspace) == [("0.png", 1), ("1.png", 1), ("2.png", 0)]


def test_a_disk_that_fills_up_while_unpacking_stops_the_import(
    workspace: Workspace, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_entry = zipfile.ZipFile.open

    def full(self: zipfile.ZipFile, name: zipfile.ZipInfo) -> IO[bytes]:
        if name.filename == "images/3.png":
            raise OSError(errno.ENOSPC, "No space left on device")
        return open_entry(self, name)

    monkeypatch.setattr(zipfile.ZipFile, "open", full)

    with pytest.raises(IntakeStoppedError, match=r"cache is full.*; 0 new images and 0 annotations had come in"):
        take_in(workspace, [archive], author="Ada")

    assert whole_so_far(workspace) == []


def test_a_temporary_folder_that_cannot_be_made_stops_the_import(
    workspace: Workspace, archive: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(IntakeStoppedError, match="is a file or lies below one"):
        take_in(workspace, [archive], author="Ada", temp_folder=tmp_path / "file" / "below")


def test_archives_are_unpacked_where_the_caller_says(workspace: Workspace, archive: Path, tmp_path: Path) -> None:
    seen: list[int] = []

    def look(*_: int) -> None:
        seen.append(len(list((tmp_path / "elsewhere").glob("intake-*/images/*"))))

    take_in(workspace, [archive], author="Ada", temp_folder=tmp_path / "elsewhere", progress=look)

    assert seen[0] == 4
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_stored_mask_that_is_damaged_does_not_stop_the_import(workspace: Workspace, archive: Path) -> None:
    take_in(workspace, [archive], author="Ada")
    [mask] = workspace.folder.glob("masks/*/*.png")
    mask.write_bytes(b"damaged")

    report = take_in(workspace, [archive], author="Ada")

    # The first one cannot be compared, is saved anew and so mends the file for the others.
    assert report == IntakeReport(0, 4, 1, 3, (), ())
    assert whole_so_far(workspace)[0] == ("0.png", 2)
