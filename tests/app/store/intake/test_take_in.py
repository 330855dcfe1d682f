"""What comes into a workspace from folders, zips and files, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from app.store.intake.limits import Limits
from app.store.intake.take_in import take_in
from app.store.workspace import Workspace
from models.errors import DataError
from tests.app.store.intake.helpers import (
    MASK,
    counts,
    digests,
    no_temporary_files,
    refused,
    stored_mask,
    write,
)
from tests.app.store.intake.zips import mask_png, png, write_zip


def test_a_folder_of_pictures_comes_in_byte_for_byte(workspace: Workspace, tmp_path: Path) -> None:
    first = write(tmp_path / "set" / "a.png", png(6, 8, 1))
    second = write(tmp_path / "set" / "deep" / "b.PNG", png(5, 4, 2))

    report = take_in(workspace, [tmp_path / "set"], author="Ada")

    assert counts(report) == (2, 0, 0, 0)
    assert (report.refused, report.notes) == ((), ())
    found = digests(workspace)
    assert workspace.image_bytes(found["a.png"]) == first.read_bytes()
    assert workspace.image_bytes(found["b.PNG"]) == second.read_bytes()
    assert (workspace.image(found["b.PNG"]).size_hw, workspace.image(found["b.PNG"]).added_by) == ((5, 4), "Ada")


def test_a_file_that_is_not_what_its_name_says_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    files = [write(tmp_path / "a.png", b"%PDF-1.7 hello"), write(tmp_path / "notes.txt", b"hello")]

    report = take_in(workspace, [*files, write(tmp_path / "good.png", png(6, 8))], author="Ada")

    assert counts(report) == (1, 0, 0, 0)
    assert set(refused(report)) == {"a.png", "notes.txt"}
    assert all(why.endswith(".") for why in refused(report).values())


def test_a_zip_comes_in_without_what_is_bad_in_it(workspace: Workspace, tmp_path: Path) -> None:
    archive = write_zip(
        tmp_path / "set.zip",
        ("top/images/a.png", png(6, 8)),
        ("top/masks/a.png", mask_png(MASK)),
        ("__MACOSX/top/._a.png", b"system"),
        ("../evil.png", png(6, 8, 1)),
    )

    report = take_in(workspace, [archive], author="Ada")

    assert counts(report) == (1, 0, 1, 0)
    assert np.array_equal(stored_mask(workspace, "a.png"), MASK)
    assert [(name, "climbs out" in why) for name, why in refused(report).items()] == [("set.zip: ../evil.png", True)]
    assert report.notes == ("1 hidden or system file passed over.",)
    assert not (tmp_path / "evil.png").exists()
    assert no_temporary_files(workspace)


def test_a_damaged_zip_is_one_sentence_and_the_other_sources_come_in(workspace: Workspace, tmp_path: Path) -> None:
    broken = write(tmp_path / "set.zip", b"PK\x03\x04 and no more")

    report = take_in(workspace, [broken, write(tmp_path / "a.png", png(6, 8))], author="Ada")

    assert counts(report) == (1, 0, 0, 0)
    [(name, why)] = refused(report).items()
    assert name == str(broken)
    assert why.startswith("set.zip is no zip archive or a damaged one")
    assert no_temporary_files(workspace)


def test_an_archive_that_is_too_large_leaves_nothing(workspace: Workspace, tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "set.zip", ("a.png", png(6, 8)), ("b.png", bytes(5000)))

    report = take_in(workspace, [archive], author="Ada", limits=Limits(max_total_bytes=2000))

    assert counts(report) == (0, 0, 0, 0)
    assert len(report.refused) == 1
    assert list(workspace.images()) == []
    assert no_temporary_files(workspace)


def test_a_folder_of_too_many_files_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    for number in range(3):
        write(tmp_path / "set" / f"{number}.png", png(6, 8, number))

    report = take_in(workspace, [tmp_path / "set"], author="Ada", limits=Limits(max_files=2))

    assert counts(report) == (0, 0, 0, 0)
    assert "more than 2 files" in refused(report)[str(tmp_path / "set")]


def test_links_devices_and_archives_in_a_folder_are_refused_and_hidden_files_passed_over(
    workspace: Workspace, tmp_path: Path
) -> None:
    folder = tmp_path / "set"
    write(folder / "a.png", png(6, 8, 1))
    outside = write(tmp_path / "outside" / "secret.png", png(6, 8, 2))
    (folder / "link.png").symlink_to(outside)
    (folder / "linked").symlink_to(outside.parent, target_is_directory=True)
    os.mkfifo(folder / "pipe.png")
    write(folder / "inner.zip", b"PK")
    write(folder / ".hidden.png", png(6, 8, 3))
    write(folder / ".cache" / "x.png", png(6, 8, 4))
    write(folder / "Thumbs.db", b"x")

    report = take_in(workspace, [folder], author="Ada")

    assert list(digests(workspace)) == ["a.png"]
    assert set(refused(report)) == {"set/link.png", "set/linked", "set/pipe.png", "set/inner.zip"}
    assert len(report.refused) == 4
    assert "is a link" in refused(report)["set/link.png"]
    assert "is a link" in refused(report)["set/linked"]
    assert report.notes == ("3 hidden or system files passed over.",)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("gone.png", "no such file"), ("set.tar.gz", "only zip is opened"), ("set.7z", "only zip is opened")],
)
def test_a_source_that_cannot_be_opened_is_refused(
    workspace: Workspace, tmp_path: Path, name: str, sentence: str
) -> None:
    if name != "gone.png":
        write(tmp_path / name, b"x")

    report = take_in(workspace, [tmp_path / name], author="Ada")

    assert sentence in refused(report)[str(tmp_path / name)]


@pytest.mark.parametrize("source", [".", "workspace", "workspace/images"])
def test_the_workspace_is_not_imported_into_itself(workspace: Workspace, tmp_path: Path, source: str) -> None:
    workspace.add_image(png(6, 8), "a.png", author="Ada")

    report = take_in(workspace, [tmp_path / source], author="Ada")

    assert counts(report) == (0, 0, 0, 0)
    assert ["into itself" in why for why in refused(report).values()] == [True]


def test_a_format_by_name_is_checked(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no format 'voc'; choose one of: auto, "):
        take_in(workspace, [tmp_path], author="Ada", format="voc")


def test_a_folder_that_is_not_of_the_format_that_was_named_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    write(tmp_path / "set" / "a.png", png(6, 8))

    report = take_in(workspace, [tmp_path / "set"], author="Ada", format="masks")

    assert counts(report) == (0, 0, 0, 0)
    assert list(refused(report)) == [str(tmp_path / "set")]


def test_progress_counts_pictures_and_ends_full(workspace: Workspace, tmp_path: Path) -> None:
    for number in range(3):
        write(tmp_path / "set" / f"{number}.png", png(6, 8, number))
        write(tmp_path / "set" / "masks" / f"{number}.png", mask_png(MASK))
    shown: list[tuple[int, int]] = []

    take_in(workspace, [tmp_path / "set"], author="Ada", progress=lambda done, total: shown.append((done, total)))

    assert shown == [(1, 3), (2, 3), (3, 3), (3, 3)]


def test_a_source_without_a_picture_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    report = take_in(workspace, [tmp_path / "empty", write_zip(tmp_path / "empty.zip")], author="Ada")

    assert set(refused(report)) == {"empty", "empty.zip"}


def test_a_picture_beyond_the_limit_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    small, large = png(6, 8), png(60, 80)
    write(tmp_path / "set" / "large.png", large)
    write(tmp_path / "set" / "small.png", small)

    report = take_in(workspace, [tmp_path / "set"], author="Ada", limits=Limits(max_file_bytes=len(small)))

    assert list(digests(workspace)) == ["small.png"]
    assert f"has {len(large)} bytes, and at most {len(small)}" in refused(report)["set/large.png"]


def test_a_link_that_the_reader_meets_too_is_refused_once(workspace: Workspace, tmp_path: Path) -> None:
    write(tmp_path / "set" / "images" / "a.png", png(6, 8))
    write(tmp_path / "set" / "masks" / "a.png", mask_png(MASK))
    (tmp_path / "set" / "images" / "link.png").symlink_to(tmp_path / "set" / "images" / "a.png")

    report = take_in(workspace, [tmp_path / "set"], author="Ada", format="masks")

    assert [refusal.name for refusal in report.refused] == ["set/images/link.png"]


def test_what_cannot_even_be_looked_at_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    good = write(tmp_path / "a.png", png(6, 8))

    report = take_in(workspace, [tmp_path / "circle", tmp_path / ("a" * 300), good], author="Ada")

    assert counts(report) == (1, 0, 0, 0)
    whys = list(refused(report).values())
    assert whys == [
        "There is no such file or folder; check the path.",
        "It cannot be opened (File name too long); check the path.",
    ]
