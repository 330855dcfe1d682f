"""Pictures with masks beside them, and which format a folder is taken for."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.store.intake.take_in import take_in
from app.store.workspace import Workspace
from tests.app.store.intake.helpers import (
    MASK,
    counts,
    digests,
    no_temporary_files,
    refused,
    stored_mask,
    write,
)
from tests.app.store.intake.zips import encoded, mask_png, png


@pytest.mark.parametrize(
    ("picture", "mask"),
    [
        ("a.png", "a_mask.png"),
        ("a.jpeg.png", "a.jpeg-mask.png"),
        ("a.png", "masks/a.png"),
        ("deep/a.png", "deep/Masks/A_mask.png"),
        ("a.png", "ground_truth/a.png"),
        ("images/a.png", "masks/a.png"),
        ("set/1/images/a.png", "set/1/gt/a_mask.png"),
    ],
)
def test_a_mask_beside_its_picture_becomes_its_annotation(
    workspace: Workspace, tmp_path: Path, picture: str, mask: str
) -> None:
    folder = tmp_path / "set"
    write(folder / picture, png(6, 8))
    write(folder / "z" / "other.png", png(6, 8, 1))
    write(folder / mask, mask_png(MASK))

    report = take_in(workspace, [folder], author="Ada")

    assert counts(report)[2:] == (1, 0)
    assert report.refused == ()
    name = Path(picture).name
    assert np.array_equal(stored_mask(workspace, name), MASK)
    newest = workspace.newest(digests(workspace)[name])
    assert newest is not None
    assert (newest.label, newest.author, newest.source.kind) == ("anomalous", "Ada", "import")
    assert newest.source.detail.endswith("; from set")


def test_a_single_file_finds_its_mask_among_the_others(workspace: Workspace, tmp_path: Path) -> None:
    files = [write(tmp_path / "1" / "a.png", png(6, 8)), write(tmp_path / "2" / "a_mask.png", mask_png(MASK))]

    report = take_in(workspace, files, author="Ada")

    assert counts(report) == (1, 0, 1, 0)
    assert np.array_equal(stored_mask(workspace, "a.png"), MASK)
    assert no_temporary_files(workspace)


def test_single_files_of_the_same_name_both_come_in(workspace: Workspace, tmp_path: Path) -> None:
    files = [write(tmp_path / str(number) / "a.png", png(6, 8, number)) for number in (1, 2)]

    report = take_in(workspace, files, author="Ada")

    assert counts(report) == (2, 0, 0, 0)
    assert {workspace.image_bytes(image.digest) for image in workspace.images()} == {png(6, 8, 1), png(6, 8, 2)}


def test_single_files_come_in_from_another_disk(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def across_disks(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", across_disks)

    report = take_in(workspace, [write(tmp_path / "a.png", png(6, 8))], author="Ada")

    assert (counts(report), report.refused) == ((1, 0, 0, 0), ())


def test_values_of_0_and_1_are_a_mask_and_an_empty_one_says_normal(workspace: Workspace, tmp_path: Path) -> None:
    write(tmp_path / "set" / "a.png", png(6, 8, 1))
    write(tmp_path / "set" / "a_mask.png", encoded(MASK.astype(np.uint8)))
    write(tmp_path / "set" / "b.png", png(6, 8, 2))
    write(tmp_path / "set" / "b_mask.png", mask_png(np.zeros((6, 8), dtype=np.bool_)))

    report = take_in(workspace, [tmp_path / "set"], author="Ada")

    assert counts(report) == (2, 0, 2, 0)
    assert np.array_equal(stored_mask(workspace, "a.png"), MASK)
    newest = workspace.newest(digests(workspace)["b.png"])
    assert newest is not None
    assert (newest.label, newest.area_px) == ("normal", 0)


def test_a_mask_of_another_size_is_refused_and_its_picture_comes_in(workspace: Workspace, tmp_path: Path) -> None:
    write(tmp_path / "set" / "a.png", png(60, 80))
    write(tmp_path / "set" / "a_mask.png", mask_png(MASK))

    report = take_in(workspace, [tmp_path / "set"], author="Ada")

    assert counts(report) == (1, 0, 0, 0)
    assert workspace.newest(digests(workspace)["a.png"]) is None
    [why] = refused(report).values()
    assert "8 x 6" in why
    assert "80 x 60" in why


def test_a_mask_with_grey_values_is_refused_and_its_picture_comes_in(workspace: Workspace, tmp_path: Path) -> None:
    write(tmp_path / "set" / "a.png", png(6, 8))
    grey = MASK.astype(np.uint8) * np.uint8(255)
    grey[0, 0] = 128
    write(tmp_path / "set" / "a_mask.png", encoded(grey))

    report = take_in(workspace, [tmp_path / "set"], author="Ada")

    assert counts(report) == (1, 0, 0, 0)
    [(name, why)] = refused(report).items()
    assert name == "set/a.png"
    assert "grey values" in why


def test_a_mask_without_its_picture_is_not_taken_for_a_picture(workspace: Workspace, tmp_path: Path) -> None:
    write(tmp_path / "set" / "a.png", png(6, 8))
    write(tmp_path / "set" / "b_mask.png", mask_png(MASK))

    report = take_in(workspace, [tmp_path / "set"], author="Ada")

    assert counts(report) == (1, 0, 0, 0)
    assert "its picture is not beside it" in refused(report)["set/b_mask.png"]


def test_mvtec_folders_are_recognised_and_their_defects_become_classes(workspace: Workspace, tmp_path: Path) -> None:
    bottle = tmp_path / "set" / "bottle"
    write(bottle / "train" / "good" / "000.png", png(6, 8, 1))
    write(bottle / "test" / "broken" / "001.png", png(6, 8, 2))
    write(bottle / "ground_truth" / "broken" / "001_mask.png", mask_png(MASK))

    report = take_in(workspace, [tmp_path / "set"], author="Ada")

    assert counts(report) == (2, 0, 2, 0)
    found = digests(workspace)
    normal, broken = workspace.newest(found["000.png"]), workspace.newest(found["001.png"])
    assert normal is not None
    assert broken is not None
    assert (normal.label, broken.label) == ("normal", "anomalous")
    assert [region.defect_class for region in broken.regions] == ["broken"]
    assert broken.source.detail.startswith("mvtec: ")


def test_a_picture_turned_by_its_exif_takes_a_mask_of_its_upright_size(workspace: Workspace, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    (tmp_path / "set").mkdir()
    Image.new("RGB", (6, 8)).save(tmp_path / "set" / "a.jpg", exif=exif)  # upright: 8 wide, 6 high
    write(tmp_path / "set" / "a_mask.png", mask_png(MASK))

    report = take_in(workspace, [tmp_path / "set"], author="Ada")

    assert (counts(report), report.refused) == ((1, 0, 1, 0), ())


def test_other_files_in_a_folder_of_pictures_are_counted_in_a_note(workspace: Workspace, tmp_path: Path) -> None:
    write(tmp_path / "set" / "a.png", png(6, 8))
    write(tmp_path / "set" / "a.xml", b"<annotation/>")
    write(tmp_path / "set" / "b.xml", b"<annotation/>")

    report = take_in(workspace, [tmp_path / "set"], author="Ada")

    assert report.refused == ()
    assert report.notes == (
        "set is of no known format, so only pictures and masks were read; 2 other files passed over, such as a.xml.",
    )


def test_what_lies_wrapped_in_one_folder_after_another_is_recognised(workspace: Workspace, tmp_path: Path) -> None:
    top = tmp_path / "set" / "top" / "inner"
    write(top / "images" / "a.png", png(6, 8))
    write(top / "masks" / "a.png", mask_png(MASK))
    write(top / "labels.csv", b"image,mask,label\nimages/a.png,masks/a.png,unsure\n")

    report = take_in(workspace, [tmp_path / "set"], author="Ada")

    assert counts(report) == (1, 0, 1, 0)
    newest = workspace.newest(digests(workspace)["a.png"])
    assert newest is not None
    assert newest.label == "unsure"  # only the table says so


def test_single_files_of_one_name_get_no_mask_that_could_be_anothers(workspace: Workspace, tmp_path: Path) -> None:
    # A browser sends a folder's files without their folders, each in one of its own.
    names = ("000_mask.png", "000.png", "000.png", "001.png", "001_mask.png")
    sent = [tmp_path / str(number) / name for number, name in enumerate(names)]
    for number, path in enumerate(sent):
        write(path, mask_png(MASK) if "mask" in path.name else png(6, 8, number))

    report = take_in(workspace, sent, author="Ada")

    assert counts(report) == (3, 0, 1, 0)
    assert list(refused(report)) == ["000_mask.png"]
    assert (
        "unclear which picture this is for; import a zip, which keeps the folders." in refused(report)["000_mask.png"]
    )
    assert [image.name for image, _ in workspace.annotated()] == ["001.png"]


def test_of_two_masks_for_one_single_file_none_is_taken(workspace: Workspace, tmp_path: Path) -> None:
    picture = write(tmp_path / "000.png", png(6, 8))
    masks = [write(tmp_path / place / "000_mask.png", mask_png(MASK)) for place in ("crack", "hole")]

    report = take_in(workspace, [*masks, picture], author="Ada")

    assert counts(report) == (1, 0, 0, 0)
    assert list(refused(report)) == ["000_mask.png"]


def test_a_table_beside_single_files_of_one_name_is_not_guessed_at(workspace: Workspace, tmp_path: Path) -> None:
    pictures = [write(tmp_path / place / "a.png", png(6, 8, number)) for number, place in enumerate(("one", "two"))]
    said = write(tmp_path / "two" / "a.json", b'{"flags": {"anomalous": true}, "shapes": [], "imagePath": "a.png"}')

    report = take_in(workspace, [*pictures, said], author="Ada")

    assert counts(report) == (2, 0, 0, 0)
    assert list(refused(report)) == ["a.json"]


def test_a_single_file_that_is_given_twice_keeps_its_mask(workspace: Workspace, tmp_path: Path) -> None:
    picture, mask = write(tmp_path / "a.png", png(6, 8)), write(tmp_path / "a_mask.png", mask_png(MASK))

    assert counts(take_in(workspace, [picture, mask, picture], author="Ada")) == (1, 0, 1, 0)
